"""Published documents as rows again, for a database that was restored from before they were issued."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec
from sqlalchemy import Connection, Table, update
from sqlalchemy.dialects.postgresql import insert

from custody.certificates.certificate import Certificate, Signed, digest_of, payload_of, render
from custody.certificates.confirmation import Confirmation, without_log
from custody.certificates.log_entry import Kind, LogEntry
from custody.certificates.receipt import Receipt
from custody.certificates.receipt_file import SignedReceipt, is_receipt_alone
from custody.certificates.report_file import ReportHead, SignedReport, is_report
from custody.certificates.verify_confirmation import Signed as SignedConfirmation
from custody.certificates.verify_confirmation import looks_like_one
from custody.database.proof_tables import confirmations, receipts
from custody.database.report_tables import incident_reports
from custody.database.tables import certificates, purges
from custody.retention.records import PurgeState

Row: TypeAlias = tuple[Kind, Table, str, dict[str, object]]


def take_back(connection: Connection, directory: Path, lost: Sequence[LogEntry]) -> int:
    """Put back the documents of lost log entries; give how many they were.

    A document is taken only when its digest is the logged one. One that is not among the published
    files stays lost, and ``custody log verify`` names it.
    """
    logged = {(each.kind, each.subject): each for each in lost}
    back = 0
    for file in sorted(directory.glob("*-*.json")):
        try:
            content = file.read_bytes()
            rows = list(_rows(content))
        except (msgspec.DecodeError, UnicodeError):
            continue
        for kind, table, subject, row in rows:
            entry = logged.get((kind, subject))
            if entry is not None and entry.digest == row["digest"]:
                _put(connection, table, row | {"issued_at": entry.at})
                back += 1
    return back


def _rows(content: bytes) -> Iterator[Row]:
    if looks_like_one(content):
        yield _confirmation(content)
    elif is_report(content):
        yield _report(content)
    elif is_receipt_alone(content):
        yield _receipt(msgspec.json.decode(content, type=SignedReceipt).jws)
    else:
        yield from _certificate(content)


def _certificate(content: bytes) -> Iterator[Row]:
    signed = msgspec.json.decode(content, type=Signed)
    payload = payload_of(signed.jws)
    said = msgspec.json.decode(payload, type=Certificate)
    yield (
        Kind.CERTIFICATE,
        certificates,
        said.certificate_id,
        {
            "certificate_id": said.certificate_id,
            "contract_id": said.who.contract_id,
            "digest": digest_of(payload),
            "orders": said.what.orders,
            "document": render(payload, signed.jws),
        },
    )
    if signed.receipt is not None:
        yield _receipt(signed.receipt)


def _receipt(token: str) -> Row:
    payload = payload_of(token)
    receipt = msgspec.json.decode(payload, type=Receipt)
    row: dict[str, object] = {
        "receipt_id": receipt.receipt_id,
        "purge_id": receipt.purge_id,
        "contract_id": receipt.contract_id,
        "digest": digest_of(payload),
        "document": token,
    }
    return Kind.RECEIPT, receipts, receipt.receipt_id, row


def _confirmation(content: bytes) -> Row:
    payload = payload_of(msgspec.json.decode(content, type=SignedConfirmation).jws)
    said = msgspec.json.decode(payload, type=Confirmation)
    row: dict[str, object] = {
        "confirmation_id": said.confirmation_id,
        "contract_id": said.who.contract_id,
        "digest": digest_of(payload),
        "document": without_log(content),
        "asked_by": said.asked_by,
    }
    return Kind.CONFIRMATION, confirmations, said.confirmation_id, row


def _report(content: bytes) -> Row:
    payload = payload_of(msgspec.json.decode(content, type=SignedReport).jws)
    said = msgspec.json.decode(payload, type=ReportHead)
    row: dict[str, object] = {
        "report_id": said.report_id,
        "incident_id": said.incident.incident_id,
        "interim": said.interim,
        "digest": digest_of(payload),
        "document": without_log(content),
        "asked_by": said.asked_by,
    }
    return Kind.INCIDENT_REPORT, incident_reports, said.report_id, row


def _put(connection: Connection, table: Table, row: dict[str, object]) -> None:
    connection.execute(insert(table).values(row).on_conflict_do_nothing())
    if table is certificates:
        certified = update(purges).where(purges.c.purge_id == row["certificate_id"])
        connection.execute(certified.values(state=PurgeState.CERTIFIED))
