"""The forms of ``manage_contract`` and ``manage_hold``: they offer what the library takes, and no secret."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from custody.contracts.contract import TaskName
from custody.retention.holds import HOLDABLE, LONGEST_TEXT

from ..builders import UK, order_id


def takes(schema: dict[str, Any], value: object) -> bool:
    return bool(Draft202012Validator(schema).is_valid(value))


@pytest.mark.parametrize(
    ("dag_id", "field", "value", "taken"),
    [
        ("manage_contract", "contract_id", "acme-eu", True),
        ("manage_contract", "contract_id", "Acme EU", False),
        ("manage_contract", "seller_id", "A1ACME", True),
        ("manage_contract", "seller_id", "A1 ACME", False),
        ("manage_contract", "region", "eu", True),
        ("manage_contract", "region", "moon", False),
        ("manage_contract", "marketplace_ids", [UK], True),
        ("manage_contract", "marketplace_ids", ["amazon.co.uk"], False),
        ("manage_contract", "tasks", ["packing_slip", "pick_list"], True),
        ("manage_contract", "tasks", ["juggling"], False),
        ("manage_hold", "order_ref", "0123456789abcdef" * 2, True),
        ("manage_hold", "order_ref", order_id(1), False),
        ("manage_hold", "fields", ["recipient.name", "shipment"], True),
        ("manage_hold", "fields", ["buyer.phone"], False),
        ("manage_hold", "hold_id", "hold-0123456789abcdef", True),
        ("manage_hold", "hold_id", "acme-eu", False),
        ("manage_hold", "action", "shelve", False),
    ],
)
def test_a_field_takes_what_the_library_would(
    dags: dict[str, Any], dag_id: str, field: str, value: object, taken: bool
) -> None:
    assert takes(dags[dag_id]["form"][field], value) is taken


@pytest.mark.parametrize("dag_id", ["manage_contract", "manage_hold"])
def test_all_but_the_action_may_be_left_empty(dags: dict[str, Any], dag_id: str) -> None:
    form = dags[dag_id]["form"]
    assert {name for name, schema in form.items() if not takes(schema, None)} == {"action"}


def test_the_forms_offer_exactly_what_can_be_granted_and_held(dags: dict[str, Any]) -> None:
    assert set(dags["manage_contract"]["form"]["tasks"]["items"]["enum"]) == set(TaskName)
    assert set(dags["manage_hold"]["form"]["fields"]["items"]["enum"]) == {"recipient", *HOLDABLE}
    assert dags["manage_hold"]["form"]["basis"]["maxLength"] == LONGEST_TEXT


def test_no_form_asks_for_a_secret_or_an_address(dags: dict[str, Any]) -> None:
    fields = {*dags["manage_contract"]["form"], *dags["manage_hold"]["form"]}
    assert len(fields) > 10
    assert [
        each for each in fields if any(word in each for word in ("token", "secret", "mail", "contact"))
    ] == []


def test_the_release_of_a_hold_wakes_the_purge(dags: dict[str, Any]) -> None:
    tasks = dags["manage_hold"]["tasks"]
    assert {name: (task["upstream"], task["outlets"]) for name, task in tasks.items()} == {
        "manage": ([], []),
        "announce": (["manage"], ["completed_orders"]),
    }
