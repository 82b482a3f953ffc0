"""Packing slips as a task: sealed at rest, opened on record, never blank."""

from sqlalchemy import delete

from custody.bootstrap import House
from custody.contracts.contract import TaskName
from custody.database.tables import artifacts, disclosures, orders, task_states
from custody.orders.records import Recipient

from ..builders import ANN, OLGA, Hands, add_contract, keep, make_order, order_id, rows
from .slips import pages, squeezed

UNPRINTABLE = Recipient(
    name="Ann \U00013080\U00013081", address_line_1="1 Street", city="X", country_code="GB"
)


def work(house: House) -> dict[str, object]:
    (outcome,) = house.work(TaskName.PACKING_SLIP, ["acme-eu"], actor="tester")
    assert outcome.trouble is None
    assert outcome.did is not None
    return outcome.did


def test_a_slip_is_printed_sealed_and_opens_as_a_pdf_with_the_name(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1), make_order(2, OLGA))
    assert work(house)["done"] == 2
    refs = [house.vault.ref(order_id(each)) for each in (1, 2)]
    sealed = rows(house, artifacts, "sealed")
    assert not [each for each in sealed if b"%PDF" in each or ANN.name.encode() in each]
    slips = house.vault.open_slips(contract, refs, actor="printer", now=house.clock())
    assert squeezed(ANN.name) in squeezed("".join(pages(slips[refs[0]])))
    assert squeezed(OLGA.name) in squeezed("".join(pages(slips[refs[1]])))


def test_every_opening_of_a_recipient_and_of_a_slip_is_on_record(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    work(house)
    ref = house.vault.ref(order_id(1))
    house.vault.open_slips(contract, [ref], actor="printer", now=house.clock())
    found = [(each.order_ref, each.purpose, each.actor) for each in rows(house, disclosures)]
    assert found == [(ref, "packing_slip", "tester"), (ref, "packing_slip", "printer")]


def test_a_slip_is_made_once(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    first, again = work(house), work(house)
    assert (first["done"], again["done"]) == (1, 0)
    assert len(rows(house, disclosures)) == 1


def test_a_slip_whose_record_was_lost_in_a_crash_is_made_again(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    work(house)
    with house.engine.begin() as connection:
        connection.execute(delete(task_states))
    assert work(house)["done"] == 1
    assert len(rows(house, artifacts)) == 1


def test_an_order_without_an_address_gets_no_slip(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, None), make_order(2))
    assert work(house)["done"] == 1
    assert rows(house, artifacts, "order_ref") == [house.vault.ref(order_id(2))]


def test_a_name_that_cannot_be_printed_waits_with_a_reason_that_tells_nothing(
    house: House, clock: Hands
) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, UNPRINTABLE), make_order(2))
    did = work(house)
    assert (did["done"], did["waiting"]) == (1, 1)
    (reason,) = (row.reason for row in rows(house, task_states) if row.state == "waiting")
    assert reason
    assert "Ann" not in reason
    assert "\U00013080" not in reason
    assert work(house)["done"] == 0
    assert len(rows(house, disclosures)) == 2
    clock.forward(days=1)
    work(house)  # it is tried again a day later
    assert len(rows(house, disclosures)) == 3


def test_only_orders_at_work_have_their_recipient_opened(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, status="SHIPPED"), make_order(2, fulfilled_by="AMAZON"))
    assert work(house)["done"] == 0
    assert rows(house, disclosures) == []
    assert len(rows(house, orders)) == 2
