"""Records asked for without a granted purpose stay closed, and that somebody asked is on record."""

import pytest

from custody.bootstrap import House
from custody.contracts import audit
from custody.contracts.contract import TaskName
from custody.database.incident_tables import incidents
from custody.database.tables import contracts, disclosures
from custody.errors import PurposeNotGranted

from ..builders import Hands, add_contract, keep, make_order, order_id, rows

PICKING = frozenset({TaskName.PICK_LIST})
ACTOR = "airflow, fulfill_orders/packing_slips/run-{}"


@pytest.fixture
def picking(house: House) -> House:
    """Give a house whose one contract granted slips when its order was sealed, and does not any more."""
    keep(house, add_contract(house), make_order(1))
    with house.engine.begin() as connection:
        connection.execute(contracts.update().values(tasks=sorted(PICKING)))
    return house


def ask(house: House, actor: str = ACTOR.format(1)) -> None:
    contract, ref = house.contracts()[0], house.vault.ref(order_id(1))
    house.vault.open_recipients(contract, [ref], actor=actor, now=house.clock())


def test_a_refusal_is_an_audit_event_and_an_incident_and_opens_nothing(picking: House) -> None:
    with pytest.raises(PurposeNotGranted):
        ask(picking)
    with picking.engine.connect() as connection:
        newest = audit.events(connection)[0]
    assert (newest.action, newest.actor, newest.details) == (
        "disclosure.refuse",
        ACTOR.format(1),
        {"purpose": "packing_slip", "orders": 1},
    )
    (incident,) = rows(picking, incidents)
    assert (incident.kind, incident.contract_id) == ("purpose_refused", "acme-eu")
    assert "packing_slip" in incident.summary
    assert rows(picking, disclosures) == []


def test_a_refusal_stays_on_record_though_its_caller_s_transaction_fails(picking: House) -> None:
    def caller() -> None:
        with picking.engine.begin() as connection:
            connection.execute(contracts.update().values(name="never kept"))
            ask(picking)

    with pytest.raises(PurposeNotGranted):
        caller()
    assert rows(picking, contracts, "name") == ["Acme Goods"]
    assert len(rows(picking, incidents)) == 1


def test_one_task_s_refusals_of_a_day_are_one_incident_and_another_s_another(
    picking: House, clock: Hands
) -> None:
    for run in range(3):
        with pytest.raises(PurposeNotGranted):
            ask(picking, ACTOR.format(run))
    with pytest.raises(PurposeNotGranted):
        ask(picking, "command line, ada")
    assert len(rows(picking, incidents)) == 2
    clock.forward(days=1)
    with pytest.raises(PurposeNotGranted):
        ask(picking)
    assert len(rows(picking, incidents)) == 3


def test_a_granted_purpose_makes_no_incident(house: House) -> None:
    keep(house, add_contract(house), make_order(1))
    ask(house)
    assert rows(house, incidents) == []
    assert len(rows(house, disclosures)) == 1
