"""Receipts as they are kept: signed once for a purge, stored and logged in one transaction."""

from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from custody.certificates.certificate import canonical, digest_of
from custody.certificates.log_entry import Kind
from custody.certificates.log_store import append
from custody.certificates.receipt import TYPE, Receipt
from custody.certificates.signing import Signer
from custody.database.proof_tables import receipts
from custody.database.tables import certificates


def issue_receipt(connection: Connection, signer: Signer, receipt: Receipt, at: datetime) -> str:
    """Sign, store and log a receipt in the caller's transaction; give its JWS.

    A purge has one receipt: a second call changes nothing, and gives the first one's JWS.
    It ends with an entry in the log, so it is the last thing of its transaction.
    """
    payload = canonical(receipt)
    row = {
        "receipt_id": receipt.receipt_id,
        "purge_id": receipt.purge_id,
        "contract_id": receipt.contract_id,
        "digest": digest_of(payload),
        "document": signer.token(payload, TYPE),
        "issued_at": at,
    }
    connection.execute(insert(receipts).values(row).on_conflict_do_nothing())
    kept = connection.execute(select(receipts).where(receipts.c.purge_id == receipt.purge_id)).one()
    append(connection, Kind.RECEIPT, kept.receipt_id, kept.digest, at)
    return str(kept.document)


def receipt_of(connection: Connection, purge_id: str) -> str | None:
    """Give the JWS of a purge's receipt; None when it destroyed no key."""
    query = select(receipts.c.document).where(receipts.c.purge_id == purge_id)
    return connection.execute(query).scalar_one_or_none()


def receipts_alone(connection: Connection, contract_id: str) -> dict[str, str]:
    """Give the receipts of a contract that no certificate has with it, each with its JWS.

    They are that of the contract's last key, and those of purges that are not certified.
    """
    query = (
        select(receipts.c.receipt_id, receipts.c.document)
        .outerjoin(certificates, certificates.c.certificate_id == receipts.c.purge_id)
        .where(receipts.c.contract_id == contract_id, certificates.c.certificate_id.is_(None))
    )
    return dict(connection.execute(query).tuples().all())
