"""Drawing up a certificate from a purge's evidence: every word of it rests on a step that was made."""

from datetime import datetime

import msgspec

from custody import __version__
from custody.certificates.certificate import (
    NOT_CLAIMED,
    STANDARD,
    Certificate,
    Checked,
    How,
    Party,
    Residue,
    Searched,
    Verified,
    What,
    When,
    Who,
    Why,
    Withheld,
)
from custody.contracts.contract import Contract
from custody.errors import PurgeUnsound
from custody.retention.clock import Rule
from custody.retention.records import Erasure, Evidence

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
CRYPTOGRAPHIC = "rows deleted; survivors' keys rewrapped; contract key version destroyed"
ROWS_ONLY = "rows deleted; the batch held no sealed record, so no key was destroyed"
STORES = ("PostgreSQL", "contract key ring")
BY_RULE = "retention rule; no approval is needed for what has fallen due"
SCANNED = "values of the batch, in the forms that software writes them in, searched for byte by byte"


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
            sealed_records=erasure.recipients.records,
            artifacts=erasure.deleted["artifacts"],
            shipments=erasure.deleted["shipments"],
            merkle_root=plan.merkle_root,
            plan_digest=plan.digest,
            field_classes=_field_classes(erasure),
            stores=STORES,
            reduced=plan.reduced,
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
            residue_scan=_searched(evidence),
        ),
        withheld=tuple(Withheld(*msgspec.structs.astuple(each)) for each in plan.withheld),
        approved_by=evidence.approved_by or BY_RULE,
        not_claimed=_not_claimed(evidence),
    )


def _field_classes(erasure: Erasure) -> tuple[str, ...]:
    """Name the kinds of personal fields of which at least one was there and is erased."""
    erased = {
        "recipient name": erasure.recipients.names,
        "recipient address": erasure.recipients.addresses,
        "packing slip": erasure.deleted["artifacts"],
        "tracking number": erasure.deleted["shipments"],
    }
    return tuple(name for name, orders in erased.items() if orders)


def _searched(evidence: Evidence) -> Residue:
    scan = evidence.scan
    if scan is None:
        return Residue(False, method=f"not made: {evidence.scan_problem}")
    if not scan.values:
        return Residue(False, method="not made: the batch held no value to search for")
    return Residue(
        performed=True,
        method=SCANNED,
        values=scan.values,
        too_short=scan.too_short,
        ordinary=scan.ordinary,
        hits=scan.found,
        surfaces=tuple(Searched(*msgspec.structs.astuple(each)) for each in scan.surfaces),
        not_visible=scan.not_visible,
        self_tested=scan.self_tested,
    )


def _not_claimed(evidence: Evidence) -> tuple[str, ...]:
    if evidence.scan is None:
        return ("No search for copies outside of the sealed records was made (residue scan).", *NOT_CLAIMED)
    unseen = tuple(
        f"Nothing is said of {each}: it could not be searched." for each in evidence.scan.not_visible
    )
    return (*unseen, *NOT_CLAIMED)
