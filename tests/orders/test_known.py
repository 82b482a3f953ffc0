"""Looking a page's orders up."""

import pytest
from sqlalchemy import text

from custody.bootstrap import House
from custody.orders import known

from ..builders import add_contract, keep, make_order, order_id


def test_a_new_installation_does_not_get_slower_with_every_page_it_takes_in(new_house: House) -> None:
    contract = add_contract(new_house)
    keep(new_house, contract, *(make_order(number) for number in range(300)))  # and no statistics of them yet
    query = str(known._FOUND.compile(dialect=new_house.engine.dialect))
    asked = {"contract_id": contract.contract_id, "refs": new_house.vault.ref(order_id(7))}
    with new_house.engine.connect() as connection:
        connection.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        lines = connection.exec_driver_sql(f"EXPLAIN {query}", asked).scalars().all()
    assert sum("Index" in line and " Scan using " in line for line in lines) == 4
    assert [line for line in lines if "Hash" in line or "Seq Scan" in line or "Join Filter" in line] == []


@pytest.mark.parametrize("asked", [0, 1, 3])
def test_only_what_is_known_is_found(house: House, asked: int) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    refs = [house.vault.ref(order_id(number)) for number in range(asked)]
    with house.engine.connect() as connection:
        found = known.known_of(connection, contract.contract_id, refs)
    assert set(found) == {house.vault.ref(order_id(1))} & set(refs)
