"""Planning a purge: the exact set that is due, by its digest, and what is withheld.

What is due under a hold on some of its fields is planned too: it is cut down to those, and withheld.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from os import urandom
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, literal, select, text

from custody.certificates import merkle
from custody.database import whole_tables
from custody.database.binary_read import chunks_of
from custody.database.copy import copy_rows, text_array
from custody.database.tables import (
    contracts,
    disclosures,
    order_keys,
    orders,
    purge_orders,
    purge_probes,
    purge_reductions,
    purges,
)
from custody.orders.records import ContractId, OrderId, OrderRef
from custody.retention.due import Reduction, due_and_not_held, reductions, withheld
from custody.retention.records import Ages, Evidence, PurgePlan, PurgeState
from custody.vault.vault import RECIPIENT_FIELDS

CHUNK = 20_000  # due orders read at a time
LEGAL_HOLD = "legal_hold"  # the purpose of opening what a hold keeps, to part it from what goes


class Due(msgspec.Struct, frozen=True, gc=False):
    """An order that is to be erased whole; there are 100,000, which the garbage collector need not visit."""

    ref: OrderRef
    order_id: OrderId
    rule: str
    due_at: datetime
    pulled_at: datetime


def plan(connection: Connection, contract_id: ContractId, now: datetime) -> PurgePlan | None:
    """Write down what is due for erasure at ``now``; None when nothing is.

    The plan holds a salted commitment per order, made before anything is erased.
    """
    key_version: int = connection.execute(
        select(contracts.c.key_version).where(contracts.c.contract_id == contract_id).with_for_update()
    ).scalar_one()
    live = _live(connection, contract_id)
    whole_tables.expect(connection, live)
    chunks = chunks_of(connection, _due_rows(contract_id, now), CHUNK)
    rows = [Due(*each) for chunk in chunks for each in chunk]
    cut = reductions(connection, contract_id, now)
    if not rows and not cut:
        return None
    salt, purge_id = urandom(32), f"purge-{now:%Y%m%dT%H%M%S}-{urandom(6).hex()}"
    commitments = _write_orders(connection, purge_id, contract_id, salt, rows)
    if len(rows) >= whole_tables.MANY:
        connection.execute(text("ANALYZE custody.purge_orders"))
    probes = _write_probes(connection, purge_id, contract_id, cut)
    due = [(row.due_at, row.rule, row.pulled_at) for row in rows]
    due += [(each.due_at, each.rule, each.pulled_at) for each in cut]
    made = PurgePlan(
        purge_id=purge_id,
        contract_id=contract_id,
        digest=digest_of(
            [*(row.ref for row in rows), *(f"{each.ref}={','.join(each.kept)}" for each in cut)]
        ),
        orders=len(rows),
        key_version=key_version,
        probes=probes,
        merkle_root=merkle.root(commitments).hex(),
        rules=dict(Counter(rule for _, rule, _ in due)),
        live=live,
        ages=Ages.of(sorted(now - pulled_at for _, _, pulled_at in due)),
        first_due=min(due_at for due_at, _, _ in due),
        last_due=max(due_at for due_at, _, _ in due),
        planned_at=now,
        withheld=tuple(withheld(connection, contract_id, now)),
        reduced=len(cut),
    )
    connection.execute(
        insert(purges).values(
            purge_id=purge_id,
            contract_id=contract_id,
            state=PurgeState.PLANNED,
            salt=salt,
            evidence=msgspec.to_builtins(Evidence(made)),
            started_at=now,
        )
    )
    if cut:
        _write_reductions(connection, purge_id, contract_id, cut, now)
    return made


def _live(connection: Connection, contract_id: ContractId) -> int:
    query = select(func.count()).select_from(orders).where(orders.c.contract_id == contract_id)
    return connection.execute(query).scalar_one()


def digest_of(refs: Sequence[str]) -> str:
    """Give the digest of a set of orders, given in the order of their refs.

    Those to be erased come first, then ``ref=field,field`` for those to be cut down.
    """
    return f"sha256:{sha256('|'.join(refs).encode()).hexdigest()}"


def _due_rows(contract_id: ContractId, now: datetime) -> Any:
    return (
        select(
            orders.c.order_ref,
            orders.c.order_id,
            orders.c.purge_rule,
            orders.c.purge_due_at,
            orders.c.pulled_at,
        )
        .where(due_and_not_held(contract_id, now))
        .order_by(orders.c.order_ref.collate("C"))
    )


def _write_orders(
    connection: Connection, purge_id: str, contract_id: ContractId, salt: bytes, rows: Sequence[Due]
) -> list[bytes]:
    """Write the planned orders and give their commitments, each made while the server stores the last."""
    commitments = []

    def committed() -> Iterator[tuple[Any, ...]]:
        for position, row in enumerate(rows):
            each = merkle.commitment(salt, contract_id, row.ref, row.order_id)
            commitments.append(each)
            yield purge_id, position, row.ref, row.rule, row.due_at, each

    copy_rows(connection, purge_orders, committed())
    return commitments


def _write_probes(
    connection: Connection, purge_id: str, contract_id: ContractId, cut: Sequence[Reduction]
) -> int:
    """Keep copies of the keys that will go, and count them; those of whole orders stay on the server."""
    whole = select(literal(purge_id), order_keys.c.order_ref, order_keys.c.wrapped).where(
        order_keys.c.contract_id == contract_id,
        order_keys.c.order_ref == purge_orders.c.order_ref,
        purge_orders.c.purge_id == purge_id,
    )
    columns = [column.name for column in purge_probes.columns]
    in_order = whole.order_by(order_keys.c.order_ref)  # an index grows faster at its end
    statement = insert(purge_probes).from_select(columns, in_order).execution_options(preserve_rowcount=True)
    kept = connection.execute(statement).rowcount
    of_cut = [(purge_id, each.ref, each.wrapped) for each in cut if each.wrapped is not None]
    copy_rows(connection, purge_probes, of_cut)
    return kept + len(of_cut)


def _write_reductions(
    connection: Connection, purge_id: str, contract_id: ContractId, cut: Sequence[Reduction], now: datetime
) -> None:
    """Write what is to be cut down, and that it will be opened for it: before the first byte is."""
    planned = ((purge_id, each.ref, each.rule, each.due_at, text_array(each.kept), False) for each in cut)
    copy_rows(connection, purge_reductions, planned)
    opened = [
        {
            "at": now,
            "contract_id": contract_id,
            "order_ref": each.ref,
            "purpose": LEGAL_HOLD,
            "actor": purge_id,
            "fields": sorted({*RECIPIENT_FIELDS, *each.kept}),
        }
        for each in cut
        if each.wrapped is not None and each.kept
    ]
    if opened:
        connection.execute(insert(disclosures), opened)
