"""The account of a contract adds up, and counts as recipients only what was one."""

import io

import pytest

from custody.bootstrap import House
from custody.certificates.confirmation import WholeContract
from custody.certificates.signing import read_keys
from custody.certificates.verify import verify
from custody.contracts.account import account
from custody.contracts.contract import Contract
from custody.fulfillment.shipments import ShipmentTable
from custody.retention.holds import place, release

from ..builders import NOW, add_contract, complete, keep, make_order, order_id, unscanned


class Killed(BaseException):
    """The end of a process, as a test sees it."""


@pytest.fixture
def contract(house: House) -> Contract:
    """Give a contract with orders 1 to 4; 2 has a tracking number and no recipient, 1 has both."""
    made = add_contract(house)
    keep(house, made, make_order(1), make_order(2, None), make_order(3), make_order(4))
    table = ShipmentTable(house.engine, house.vault, b"k" * 32)
    lines = "".join(f"{order_id(each)},UPS,TRK-{each},2026-11-20\n" for each in (1, 2))
    assert table.take(io.StringIO(f"order_id,carrier_code,tracking_number,ship_date\n{lines}"), NOW).new == 2
    return made


def told(house: House, contract: Contract) -> WholeContract:
    keys = read_keys(house.issuer.public_keys())
    with house.engine.connect() as connection:
        return account(
            connection,
            contract.contract_id,
            lambda document: verify(document, keys).certificate,
            house.clock(),
        )


def counted(found: WholeContract) -> dict[str, tuple[int, int]]:
    return {each.name: (each.ever, each.held) for each in found.field_classes}


def purge_and_die_before_the_certificate(house: House, contract: Contract) -> None:
    def die(*_: object) -> None:
        raise Killed

    issue = house.issuer.issue
    house.issuer.issue = die  # type: ignore[method-assign]  # a kill between two steps
    with pytest.raises(Killed):
        unscanned(house).purge(contract)
    house.issuer.issue = issue  # type: ignore[method-assign]


def test_a_key_without_a_recipient_is_no_recipient(house: House, contract: Contract) -> None:
    expected = {"recipient name and address": 3, "packing slip": 0, "tracking number": 2}
    assert counted(told(house, contract)) == {name: (each, each) for name, each in expected.items()}
    complete(house, contract, 1, 2)
    unscanned(house).purge(contract)
    assert counted(told(house, contract)) == {
        "recipient name and address": (3, 2),
        "packing slip": (0, 0),
        "tracking number": (2, 0),
    }


def test_an_order_that_goes_in_two_parts_is_counted_once(house: House, contract: Contract) -> None:
    with house.engine.begin() as connection:
        ref = house.vault.ref(order_id(1))
        hold = place(
            connection, contract.contract_id, ref, ["recipient.name"], "Inquiry 7", "HMRC", None, "me", NOW
        )
    complete(house, contract, 1)
    unscanned(house).purge(contract)
    assert counted(told(house, contract))["recipient name and address"] == (3, 3)
    with house.engine.begin() as connection:
        release(connection, hold, "me", NOW)
    unscanned(house).purge(contract)
    assert counted(told(house, contract))["recipient name and address"] == (3, 2)


def test_what_is_erased_and_not_certified_is_in_every_total_and_called_erased_in_none(
    house: House, contract: Contract
) -> None:
    complete(house, contract, 3)
    unscanned(house).purge(contract)
    complete(house, contract, 1, 2)
    before = counted(told(house, contract))
    purge_and_die_before_the_certificate(house, contract)
    found = told(house, contract)
    assert (found.orders, found.erased, found.uncertified, found.held) == (4, 1, 2, 1)
    assert [(each.orders, each.erased, each.held) for each in found.periods] == [(4, 1, 1)]
    assert {name: ever for name, (ever, _) in counted(found).items()} == {
        name: ever for name, (ever, _) in before.items()
    }
    unscanned(house).purge(contract)
    found = told(house, contract)
    assert (found.erased, found.uncertified, found.periods[0].erased) == (3, 0, 3)
    assert counted(found) == {
        "recipient name and address": (3, 1),
        "packing slip": (0, 0),
        "tracking number": (2, 0),
    }
