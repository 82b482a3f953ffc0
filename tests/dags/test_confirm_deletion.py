"""The form of ``confirm_deletion``: a contract, a reason, and orders by nothing but their refs."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from custody.contracts.confirmation import LONGEST_REASON, MOST_LISTED

from ..builders import order_id


@pytest.fixture
def form(dags: dict[str, Any]) -> dict[str, Any]:
    """The schemas of the form's fields, by name."""
    found: dict[str, Any] = dags["confirm_deletion"]["form"]
    assert found.keys() == {"contract_id", "reason", "order_refs"}
    return found


def takes(schema: dict[str, Any], value: object) -> bool:
    return bool(Draft202012Validator(schema).is_valid(value))


def test_orders_are_named_by_refs_and_never_by_their_ids(form: dict[str, Any]) -> None:
    refs = form["order_refs"]
    assert takes(refs, ["0123456789abcdef" * 2])
    assert takes(refs, [])
    assert takes(refs, None)
    assert not takes(refs, [order_id(1)])
    assert not takes(refs, ["0123456789ABCDEF" * 2])


@pytest.mark.parametrize(
    ("field", "value", "taken"),
    [
        ("contract_id", "acme-eu", True),
        ("contract_id", "", False),
        ("contract_id", "Acme Goods", False),
        ("reason", "the seller asked on Monday", True),
        ("reason", "", False),
        ("reason", "x" * 501, False),
    ],
)
def test_a_field_takes_what_the_library_would(
    form: dict[str, Any], field: str, value: str, taken: bool
) -> None:
    assert takes(form[field], value) is taken


def test_the_form_promises_no_more_than_the_library_takes(form: dict[str, Any]) -> None:
    assert form["order_refs"]["maxItems"] <= MOST_LISTED
    assert form["reason"]["maxLength"] <= LONGEST_REASON


def test_confirming_is_one_task_that_wakes_nothing_and_may_be_repeated(dags: dict[str, Any]) -> None:
    (task,) = dags["confirm_deletion"]["tasks"].values()
    assert task["outlets"] == []
    assert task["retries"] > 0
    assert dags["confirm_deletion"]["schedule_assets"] == []
