"""Issuing the report of an incident: drawn up from the record, signed, stored, logged and published."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert

from custody.certificates.certificate import Party, canonical, digest_of
from custody.certificates.confirmation import with_log
from custody.certificates.issue import Issuer
from custody.certificates.log import Log
from custody.certificates.log_entry import Kind
from custody.certificates.log_store import append
from custody.certificates.report_file import TYPE, laid_out
from custody.certificates.signing import Signer
from custody.contracts import audit
from custody.database.report_tables import incident_reports
from custody.incidents.case import case_of
from custody.incidents.record import find
from custody.incidents.report import Report, draw_up, report_id_of
from custody.incidents.scope import Scope
from custody.incidents.scope_reading import scope_of
from custody.orders.records import ContractId
from custody.vault import files


class Issued(msgspec.Struct, frozen=True):
    """What was issued: ``file`` is where people find it."""

    report_id: str
    document: str
    file: Path


@dataclass(frozen=True, slots=True)
class Reporter:
    """Issues the reports of one processor; ``directory`` is where people find them."""

    engine: Engine
    signer: Signer
    issuer: Issuer
    log: Log
    processor: Party
    directory: Path
    clock: Callable[[], datetime]

    def scope(self, incident_id: str, *, reach: datetime | None = None) -> Scope:
        """Compute what an incident touches, as the records are now; ``reach`` is from when on."""
        with _snapshot(self.engine) as connection:
            incident = find(connection, incident_id)
            span = None if reach is None else incident.detected_at - reach
            return scope_of(connection, incident, self.clock(), reach=span)

    def issue(self, incident_id: str, *, actor: str) -> Issued:
        """Issue a report, once for an incident that is closed; an open one gets another interim each time.

        (1) the record is read in one snapshot; (2) signed, stored, logged and written down as an audit event,
        in one transaction; (3) published, with its place in the log, and those that a killed run left.
        """
        now = self.clock()
        with _snapshot(self.engine) as connection:  # (1)
            case = case_of(connection, incident_id)
            report_id = report_id_of(incident_id, closed=case.incident.closed_at is not None, now=now)
            known = _document(connection, report_id)
            if known is None:
                scope = scope_of(connection, case.incident, now)
                made = draw_up(case, scope, processor=self.processor, asked_by=actor, now=now)
        if known is None:
            self._store(made)  # (2)
        self._publish_missing(incident_id)  # (3)
        file = self._file(report_id)
        return Issued(report_id, file.read_text(), file)

    def _store(self, made: Report) -> None:
        payload = canonical(made)
        row = {
            "report_id": made.report_id,
            "incident_id": made.incident.incident_id,
            "interim": made.interim,
            "digest": digest_of(payload),
            "document": laid_out(payload, self.signer.token(payload, TYPE)),
            "asked_by": made.asked_by,
            "issued_at": made.issued,
        }
        contract = made.incident.contract_id
        with self.engine.begin() as connection:
            stored = insert(incident_reports).values(row).on_conflict_do_nothing()
            if not connection.execute(stored).rowcount:
                return  # it was issued while this one was drawn up
            audit.record(
                connection,
                made.asked_by,
                "incident.report",
                None if contract is None else ContractId(contract),
                made.report_id,
                {"incident": made.incident.incident_id, "interim": int(made.interim)},
                made.issued,
            )
            append(connection, Kind.INCIDENT_REPORT, made.report_id, digest_of(payload), made.issued)

    def _publish_missing(self, incident_id: str) -> None:
        self.issuer.publish_means()
        query = select(incident_reports.c.report_id, incident_reports.c.document)
        with self.engine.connect() as connection:
            stored = connection.execute(query.where(incident_reports.c.incident_id == incident_id)).all()
        for report_id, document in stored:
            file = self._file(report_id)
            if not file.exists():
                proof = self.log.prove(Kind.INCIDENT_REPORT, report_id)
                files.write_new(file, (document if proof is None else with_log(document, proof)).encode())

    def _file(self, report_id: str) -> Path:
        return self.directory / f"{report_id}.json"


def _document(connection: Connection, report_id: str) -> str | None:
    query = select(incident_reports.c.document).where(incident_reports.c.report_id == report_id)
    return connection.execute(query).scalar()


def _snapshot(engine: Engine) -> Connection:
    """Give a connection to which the database stands still, and that changes nothing."""
    return engine.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
