"""What Amazon gives with a seller's token, found out by harmless calls and by what is on record.

Rules:
- no personal data is asked for without being told so: what is on record is looked at, and an order that
  does not exist is asked for, which opens nothing;
- a 403 says that something is missing; that a call is taken does not say that a field will be there;
- with leave, one order is asked for with all personal data sets: whether a set is there is looked at, and
  nothing of it is decoded, kept or shown. The call is on record as one for personal data.
"""

from datetime import datetime

import msgspec
from sqlalchemy import Engine, func, select

from custody.amazon.client import AmazonClient
from custody.amazon.interface import DataSet
from custody.contracts import audit
from custody.contracts.contract import Contract, TaskName
from custody.credentials.scope import Role, Scope, Standing, judged
from custody.database.tables import orders, task_states
from custody.errors import AccessDenied, BadInput, CustodyError, Refused
from custody.fulfillment.work import AMAZON, NO_ADDRESS, READY, TaskState
from custody.orders.ingest import seller_of
from custody.orders.records import OrderId

NOWHERE = OrderId("000-0000000-0000000")  # of Amazon's form, and nobody's order
PERSONAL = (DataSet.RECIPIENT, DataSet.BUYER, DataSet.TAX)
Found = tuple[Standing, str]
_ABSENT = msgspec.Raw()


class _Address(msgspec.Struct):
    """The fields by which the role for shipping shows; a place alone comes with any role (facts §1.6)."""

    name: msgspec.Raw = _ABSENT
    line_1: msgspec.Raw = msgspec.field(default=_ABSENT, name="addressLine1")


class _Recipient(msgspec.Struct):
    address: _Address = msgspec.field(default_factory=_Address, name="deliveryAddress")


class _Buyer(msgspec.Struct):
    email: msgspec.Raw = msgspec.field(default=_ABSENT, name="buyerEmail")


class _Tax(msgspec.Struct):
    registrations: msgspec.Raw = msgspec.field(default=_ABSENT, name="taxRegistrations")


class _Order(msgspec.Struct):
    recipient: _Recipient | None = None
    buyer: _Buyer | None = None
    tax: _Tax | None = None


class _Answer(msgspec.Struct):
    order: _Order


class Prober:
    """Finds out what a contract's token opens."""

    def __init__(self, engine: Engine, client: AmazonClient) -> None:
        self._engine = engine
        self._client = client

    def probe(self, contract: Contract, *, actor: str, now: datetime, personal: bool = False) -> Scope:
        """Give a contract's scope, and put what is missing or in excess on record.

        With ``personal``, one order is asked for with its personal data; raises BadInput where there is none.
        """
        found = {
            Role.INVENTORY: self._asked(contract, (DataSet.FULFILLMENT,)),
            Role.SHIPPING: self._recipients(contract),
            Role.TAX: (Standing.UNKNOWN, "not asked for; Seller Central shows it"),
        }
        if personal:
            found |= self._personal(contract)
        scope = judged(contract, found)
        details: dict[str, audit.Detail] = {
            "missing": [each.role for each in scope.missing],
            "excess": [each.role for each in scope.excess],
        }
        with self._engine.begin() as connection:
            subject = contract.contract_id
            audit.record(connection, actor, "credential.scope", subject, subject, details, now)
        return scope

    def _asked(self, contract: Contract, data_sets: tuple[DataSet, ...]) -> Found:
        """Ask for an order that is not there: 403 comes before 404."""
        try:
            self._client.get_order(seller_of(contract), NOWHERE, data_sets)
        except AccessDenied as denied:
            return Standing.MISSING, f"Amazon answers {denied.status}"
        except Refused as refused:
            return Standing.GRANTED, f"Amazon takes the call (and answers {refused.status}: no such order)"
        except CustodyError as error:
            return Standing.UNKNOWN, str(error)
        return Standing.UNKNOWN, "Amazon gave an order that is not there"

    def _recipients(self, contract: Contract) -> Found:
        came, absent = self._on_record(contract)
        if came:
            return Standing.GRANTED, f"recipients of {came} orders came with it"
        if absent:
            return Standing.MISSING, f"{absent} orders wait for an address that Amazon does not give"
        if not contract.needs_recipients:
            return Standing.UNKNOWN, "not asked for; --personal asks for one order, or see Seller Central"
        standing, how = self._asked(contract, (DataSet.RECIPIENT,))
        return (
            (standing, how) if standing is Standing.MISSING else (Standing.UNKNOWN, "no order needed it yet")
        )

    def _on_record(self, contract: Contract) -> tuple[int, int]:
        """Count the orders whose recipient came, and those that wait for one."""
        mine = orders.c.contract_id == contract.contract_id
        sealed = select(func.count()).where(mine, orders.c.sealed.is_not(None))
        waits = select(func.count()).where(
            task_states.c.contract_id == contract.contract_id,
            task_states.c.task == TaskName.PACKING_SLIP,
            task_states.c.state == TaskState.WAITING,
            task_states.c.reason == NO_ADDRESS,
        )
        with self._engine.connect() as connection:
            return connection.execute(sealed).scalar_one(), connection.execute(waits).scalar_one()

    def _personal(self, contract: Contract) -> dict[Role, Found]:
        mine = orders.c.contract_id == contract.contract_id
        ready = (mine, orders.c.status.in_(READY), orders.c.fulfilled_by != AMAZON)
        query = select(orders.c.order_id).where(*ready).order_by(orders.c.created_at.desc()).limit(1)
        with self._engine.connect() as connection:
            order_id = connection.execute(query).scalar()
        if order_id is None:
            raise BadInput(
                f"Contract {contract.contract_id} has no order of a kind that personal data comes with; "
                "leave --personal out, or ask again when there is one."
            )
        page = self._client.get_order(seller_of(contract), OrderId(order_id), PERSONAL)
        shown = _shown(page.body)
        how = "seen in the answer for one order"
        return {
            role: (Standing.GRANTED if there else Standing.MISSING, how)
            for role, there in ((Role.SHIPPING, shown[0]), (Role.TAX, shown[1]))
        }


def _shown(body: bytes) -> tuple[bool, bool]:
    """Tell whether an answer has a name or address, and tax data; no value of them is decoded."""
    try:
        order = msgspec.json.decode(body, type=_Answer).order
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BadInput("Amazon's answer for that order cannot be read; ask again later.") from None
    address = order.recipient.address if order.recipient is not None else _Address()
    email = order.buyer.email if order.buyer is not None else _ABSENT
    registrations = order.tax.registrations if order.tax is not None else _ABSENT
    return any(map(_there, (address.name, address.line_1, email))), _there(registrations)


def _there(field: msgspec.Raw) -> bool:
    return bytes(field) not in {b"", b"null", b'""', b"[]"}
