"""A contract: a seller in one region, and the tasks that it grants."""

from datetime import datetime
from enum import StrEnum

import msgspec

from custody.orders.records import ContractId, Purpose


class TaskName(StrEnum):
    """The contracted tasks that Custody knows."""

    PICK_LIST = "pick_list"  # SKUs and quantities across orders; opens nothing
    PACKING_SLIP = "packing_slip"  # a sealed PDF per order; opens the recipient
    CONFIRM_SHIPMENT = "confirm_shipment"  # tells Amazon what was sent; opens the tracking number


class ContractState(StrEnum):
    """Where a contract stands."""

    ACTIVE = "active"  # orders are pulled and worked on
    TERMINATING = "terminating"  # nothing new is pulled; everything is to be purged
    TERMINATED = "terminated"  # nothing is left


MOVES: dict[ContractState, frozenset[ContractState]] = {
    ContractState.ACTIVE: frozenset({ContractState.TERMINATING}),
    # Back to active: a termination that the second person rejects, such as one of the wrong contract.
    ContractState.TERMINATING: frozenset({ContractState.TERMINATED, ContractState.ACTIVE}),
    ContractState.TERMINATED: frozenset(),
}
"""Where a contract may go from where it stands; nothing comes back from the end."""

GRANTED_BY: dict[TaskName, frozenset[Purpose]] = {
    TaskName.PICK_LIST: frozenset(),
    TaskName.PACKING_SLIP: frozenset({Purpose.PACKING_SLIP}),
    TaskName.CONFIRM_SHIPMENT: frozenset({Purpose.CONFIRM_SHIPMENT}),
}
"""Which purposes a task carries with it (policy PR-1); nothing else opens a record."""


class Contract(msgspec.Struct, frozen=True):
    """One seller in one region; ``tasks`` says all that may be done with its orders.

    ``contacts`` are the seller's e-mail addresses for notices; they stay out of logs and of ``repr``.
    """

    contract_id: ContractId
    seller_id: str
    name: str
    region: str
    marketplace_ids: frozenset[str]
    tasks: frozenset[TaskName]
    state: ContractState
    started_at: datetime
    ended_at: datetime | None = None
    contacts: tuple[str, ...] = ()
    lost_data_due: datetime | None = None  # from then, while the seller's authorization is lost

    def __repr__(self) -> str:
        return f"Contract({self.contract_id})"

    @property
    def purposes(self) -> frozenset[Purpose]:
        """The purposes for which this contract's records may be opened."""
        return frozenset(purpose for task in self.tasks for purpose in GRANTED_BY[task])

    @property
    def has_grant(self) -> bool:
        """False while Amazon no longer takes the seller's grant: nothing is pulled or worked on."""
        return self.lost_data_due is None

    @property
    def needs_recipients(self) -> bool:
        """True when a granted task uses the recipient; else it is neither asked for nor parsed."""
        return Purpose.PACKING_SLIP in self.purposes
