"""The terms of a contract: accepted as the field knows them, refused with what is wrong."""

from typing import Any

import pytest

from custody.contracts.contract import TaskName
from custody.contracts.terms import addresses, contract_of, granted, marketplaces_in, named
from custody.errors import BadInput

from ..builders import DE, NOW, UK, US, make_contract

TERMS: dict[str, Any] = {
    "seller_id": " A1ACME ",
    "name": " Acme Goods ",
    "region": "EU",
    "marketplace_ids": [UK, f" {DE}"],
    "tasks": ["pick_list", "packing_slip"],
    "contacts": ["privacy@acme.example"],
}


def test_a_contract_is_made_of_what_a_person_typed() -> None:
    assert contract_of(**TERMS, now=NOW) == make_contract(
        "a1acme-eu",
        marketplace_ids=frozenset({UK, DE}),
        tasks=frozenset({TaskName.PICK_LIST, TaskName.PACKING_SLIP}),
        contacts=("privacy@acme.example",),
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"seller_id": ""}, "seller id"),
        ({"seller_id": "../x"}, "seller id"),
        ({"seller_id": "Ä1"}, "seller id"),
        ({"region": "moon"}, "na, eu, fe"),
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "Acme\nBcc: x"}, "name"),
        ({"marketplace_ids": []}, "at least one marketplace"),
        ({"marketplace_ids": [US]}, f"{US} is not in region eu"),
        ({"marketplace_ids": ["amazon.de"]}, "no marketplace id"),
        ({"tasks": []}, "at least one task"),
        ({"tasks": ["juggling"]}, "pick_list"),
        ({"contacts": ["no address"]}, "Contact 1"),
    ],
)
def test_wrong_terms_are_refused_with_what_is_wrong(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        contract_of(**(TERMS | wrong), now=NOW)


@pytest.mark.parametrize("address", ["a@b.example", "first.last+x@sub.acme.co.uk", "дело@пример.example"])
def test_an_address_is_taken_as_it_is(address: str) -> None:
    assert addresses([f" {address} ", address, ""]) == (address,)


@pytest.mark.parametrize(
    "address",
    [
        "canary",
        "@b.example",
        "a@b",
        "a b@c.example",
        "a@b.example\r\nBcc: z@z.example",
        "<a@b.example>",
        "a@b.example,c@d.example",
        "x" * 250 + "@b.example",
        "a@@b.example",
        "a@b.example\x00",
    ],
)
def test_what_is_no_address_is_refused_by_its_place_and_not_shown(address: str) -> None:
    with pytest.raises(BadInput, match="Contact 2") as caught:
        addresses(["fine@acme.example", address])
    assert address not in str(caught.value)


def test_each_term_gives_what_it_was_given() -> None:
    assert named("  Äcme & Söhne ") == "Äcme & Söhne"
    assert granted(["pick_list", " pick_list "]) == {TaskName.PICK_LIST}
    assert marketplaces_in("na", [US]) == {US}


def test_a_contract_shows_its_id_alone() -> None:
    contract = contract_of(**TERMS, now=NOW)
    assert repr(contract) == f"{contract}" == "Contract(a1acme-eu)"
