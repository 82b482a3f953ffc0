"""The account of a contract from its records alone: what was held, what is erased, what is kept and why."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Table, func, or_, select

from custody.certificates.certificate import Certificate, Withheld
from custody.certificates.confirmation import Batch, FieldClass, Period, StillHeld, WholeContract
from custody.certificates.draw import SOURCES
from custody.database.tables import (
    artifacts,
    certificates,
    orders,
    purges,
    quarantine,
    shipments,
    tombstones,
)
from custody.errors import PurgeUnsound
from custody.orders.records import ContractId
from custody.retention.clock import Rule
from custody.retention.due import due_and_not_held, withheld
from custody.retention.records import Evidence

Judge = Callable[[bytes], Certificate | None]


def account(connection: Connection, contract_id: ContractId, judge: Judge, now: datetime) -> WholeContract:
    """Give the account of a contract as of ``now``; the caller's transaction is one snapshot.

    ``judge`` gives the certificate of a file that verifies. Raises PurgeUnsound when one does not,
    or when its orders are not those on record.
    """
    placed = _by_month(connection, contract_id)
    proved = list(_certified(connection, contract_id, judge))
    kept = tuple(Withheld(*msgspec.structs.astuple(each)) for each in withheld(connection, contract_id, now))
    still = tuple(_still_held(connection, contract_id, now))
    here = placed.held.total()
    return WholeContract(
        orders=placed.erased.total() + placed.uncertified.total() + here,
        erased=placed.erased.total(),
        uncertified=placed.uncertified.total(),
        held=here,
        kept_due=here - sum(each.orders for each in still),
        quarantined=_count(connection, quarantine, contract_id),
        periods=tuple(placed.periods()),
        field_classes=tuple(_field_classes(connection, contract_id, [each for each, _ in proved])),
        batches=tuple(_batch(each, digest) for each, digest in proved),
        still_held=still,
        withheld=kept,
    )


class _Readable(msgspec.Struct, frozen=True):
    digest: str


class _Placed(NamedTuple):
    """Orders by the month, UTC, in which they were placed; ``erased`` are those under a certificate."""

    held: Counter[str]
    erased: Counter[str]
    uncertified: Counter[str]

    def periods(self) -> Iterator[Period]:
        """Give the account of each month; its orders are those of all three kinds."""
        for month in sorted({month for each in self for month in each}):
            counts = [each[month] for each in self]
            yield Period(month, sum(counts), self.erased[month], self.held[month])


def _by_month(connection: Connection, contract_id: ContractId) -> _Placed:
    """Count the orders that are held, erased, and erased without a certificate."""
    placed = _Placed(Counter(), Counter(), Counter())
    month = func.to_char(func.timezone("UTC", orders.c.created_at), "YYYY-MM")
    here = select(month, func.count()).where(orders.c.contract_id == contract_id).group_by(month)
    placed.held.update(dict(connection.execute(here).tuples().all()))
    month = func.to_char(tombstones.c.created_on, "YYYY-MM")
    gone = (
        select(month, func.count(), func.count(certificates.c.certificate_id))
        .outerjoin_from(tombstones, certificates, certificates.c.certificate_id == tombstones.c.purge_id)
        .where(tombstones.c.contract_id == contract_id)
    )
    for name, number, certified in connection.execute(gone.group_by(month)):
        placed.erased[name] += certified
        placed.uncertified[name] += number - certified
    return placed


def _certified(
    connection: Connection, contract_id: ContractId, judge: Judge
) -> Iterator[tuple[Certificate, str]]:
    """Verify a contract's certificates, each with its digest, and count their orders again."""
    buried = select(tombstones.c.purge_id, func.count()).where(tombstones.c.contract_id == contract_id)
    counts: dict[str, int] = dict(connection.execute(buried.group_by(tombstones.c.purge_id)).tuples().all())
    query = select(certificates.c.certificate_id, certificates.c.document).where(
        certificates.c.contract_id == contract_id
    )
    for row in connection.execute(query.order_by(certificates.c.issued_at, certificates.c.certificate_id)):
        found, digest = verified(judge, row.certificate_id, row.document)
        if found.what.orders != counts.get(row.certificate_id, 0):
            raise PurgeUnsound(
                f"Certificate {row.certificate_id} speaks of {found.what.orders} orders, and "
                f"{counts.get(row.certificate_id, 0)} are on record as erased by it; nothing is confirmed "
                "before that is looked into."
            )
        yield found, digest


def verified(judge: Judge, certificate_id: str, document: str) -> tuple[Certificate, str]:
    """Give a certificate of the records once it is verified, and its digest; raises PurgeUnsound."""
    found = judge(document.encode())
    if found is None or found.certificate_id != certificate_id:
        raise PurgeUnsound(
            f"Certificate {certificate_id} on record does not verify; nothing is confirmed before that is "
            "looked into."
        )
    return found, msgspec.json.decode(document, type=_Readable).digest


def _batch(certificate: Certificate, digest: str) -> Batch:
    return Batch(
        certificate.certificate_id,
        digest,
        certificate.what.orders,
        certificate.why,
        certificate.when.erased,
        certificate.how.keys_destroyed,
        certificate.when.key_destroyed,
    )


def _field_classes(
    connection: Connection, contract_id: ContractId, proved: list[Certificate]
) -> Iterator[FieldClass]:
    """Count sealed records by kind: those held, and with them those that were erased, certified or not."""
    recipients = select(func.count()).where(orders.c.contract_id == contract_id, orders.c.sealed.is_not(None))
    held = {
        "recipient name and address": connection.execute(recipients).scalar_one(),
        "packing slip": _count(connection, artifacts, contract_id),
        "tracking number": _count(connection, shipments, contract_id),
    }
    erased = [(each.what.sealed_records, each.what.artifacts, each.what.shipments) for each in proved]
    erased += _uncertified(connection, contract_id)
    for place, (name, here) in enumerate(held.items()):
        yield FieldClass(name, here + sum(each[place] for each in erased), here)


def _uncertified(connection: Connection, contract_id: ContractId) -> Iterator[tuple[int, int, int]]:
    """Give the recipients, slips and parcels that each purge without a certificate has erased."""
    query = (
        select(purges.c.evidence)
        .outerjoin(certificates, certificates.c.certificate_id == purges.c.purge_id)
        .where(purges.c.contract_id == contract_id, certificates.c.certificate_id.is_(None))
    )
    for written in connection.execute(query).scalars():
        erasure = msgspec.convert(written, Evidence).erasure
        if erasure is not None:
            counted = erasure.deleted
            yield erasure.recipients.records, counted[artifacts.name], counted[shipments.name]


def _still_held(connection: Connection, contract_id: ContractId, now: datetime) -> Iterator[StillHeld]:
    """Group the orders that no hold keeps by the rule that will take them."""
    query = (
        select(
            orders.c.purge_rule,
            func.count(),
            func.min(orders.c.purge_due_at),
            func.max(orders.c.purge_due_at),
        )
        .where(
            orders.c.contract_id == contract_id,
            or_(orders.c.purge_due_at > now, due_and_not_held(contract_id, now)),
        )
        .group_by(orders.c.purge_rule)
        .order_by(orders.c.purge_rule)
    )
    for rule, number, first, last in connection.execute(query):
        yield StillHeld(rule, SOURCES[Rule(rule)], number, first.astimezone(UTC), last.astimezone(UTC))


def _count(connection: Connection, table: Table, contract_id: ContractId) -> int:
    query = select(func.count()).select_from(table).where(table.c.contract_id == contract_id)
    return connection.execute(query).scalar_one()
