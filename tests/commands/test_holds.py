"""``custody hold``: placed, listed, released, each said in a sentence that names no order id."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from custody.bootstrap import House
from custody.database.tables import legal_holds

from ..builders import Hands, add_contract, complete, keep, make_order, order_id, rows
from .conftest import Run

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)  # before any wall clock that a command may see
PLACE = ("hold", "place", "acme-eu", "--basis", "Tax inquiry 7", "--authority", "HMRC")


def placed(run: Run, *words: str) -> str:
    status, out, err = run(*PLACE, *words)
    assert (status, err) == (0, "")
    found = re.fullmatch(r"(hold-[0-9a-f]{16}) is placed\.\n", out)
    assert found
    return found[1]


def test_a_hold_is_placed_on_an_order_by_its_id_or_its_reference(run: Run, house: House) -> None:
    keep(house, add_contract(house), make_order(1))
    ref = house.vault.ref(order_id(1))
    placed(run, "--order", order_id(1), "--expires", "2101-01-31")
    placed(run, "--order", ref, "--field", "recipient.name", "--field", "shipment")
    found = {tuple(each.fields): (each.order_ref, each.expires_at) for each in rows(house, legal_holds)}
    assert found == {
        (): (ref, datetime(2101, 1, 31, tzinfo=UTC)),
        ("recipient.name", "shipment"): (ref, None),
    }


def test_a_release_says_when_the_data_goes_and_a_second_one_that_it_was_done(
    run: Run, house: House, clock: Hands
) -> None:
    clock.now = LONG_AGO
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    complete(house, contract, 1)
    hold_id = placed(run)
    clock.now = datetime.now(UTC) + timedelta(minutes=1)
    assert house.purger.purge(contract).withheld == 1
    status, out, _ = run("hold", "release", hold_id)
    assert status == 0
    assert "17 minutes past the hour" in out
    status, out, _ = run("hold", "release", hold_id)
    assert status == 0
    assert "already released" in out
    clock.forward(minutes=1)
    assert house.purger.purge(contract).orders == 1


def test_holds_are_listed_with_their_grounds_and_ended_ones_on_request(run: Run, house: House) -> None:
    add_contract(house)
    add_contract(house, "zenith-eu")
    ended, bound = placed(run), placed(run, "--field", "packing_slip")
    run("hold", "release", ended)
    out = run("hold", "list")[1]
    assert bound in out
    assert ended not in out
    assert "Tax inquiry 7" in out
    assert ended in run("hold", "list", "--all")[1]
    assert bound not in run("hold", "list", "--contract", "zenith-eu")[1]
    (found,) = json.loads(run("hold", "list", "--json")[1])
    assert (found["hold_id"], found["fields"]) == (bound, ["packing_slip"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("hold", "place", "nobody-eu", "--basis", "b", "--authority", "a"), "contract list"),
        (("hold", "place", "acme-eu", "--basis", " ", "--authority", "a"), "needs its basis"),
        ((*PLACE, "--order", order_id(9)), "not known"),
        ((*PLACE, "--expires", "soon"), "2027-01-31"),
        ((*PLACE, "--expires", "2001-01-01"), "later time"),
        ((*PLACE, "--field", "shoe_size"), "packing_slip"),
        (("hold", "release", "hold-x"), "hold list --all"),
        (("hold", "list", "--contract", "nobody-eu"), "contract list"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_names_no_order_id(
    run: Run, house: House, words: tuple[str, ...], said: str
) -> None:
    add_contract(house)
    status, out, err = run(*words)
    assert status == 1
    assert said in err
    assert re.fullmatch(r"custody: .+\.\n", err)
    assert order_id(9) not in out + err
    assert rows(house, legal_holds) == []


def test_a_hold_is_known_to_the_journal_from_the_moment_it_is_placed(run: Run, house: House) -> None:
    add_contract(house)
    hold_id = placed(run)
    noted = [each.row for each in house.journal.rows() if each.table == "legal_holds"]
    assert [(each["hold_id"], each["released_at"]) for each in noted] == [(hold_id, None)]
    run("hold", "release", hold_id)
    (noted_again,) = [each.row for each in house.journal.rows() if each.table == "legal_holds"]
    assert noted_again["released_at"] is not None
