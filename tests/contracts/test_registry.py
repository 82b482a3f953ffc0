"""Contracts: registered once, with a key and a watermark; a sellers' file is read or refused by its line."""

import io
from datetime import timedelta

import msgspec
import pytest

from custody.bootstrap import House
from custody.contracts import registry
from custody.contracts.contract import GRANTED_BY, Contract, ContractState, TaskName
from custody.database.tables import contracts, ingest_cursors
from custody.errors import BadInput
from custody.orders.records import Purpose

from ..builders import DE, NOW, UK, US, add_contract, make_contract, rows

HEAD = "seller_id,name,region,marketplace_ids,tasks,refresh_token\n"
TOKEN = "Atzr|canary-refresh-token"


def read(*lines: str, head: str = HEAD) -> list[tuple[Contract, str]]:
    return registry.read_sellers(io.StringIO(head + "\n".join(lines)), NOW)


def test_a_sellers_file_gives_contracts_and_their_tokens() -> None:
    ((contract, token),) = read(f" A1ACME , Äcme Goods,EU,{UK}| {DE},pick_list|packing_slip, {TOKEN} ")
    assert token == TOKEN
    assert contract == make_contract(
        "a1acme-eu",
        name="Äcme Goods",
        marketplace_ids=frozenset({UK, DE}),
        tasks=frozenset({TaskName.PICK_LIST, TaskName.PACKING_SLIP}),
    )


def test_one_seller_in_two_regions_has_two_contracts() -> None:
    both = read(f"A1,Acme,eu,{UK},pick_list,{TOKEN}", f"A1,Acme,na,{US},pick_list,{TOKEN}")
    assert [contract.contract_id for contract, _ in both] == ["a1-eu", "a1-na"]


@pytest.mark.parametrize(
    "bad",
    [
        f"A1,Acme,eu,{UK},juggling,{TOKEN}",
        f"A1,Acme,moon,{UK},pick_list,{TOKEN}",
        f",Acme,eu,{UK},pick_list,{TOKEN}",
        f"A1,Acme,eu,{UK},pick_list,",
        f"A1,,eu,{UK},pick_list,{TOKEN}",
        f"../A1,Acme,eu,{UK},pick_list,{TOKEN}",
        f"A1,Acme,eu,{US},pick_list,{TOKEN}",
        f"A1,Acme,eu,,pick_list,{TOKEN}",
        f"A1,Acme,eu,{TOKEN},pick_list,{UK}",
        "A1",
        f"A1,Acme,eu,{UK},pick_list,{TOKEN},one too many",
        f"A0,Fine again,eu,{UK},pick_list,{TOKEN}",
    ],
)
def test_a_bad_line_is_named_by_number_and_its_token_is_not_shown(bad: str) -> None:
    with pytest.raises(BadInput, match="Line 3") as caught:
        read(f"A0,Fine,eu,{UK},pick_list,{TOKEN}", bad)
    assert TOKEN not in str(caught.value)


def test_missing_columns_are_named() -> None:
    with pytest.raises(BadInput, match="refresh_token"):
        read("A1,Acme", head="seller_id,name\n")


def test_a_contract_is_registered_once_with_its_key_and_its_watermark(house: House) -> None:
    contract = make_contract()
    for first_pull_from in (NOW - timedelta(days=30), NOW):
        with house.engine.begin() as connection:
            registry.add(connection, house.key_ring, contract, first_pull_from=first_pull_from)
    assert rows(house, contracts, "contract_id") == ["acme-eu"]
    assert rows(house, ingest_cursors, "watermark") == [NOW - timedelta(days=30)]
    assert house.key_ring.versions(contract.contract_id) == (1,)
    with house.engine.connect() as connection:
        assert registry.get(connection, "acme-eu") == contract


def test_an_unknown_contract_is_told_with_what_to_do(house: House) -> None:
    with house.engine.connect() as connection, pytest.raises(BadInput, match="contract list"):
        registry.get(connection, "nobody-eu")


def test_trouble_keeps_its_first_moment_until_it_is_over(house: House) -> None:
    add_contract(house)
    for minute, trouble in enumerate(["HTTP 403", "HTTP 403", None, "HTTP 403"]):
        with house.engine.begin() as connection:
            registry.note_trouble(connection, "acme-eu", trouble, NOW + timedelta(minutes=minute))
        since = {0: NOW, 1: NOW, 2: None, 3: NOW + timedelta(minutes=3)}[minute]
        assert rows(house, contracts, "trouble", "trouble_since") == [(trouble, since)]


def test_active_contracts_are_worked_on_and_ended_ones_only_purged(house: House) -> None:
    add_contract(house)
    add_contract(house, "ending-eu", state=ContractState.TERMINATING)
    add_contract(house, "gone-eu", state=ContractState.TERMINATED)
    assert [each.contract_id for each in house.contracts()] == ["acme-eu"]
    assert [each.contract_id for each in house.contracts(ended=True)] == ["acme-eu", "ending-eu"]


def test_a_purpose_comes_with_a_task_and_from_nowhere_else() -> None:
    assert set(GRANTED_BY) == set(TaskName)
    assert {purpose for granted in GRANTED_BY.values() for purpose in granted} == set(Purpose)
    bare = make_contract(tasks=frozenset({TaskName.PICK_LIST}))
    assert (bare.purposes, bare.needs_recipients) == (frozenset(), False)
    slips = msgspec.structs.replace(bare, tasks=frozenset({TaskName.PACKING_SLIP}))
    assert (slips.purposes, slips.needs_recipients) == ({Purpose.PACKING_SLIP}, True)
