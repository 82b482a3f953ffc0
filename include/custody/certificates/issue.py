"""Issuing: a verified purge becomes a signed certificate, a row, and a file for people."""

from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Engine, insert, select, update

from custody import __version__
from custody.certificates.certificate import (
    NOT_CLAIMED,
    STANDARD,
    Certificate,
    Checked,
    How,
    Party,
    Verified,
    What,
    When,
    Who,
    Why,
    Withheld,
)
from custody.certificates.signing import Signer
from custody.contracts.contract import Contract
from custody.database.tables import certificates, purges
from custody.errors import PurgeUnsound
from custody.retention.clock import Rule
from custody.retention.records import Evidence, PurgeState
from custody.vault import files

SOURCES = {
    Rule.COMPLETED: "Processor's data policy, PII Data Retention: not stored beyond the task",
    Rule.DELIVERED: "Amazon Data Protection Policy §2.1: 30 days after delivery",
    Rule.PROMISED: "Amazon Data Protection Policy §2.1, from the latest promised delivery",
    Rule.HARD_CAP: "Processor's rule: 60 days after the order where no delivery is known",
    Rule.CANCELLED: "Processor's data policy: no task is left",
    Rule.UNDELIVERABLE: "Processor's data policy: no task is left",
    Rule.TERMINATED: "Processor's data policy: deleted within 30 days of termination",
    Rule.REQUESTED: "Amazon Data Protection Policy §1.7: within 30 days of the request",
    Rule.AUTHORIZATION_LOST: "Amazon Data Protection Policy §1.7: within 30 days of lost access",
}
FIELD_CLASSES = ("recipient name", "recipient address", "packing slip", "tracking number")
CRYPTOGRAPHIC = "rows deleted; survivors' keys rewrapped; contract key version destroyed"
ROWS_ONLY = "rows deleted; the batch held no sealed record, so no key was destroyed"
STORES = ("PostgreSQL", "contract key ring")


class Issuer:
    """Issues certificates for one processor; ``directory`` is where people find them."""

    def __init__(self, engine: Engine, signer: Signer, processor: Party, directory: Path) -> None:
        self._engine = engine
        self._signer = signer
        self._processor = processor
        self._directory = directory

    def issue(self, contract: Contract, evidence: Evidence, now: datetime) -> None:
        """Sign and store the certificate of a verified purge; issued once, whenever it is killed."""
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

    def public_keys(self) -> bytes:
        """Give the JWK set by which the certificates are verified."""
        return self._signer.public_keys()

    def publish_missing(self, contract_id: str) -> None:
        """Write the files of a contract's certificates that are not there yet, and the public keys."""
        files.write_new(self._directory / "jwks.json", self.public_keys())
        query = select(certificates.c.certificate_id, certificates.c.document).where(
            certificates.c.contract_id == contract_id
        )
        with self._engine.connect() as connection:
            for certificate_id, document in connection.execute(query):
                file = self._directory / f"{certificate_id}.json"
                if not file.exists():
                    files.write_new(file, document.encode())


def draw_up(processor: Party, contract: Contract, evidence: Evidence, now: datetime) -> Certificate:
    """Put a purge's evidence into a certificate; raises PurgeUnsound when a step is missing."""
    plan, erasure, destruction = evidence.plan, evidence.erasure, evidence.destruction
    verification = evidence.verification
    if erasure is None or destruction is None or verification is None:
        raise PurgeUnsound(f"Purge {plan.purge_id} is not verified; nothing is certified before that.")
    return Certificate(
        certificate_id=plan.purge_id,
        issued=now,
        who=Who(processor, Party(contract.name, id=contract.seller_id), contract.contract_id),
        what=What(
            orders=plan.orders,
            sealed_records=plan.probes,
            artifacts=erasure.deleted["artifacts"],
            shipments=erasure.deleted["shipments"],
            merkle_root=plan.merkle_root,
            plan_digest=plan.digest,
            field_classes=FIELD_CLASSES if plan.probes else (),
            stores=STORES,
        ),
        why=tuple(Why(rule, SOURCES[Rule(rule)], orders) for rule, orders in sorted(plan.rules.items())),
        how=How(
            technique=CRYPTOGRAPHIC if destruction.keys else ROWS_ONLY,
            standard=STANDARD if destruction.keys else "",
            tool=f"custody {__version__}",
            keys_destroyed=destruction.keys,
            survivors_rewrapped=erasure.survivors,
        ),
        when=When(
            first_due=plan.first_due,
            last_due=plan.last_due,
            planned=plan.planned_at,
            erased=erasure.erased_at,
            key_destroyed=destruction.destroyed_at if destruction.keys else None,
            verified=verification.verified_at,
        ),
        verification=Verified(
            row_absence=Checked(True, verification.rows_looked_for, 0, "counted by order ref in every table"),
            negative_decryption=Checked(
                True, verification.probes_tried, 0, "leftover wrapped keys tried with every key that exists"
            ),
            residue_scan=Checked(False, method="not made by this version"),
        ),
        withheld=tuple(Withheld(*msgspec.structs.astuple(each)) for each in plan.withheld),
        approved_by="retention rule; no approval is needed for what has fallen due",
        not_claimed=NOT_CLAIMED,
    )
