"""Changes of a contract: its terms, and where it stands; each leaves an audit event in its transaction.

Rules:
- an active contract may change its terms, an ending one only its contacts, an ended one nothing;
- a purpose that is no longer granted opens nothing from the commit on;
- orders on which nothing is left to do under the new terms fall due with the change;
- a contract goes only where ``MOVES`` lets it go; to where it stands, it goes without effect.
"""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, select, update

from custody.contracts import audit, registry
from custody.contracts.contract import MOVES, Contract, ContractState
from custody.contracts.terms import addresses, granted, marketplaces_in, named
from custody.database.tables import contracts, orders
from custody.errors import BadInput
from custody.fulfillment.ledger import reckon
from custody.orders.records import OrderRef

CHUNK = 5_000  # orders reckoned at a time: some 10 MB


class Change(msgspec.Struct, frozen=True):
    """New terms as a person gives them; None leaves a term as it is."""

    name: str | None = None
    marketplace_ids: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None
    contacts: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return "Change(…)"


def change(
    connection: Connection,
    contract_id: str,
    wanted: Change,
    *,
    actor: str,
    now: datetime,
    grace: timedelta = timedelta(0),
) -> Contract:
    """Change a contract's terms and give it as it is then; what is the same already is no change.

    Raises BadInput for an unknown contract, for terms that are wrong, and for what its state forbids.
    """
    before = registry.get(connection, contract_id, lock=True)
    after = _changed(before, wanted)
    if after == before:
        return before
    _permitted(before, after)
    connection.execute(
        update(contracts)
        .where(contracts.c.contract_id == before.contract_id)
        .values(
            name=after.name,
            marketplace_ids=sorted(after.marketplace_ids),
            tasks=sorted(after.tasks),
            contacts=list(after.contacts),
        )
    )
    if after.tasks != before.tasks:
        reckon_all(connection, after, grace)
    subject = before.contract_id
    audit.record(connection, actor, "contract.set", subject, subject, _told(before, after), now)
    return after


def move(
    connection: Connection, contract_id: str, to: ContractState, *, actor: str, reason: str, now: datetime
) -> Contract:
    """Move a contract to a state and give it as it is then; raises BadInput for a move that is not allowed.

    Only the state is changed: when an ending contract's orders fall due is the termination's to say.
    """
    before = registry.get(connection, contract_id, lock=True)
    if before.state is to:
        return before
    if to not in MOVES[before.state]:
        raise BadInput(
            f"Contract {before.contract_id} is {before.state} and cannot become {to}; nothing was changed."
        )
    connection.execute(
        update(contracts).where(contracts.c.contract_id == before.contract_id).values(state=to)
    )
    details: dict[str, audit.Detail] = {"from": before.state, "to": to, "reason": reason}
    audit.record(connection, actor, "contract.move", before.contract_id, before.contract_id, details, now)
    return msgspec.structs.replace(before, state=to)


def reckon_all(connection: Connection, contract: Contract, grace: timedelta) -> None:
    """Work out anew when each live order of a contract falls due, under the contract as it is given.

    The caller holds the contract's row. What a legal hold has cut down is due, and stays so.
    """
    last = ""
    query = select(orders.c.order_ref).where(
        orders.c.contract_id == contract.contract_id, orders.c.reduced_fields.is_(None)
    )
    while True:
        chunk = query.where(orders.c.order_ref > last).order_by(orders.c.order_ref).limit(CHUNK)
        refs = [OrderRef(each) for each in connection.execute(chunk).scalars()]
        if not refs:
            return
        reckon(connection, contract, refs, grace)
        last = refs[-1]


def _changed(before: Contract, wanted: Change) -> Contract:
    after = before
    if wanted.name is not None:
        after = msgspec.structs.replace(after, name=named(wanted.name))
    if wanted.marketplace_ids is not None:
        found = marketplaces_in(before.region, wanted.marketplace_ids)
        after = msgspec.structs.replace(after, marketplace_ids=found)
    if wanted.tasks is not None:
        after = msgspec.structs.replace(after, tasks=granted(wanted.tasks))
    if wanted.contacts is not None:
        after = msgspec.structs.replace(after, contacts=addresses(wanted.contacts))
    return after


def _permitted(before: Contract, after: Contract) -> None:
    only_contacts = msgspec.structs.replace(before, contacts=after.contacts) == after
    if before.state is ContractState.ACTIVE or (before.state is ContractState.TERMINATING and only_contacts):
        return
    left = "its contacts" if before.state is ContractState.TERMINATING else "nothing"
    raise BadInput(f"Contract {before.contract_id} is {before.state}: {left} can be changed any more.")


def _told(before: Contract, after: Contract) -> dict[str, audit.Detail]:
    """Say what was and what is, of the terms that changed; of contacts only how many there are."""
    was, now_is = audit.terms_of(before), audit.terms_of(after)
    told: dict[str, audit.Detail] = {}
    for term in was:
        if was[term] != now_is[term] or (term == "contacts" and before.contacts != after.contacts):
            told |= {f"{term} before": was[term], term: now_is[term]}
    return told
