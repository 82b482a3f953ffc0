"""Issuing: a verified purge becomes a signed certificate, a row, a log entry, and a file for people."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, insert, select, update

from custody.certificates.certificate import Party, Signed, canonical, payload_of, render
from custody.certificates.checkpoint import Checkpoint
from custody.certificates.draw import draw_up
from custody.certificates.log import Log, append
from custody.certificates.log_entry import Kind
from custody.certificates.page import page
from custody.certificates.public_keys import known_keys, public_keys, publish_keys
from custody.certificates.receipt import receipt_for
from custody.certificates.receipt_file import laid_out
from custody.certificates.receipt_store import issue_receipt, receipt_of, receipts_alone
from custody.certificates.signing import Signer
from custody.contracts.contract import Contract
from custody.database.tables import certificates, purges
from custody.errors import Unavailable
from custody.orders.records import ContractId
from custody.retention.records import Destruction, Evidence, PurgePlan, PurgeState
from custody.vault import files


class Issuer:
    """Issues certificates for one processor; ``directory`` is where people find them.

    ``stamp`` gets a time stamp for a checkpoint, where an authority is configured.
    ``receipt_signer`` signs the receipts of destroyed keys: it is another key than the certificates'.
    """

    def __init__(
        self,
        engine: Engine,
        signer: Signer,
        receipt_signer: Signer,
        log: Log,
        processor: Party,
        directory: Path,
        stamp: Callable[[Checkpoint], object] | None = None,
    ) -> None:
        self._engine = engine
        self._signer = signer
        self._receipt_signer = receipt_signer
        self._log = log
        self._processor = processor
        self._directory = directory
        self._stamp = stamp

    def receipt(self, connection: Connection, plan: PurgePlan, destruction: Destruction) -> None:
        """Sign, store and log the receipt of a purge's destroyed keys, as the last of a transaction."""
        at = destruction.destroyed_at
        receipt = receipt_for(plan.purge_id, plan.contract_id, destruction.keys, at)
        issue_receipt(connection, self._receipt_signer, receipt, at)

    def end_receipt(
        self, connection: Connection, contract_id: ContractId, keys: Sequence[str], at: datetime
    ) -> None:
        """Sign, store and log the receipt of a contract's last key, as the last of a transaction."""
        issue_receipt(
            connection, self._receipt_signer, receipt_for(f"end-{contract_id}", contract_id, keys, at), at
        )

    def issue(self, contract: Contract, evidence: Evidence, now: datetime) -> None:
        """Sign, store and log the certificate of a verified purge; issued once, whenever it is killed."""
        certificate = draw_up(self._processor, contract, evidence, now)
        document, digest = self._signer.sign(certificate)
        row = {
            "certificate_id": certificate.certificate_id,
            "contract_id": contract.contract_id,
            "digest": digest,
            "orders": certificate.what.orders,
            "document": document,
            "issued_at": now,
        }
        with self._engine.begin() as connection:
            connection.execute(insert(certificates).values(row))
            connection.execute(
                update(purges)
                .where(purges.c.purge_id == evidence.plan.purge_id)
                .values(state=PurgeState.CERTIFIED)
            )
            append(connection, Kind.CERTIFICATE, certificate.certificate_id, digest, now)

    def public_keys(self) -> bytes:
        """Give the JWK set by which certificates, receipts and checkpoints are verified."""
        signers = (self._signer, self._receipt_signer)
        return canonical({"keys": public_keys(signers, self._log.verifier_key())})

    def known_keys(self) -> tuple[bytes, str]:
        """Give the JWK set and the log's keys with those of former years, for what they signed."""
        signers = (self._signer, self._receipt_signer)
        return known_keys(self._directory, signers, self._log.verifier_key())

    def publish(self, contract_id: str) -> None:
        """Sign what is new in the log, and write the files of a contract that are not there yet."""
        self.publish_means()
        query = select(certificates.c.certificate_id, certificates.c.document).where(
            certificates.c.contract_id == contract_id
        )
        with self._engine.connect() as connection:
            for certificate_id, document in connection.execute(query).all():
                file, shown = (self._directory / f"{certificate_id}.{form}" for form in ("json", "html"))
                if not file.exists():
                    files.write_new(file, self._whole(connection, certificate_id, document).encode())
                if not shown.exists():
                    # It may be signed by a key of a former year: of one killed before its page was made.
                    files.write_new(shown, page(file.read_text(), *self.known_keys()))
            for receipt_id, token in receipts_alone(connection, contract_id).items():
                file = self._directory / f"{receipt_id}.json"
                if not file.exists():
                    proof = self._log.prove(Kind.RECEIPT, receipt_id)
                    files.write_new(file, laid_out(token, proof).encode())

    def publish_means(self) -> None:
        """Sign what is new in the log, and write the keys by which all is verified."""
        self.publish_log()
        publish_keys(self._directory, (self._signer, self._receipt_signer), self._log.verifier_key())

    def publish_log(self) -> Checkpoint | None:
        """Sign what is new in the log, and have it time-stamped where an authority is configured."""
        checkpoint = self._log.publish()
        if checkpoint is not None and self._stamp is not None:
            with suppress(Unavailable):  # the next checkpoint's stamp covers this one, too
                self._stamp(checkpoint)
        return checkpoint

    def _whole(self, connection: Connection, certificate_id: str, document: str) -> str:
        """Put a certificate together with its receipt and its proof of being in the log."""
        jws = msgspec.json.decode(document, type=Signed).jws
        return render(
            payload_of(jws),
            jws,
            receipt=receipt_of(connection, certificate_id),
            log=self._log.prove(Kind.CERTIFICATE, certificate_id),
        )
