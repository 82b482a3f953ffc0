"""Packing slips: one sealed PDF an order, printed from the recipient opened for that purpose."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, func, select
from sqlalchemy.dialects.postgresql import insert

from custody.contracts.contract import Contract, TaskName
from custody.database.tables import artifacts, order_keys, orders, task_states
from custody.errors import BadInput
from custody.fulfillment.interface import Worked
from custody.fulfillment.ledger import record
from custody.fulfillment.ready import ready
from custody.fulfillment.slip import render_slip
from custody.fulfillment.work import NO_ADDRESS, TaskState
from custody.orders.life import facts_of
from custody.orders.records import OrderRef, Recipient
from custody.settings import Settings
from custody.vault.vault import SLIP, Vault


class PackingSlip:
    """Prints the slips of orders whose recipient is sealed; the rest wait, with their reason."""

    name = TaskName.PACKING_SLIP

    def __init__(self, engine: Engine, vault: Vault, settings: Settings) -> None:
        self._engine = engine
        self._vault = vault
        self._settings = settings

    def work(self, contract: Contract, *, actor: str, now: datetime) -> Worked:
        """Print what can be printed; a slip that would be blank or unreadable is not made."""
        worked = Worked()
        while True:
            with self._engine.connect() as connection:
                rows = ready(connection, contract, self.name, now)
            if not rows:
                return worked + Worked(waiting=self._without_address(contract))
            refs = [OrderRef(row["order_ref"]) for row in rows]
            recipients = self._vault.open_recipients(contract, refs, actor=actor, now=now)
            slips, unprintable = _render(rows, recipients, contract.name)
            self._keep(contract, slips, now)
            self._leave(contract, unprintable, now)
            worked += Worked(done=len(slips), waiting=len(unprintable))
            if not slips and not unprintable:
                return worked

    def _keep(self, contract: Contract, slips: Mapping[OrderRef, bytes], now: datetime) -> None:
        with self._engine.begin() as connection:
            sealing = self._vault.sealing(connection, contract.contract_id)
            wrapped = _wrapped_keys(connection, contract, list(slips))
            rows, kept = [], []
            for ref, pdf in slips.items():
                if ref not in wrapped:
                    continue  # purged since it was opened
                kept.append(ref)
                key, _ = sealing.order_key(ref, wrapped[ref])
                rows.append(
                    {
                        "order_ref": ref,
                        "kind": SLIP,
                        "contract_id": contract.contract_id,
                        "sealed": sealing.seal_record(key, ref, SLIP, pdf),
                        "created_at": now,
                    }
                )
            if rows:
                again = insert(artifacts)
                newer = {"sealed": again.excluded.sealed, "created_at": again.excluded.created_at}
                connection.execute(
                    again.on_conflict_do_update(constraint=artifacts.primary_key, set_=newer), rows
                )
            grace = self._settings.completed_grace
            record(connection, contract, kept, self.name, TaskState.DONE, now, grace=grace)

    def _leave(self, contract: Contract, unprintable: Mapping[OrderRef, str], now: datetime) -> None:
        with self._engine.begin() as connection:
            for ref, reason in unprintable.items():
                record(connection, contract, [ref], self.name, TaskState.WAITING, now, reason=reason)

    def _without_address(self, contract: Contract) -> int:
        query = select(func.count()).where(
            task_states.c.contract_id == contract.contract_id,
            task_states.c.task == self.name,
            task_states.c.state == TaskState.WAITING,
            task_states.c.reason == NO_ADDRESS,
        )
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one()


def _render(
    rows: list[RowMapping], recipients: Mapping[OrderRef, Recipient], seller: str
) -> tuple[dict[OrderRef, bytes], dict[OrderRef, str]]:
    slips, unprintable = {}, {}
    for row in rows:
        ref = OrderRef(row["order_ref"])
        if ref not in recipients:
            continue
        try:
            slips[ref] = render_slip(recipients[ref], facts_of(row), seller)
        except BadInput as refusal:
            unprintable[ref] = str(refusal)
    return slips, unprintable


def _wrapped_keys(connection: Connection, contract: Contract, refs: list[OrderRef]) -> dict[OrderRef, bytes]:
    query = (
        select(order_keys.c.order_ref, order_keys.c.wrapped)
        .join(orders, orders.c.order_ref == order_keys.c.order_ref)
        .where(
            order_keys.c.contract_id == contract.contract_id,
            order_keys.c.order_ref.in_(refs),
            orders.c.reduced_fields.is_(None),
        )
    )
    return {OrderRef(row.order_ref): row.wrapped for row in connection.execute(query)}
