"""What a contract's tasks need of Amazon, and nothing beyond it (policy CM-4): roles, data sets, operations.

Sources: facts §1.6 and §1.7. Any of twelve roles opens the operations; ours for facts is the narrowest of
those that confirm shipments, too. A role that is missing shows as a field that is silently absent, or as 403.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from custody.amazon.interface import DataSet, Operation
from custody.contracts.contract import Contract, TaskName


class Role(StrEnum):
    """A role of SP-API, as Seller Central and the developer's console call it."""

    INVENTORY = "Inventory and Order Tracking"
    SHIPPING = "Direct-to-Consumer Shipping (Restricted)"
    TAX = "Tax Invoicing or Tax Remittance (Restricted)"


class Standing(StrEnum):
    """Whether Amazon gives something."""

    GRANTED = "granted"
    MISSING = "missing"
    UNKNOWN = "cannot be told"


class Need(msgspec.Struct, frozen=True):
    """What a task asks of Amazon."""

    roles: frozenset[Role]
    data_sets: frozenset[DataSet]
    operations: frozenset[Operation]


_FACTS = Need(
    frozenset({Role.INVENTORY}),
    frozenset({DataSet.FULFILLMENT, DataSet.PACKAGES}),
    frozenset({Operation.SEARCH_ORDERS, Operation.GET_ORDER}),
)
NEEDED_BY: dict[TaskName, Need] = {
    TaskName.PICK_LIST: _FACTS,
    TaskName.PACKING_SLIP: Need(
        _FACTS.roles | {Role.SHIPPING}, _FACTS.data_sets | {DataSet.RECIPIENT}, _FACTS.operations
    ),
    TaskName.CONFIRM_SHIPMENT: Need(
        _FACTS.roles, _FACTS.data_sets, _FACTS.operations | {Operation.CONFIRM_SHIPMENT}
    ),
}
GIVES: dict[Role, frozenset[DataSet]] = {
    Role.INVENTORY: _FACTS.data_sets,
    Role.SHIPPING: frozenset({DataSet.RECIPIENT, DataSet.BUYER}),
    Role.TAX: frozenset({DataSet.TAX}),
}
"""The data sets by which a role is seen."""


class Line(msgspec.Struct, frozen=True):
    """One role: whether it is needed, whether it is there, and how that is known."""

    role: Role
    needed: bool
    standing: Standing
    how: str

    @property
    def is_missing(self) -> bool:
        """True when tasks of the contract will fail."""
        return self.needed and self.standing is Standing.MISSING

    @property
    def is_excess(self) -> bool:
        """True when the token opens more than the contract's tasks need."""
        return not self.needed and self.standing is Standing.GRANTED


class Scope(msgspec.Struct, frozen=True):
    """What a contract needs, and what it has."""

    contract_id: str
    data_sets: tuple[str, ...]
    operations: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def missing(self) -> tuple[Line, ...]:
        """The roles without which tasks fail."""
        return tuple(each for each in self.lines if each.is_missing)

    @property
    def excess(self) -> tuple[Line, ...]:
        """The roles that no task needs."""
        return tuple(each for each in self.lines if each.is_excess)


def needed(tasks: Iterable[TaskName]) -> Need:
    """Add up what tasks need; without any, orders are pulled all the same."""
    needs = [_FACTS, *(NEEDED_BY[each] for each in tasks)]
    return Need(
        frozenset().union(*(each.roles for each in needs)),
        frozenset().union(*(each.data_sets for each in needs)),
        frozenset().union(*(each.operations for each in needs)),
    )


def judged(contract: Contract, found: dict[Role, tuple[Standing, str]]) -> Scope:
    """Hold what was found against what the contract needs."""
    need = needed(contract.tasks)
    return Scope(
        contract.contract_id,
        tuple(sorted(need.data_sets)),
        tuple(sorted(each.title for each in need.operations)),
        tuple(Line(role, role in need.roles, *found[role]) for role in Role),
    )
