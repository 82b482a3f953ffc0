"""Confirming deletion to a seller: signed, on any day, from the records alone.

The procedure:
(1) the same request is answered once: a repeated one is given the confirmation that it already has;
(2) the records are read in one snapshot, and every certificate that will be named is verified;
(3) signed, stored, logged and written down as an audit event, in one transaction;
(4) the log's checkpoint, the public keys and the certificates are published, then the file for people,
    and those that a killed run left.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from os import urandom
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert

from custody import __version__
from custody.certificates.certificate import Certificate, Party, Who, canonical, digest_of
from custody.certificates.confirmation import TYPE, Confirmation, render, with_log
from custody.certificates.issue import Issuer
from custody.certificates.log import Log
from custody.certificates.log_entry import Kind
from custody.certificates.log_store import append
from custody.certificates.signing import Signer, read_keys
from custody.certificates.verify import verify
from custody.contracts import audit, registry
from custody.contracts.account import account
from custody.contracts.answers import answers
from custody.contracts.contract import Contract
from custody.database.proof_tables import confirmations
from custody.errors import BadInput
from custody.orders.records import ContractId, OrderRef
from custody.vault import files

MOST_LISTED = 10_000  # ours: with 2 KB a proof, some 20 MB a confirmation
LONGEST_REASON = 1_000  # ours: a paragraph; the forms of the DAGs take half of it
SALT_BYTES = 32  # as many as a purge's salt


class Confirmed(msgspec.Struct, frozen=True):
    """What was issued: ``file`` is where people find it."""

    confirmation_id: str
    document: str
    file: Path


class Asked(msgspec.Struct, frozen=True):
    """What is to be confirmed, for whom and why; without ``refs`` it is the whole contract.

    ``request`` is the asker's own name for this request, by which a repeated one is known.
    """

    contract_id: str
    asked_by: str
    reason: str
    refs: tuple[OrderRef, ...] = ()
    request: str = ""


@dataclass(frozen=True, slots=True)
class Confirmer:
    """Issues confirmations for one processor; ``directory`` is where people find them."""

    engine: Engine
    signer: Signer
    issuer: Issuer
    log: Log
    processor: Party
    directory: Path
    clock: Callable[[], datetime]

    def confirm(self, asked: Asked) -> Confirmed:
        """Issue a confirmation, once for each request.

        Raises BadInput for what cannot be asked, PurgeUnsound when the records contradict each other.
        """
        confirmation_id = _id_of(asked)
        with self.engine.connect() as connection:
            contract = registry.get(connection, asked.contract_id)
            known = _document(connection, confirmation_id)  # (1)
        if known is None:
            _require_askable(asked)
            self._store(asked, self._drawn_up(confirmation_id, contract, asked))
        self.publish_missing(contract.contract_id)  # (4)
        with self.engine.connect() as connection:
            document = _document(connection, confirmation_id)
        assert document is not None
        return Confirmed(confirmation_id, document, self._file(confirmation_id))

    def publish_missing(self, contract_id: str) -> None:
        """Write the files of a contract that are not there yet, each with its proof of being in the log."""
        self.issuer.publish(contract_id)
        query = select(confirmations.c.confirmation_id, confirmations.c.document)
        with self.engine.connect() as connection:
            stored = connection.execute(query.where(confirmations.c.contract_id == contract_id)).all()
        for confirmation_id, document in stored:
            file = self._file(confirmation_id)
            if not file.exists():
                proof = self.log.prove(Kind.CONFIRMATION, confirmation_id)
                shown = document if proof is None else with_log(document, proof)
                files.write_new(file, shown.encode())

    def _drawn_up(self, confirmation_id: str, contract: Contract, asked: Asked) -> Confirmation:
        now, refs = self.clock(), tuple(dict.fromkeys(asked.refs))
        known, log_keys = self.issuer.known_keys()
        keys = read_keys(known)

        def judge(certificate: bytes) -> Certificate | None:
            return verify(certificate, keys, log_key=log_keys).certificate

        with _snapshot(self.engine) as connection:  # (2)
            whole = None if refs else account(connection, contract.contract_id, judge, now)
            salt = urandom(SALT_BYTES)
            listed = answers(connection, contract.contract_id, refs, judge, salt, now) if refs else ()
        return Confirmation(
            confirmation_id=confirmation_id,
            issued=now,
            who=Who(self.processor, Party(contract.name, id=contract.seller_id), contract.contract_id),
            asked_by=asked.asked_by,
            reason=asked.reason,
            whole_contract=whole,
            orders=listed,
            tool=f"custody {__version__}",
        )

    def _store(self, asked: Asked, made: Confirmation) -> None:
        payload = canonical(made)
        digest = digest_of(payload)
        row = {
            "confirmation_id": made.confirmation_id,
            "contract_id": made.who.contract_id,
            "digest": digest,
            "document": render(payload, self.signer.token(payload, TYPE)),
            "asked_by": made.asked_by,
            "issued_at": made.issued,
        }
        with self.engine.begin() as connection:  # (3)
            stored = insert(confirmations).values(row).on_conflict_do_nothing()
            if not connection.execute(stored).rowcount:
                return  # the same request was answered while this one was being answered
            details: dict[str, audit.Detail] = {"reason": made.reason, "orders": len(made.orders)}
            actor, contract_id, subject = (
                made.asked_by,
                ContractId(made.who.contract_id),
                made.confirmation_id,
            )
            audit.record(connection, actor, "confirmation.issue", contract_id, subject, details, made.issued)
            append(connection, Kind.CONFIRMATION, subject, digest, made.issued)

    def _file(self, confirmation_id: str) -> Path:
        return self.directory / f"{confirmation_id}.json"


def _require_askable(asked: Asked) -> None:
    if not asked.reason.strip() or len(asked.reason) > LONGEST_REASON:
        raise BadInput(f"A confirmation needs a reason, of at most {LONGEST_REASON} characters; give one.")
    if len(asked.refs) > MOST_LISTED:
        raise BadInput(
            f"{len(asked.refs)} orders are listed, and one confirmation takes {MOST_LISTED}; "
            "split the list, or leave it out to confirm the whole contract."
        )


def _id_of(asked: Asked) -> str:
    """Name a confirmation after its request, where that has a name."""
    if not asked.request:
        return f"confirmation-{urandom(8).hex()}"
    return f"confirmation-{sha256(f'{asked.contract_id}|{asked.request}'.encode()).hexdigest()[:16]}"


def _document(connection: Connection, confirmation_id: str) -> str | None:
    query = select(confirmations.c.document).where(confirmations.c.confirmation_id == confirmation_id)
    return connection.execute(query).scalar()


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """Give a read-only connection to which the database stands still."""
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection:
        yield connection
