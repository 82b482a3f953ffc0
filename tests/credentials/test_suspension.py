"""A seller's token under suspicion: out of use at once, back by a new authorization or a person's word."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from custody.credentials import suspension
from custody.credentials.rotation_record import State
from custody.database.tables import contracts, order_keys
from custody.errors import KeyUnavailable
from custody.orders.records import ContractId
from custody.vault.secret_store import refresh_token_of, suspended_token_of

from ..aws import Aws, Killed
from ..builders import Hands, keep, make_order, rows, unsealed
from .rotations import Rotating, rotating

NAME, ASIDE = refresh_token_of("seller-0"), suspended_token_of("seller-0")


@pytest.fixture
def here(tmp_path: Path, database: Any, clock: Hands, aws: Aws) -> Iterator[Rotating]:
    with rotating(tmp_path / "home", database.app_url, clock, aws, sellers=2) as made:
        yield made


def suspect(here: Rotating) -> tuple[str, ...]:
    return here.house.rotate_now("seller-0", "incident-1", actor="incident-1")


def test_a_token_under_suspicion_is_used_by_nobody_and_no_other_seller_is_touched(here: Rotating) -> None:
    token = here.secret(NAME)
    assert here.house.pull(["seller-0", "seller-1"])[0].trouble is None
    suspect(here)
    with pytest.raises(KeyUnavailable, match="seller-0"):
        here.house.secrets.read(NAME)
    first, second = here.house.pull(["seller-0", "seller-1"])
    assert first.trouble is not None
    assert second.trouble is None
    assert here.secret(ASIDE) == token


def test_its_contract_key_is_changed_and_every_order_still_opens(here: Rotating) -> None:
    contract = here.house.contracts()[0]
    keep(here.house, contract, make_order(1), make_order(2))
    suspect(here)
    assert here.house.key_ring.versions(ContractId("seller-0")) == (2,)
    assert here.house.key_ring.versions(ContractId("seller-1")) == (1,)
    assert rows(here.house, contracts, "key_version") == [2, 1]
    assert set(rows(here.house, order_keys, "key_version")) == {2}
    with here.house.engine.connect() as connection:
        assert len(unsealed(connection, here.house, contract)) == 2


def test_repeated_it_is_the_same_suspension(here: Rotating) -> None:
    assert suspect(here) == suspect(here)
    assert here.house.key_ring.versions(ContractId("seller-0")) == (2,)


@pytest.mark.parametrize("act", ["write", "destroy"])
def test_killed_in_the_middle_it_is_completed_and_the_token_is_never_lost(
    here: Rotating, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    token = here.secret(NAME)

    def killed(*arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(here.house.secrets, act, killed)
        with pytest.raises(Killed):
            suspect(here)
    suspect(here)
    assert not here.house.secrets.exists(NAME)
    assert here.secret(ASIDE) == token


def test_a_new_authorization_ends_it(here: Rotating) -> None:
    suspect(here)
    here.run()
    assert here.rotation().state is State.REQUESTED
    here.house.secrets.write(NAME, b"Atzr|renewed")
    here.run()
    assert here.rotation().state is State.OLD_EXPIRED
    assert not here.house.secrets.exists(ASIDE)
    assert here.secret(NAME) == "Atzr|renewed"
    suspect(here)  # a second suspicion is another one
    assert len(here.rotations()) == 2
    assert not here.house.secrets.exists(NAME)


def test_a_false_alarm_is_lifted_by_a_person_who_is_on_record(here: Rotating) -> None:
    token = here.secret(NAME)
    suspect(here)
    assert here.house.lift_suspension("seller-0", actor="airflow, ada")
    assert not here.house.lift_suspension("seller-0", actor="airflow, ada")
    assert here.secret(NAME) == token
    assert not here.house.secrets.exists(ASIDE)
    assert (here.rotation().state, here.rotation().trouble) == (State.FAILED, "lifted by airflow, ada")
    assert here.house.pull(["seller-0"])[0].trouble is None


def test_what_cannot_be_read_is_not_lifted_and_not_destroyed(
    here: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = here.secret(NAME)
    suspect(here)
    root = here.house.root_key._file  # type: ignore[attr-defined]  # of a root key in a file
    root.rename(root.with_name("elsewhere"))
    with pytest.raises(KeyUnavailable):
        here.house.lift_suspension("seller-0", actor="airflow, ada")
    root.with_name("elsewhere").rename(root)
    assert here.secret(ASIDE) == token
    assert here.house.lift_suspension("seller-0", actor="airflow, ada")
    assert here.secret(NAME) == token


def test_a_token_that_was_authorized_anew_comes_under_a_suspicion_of_its_own(here: Rotating) -> None:
    first = suspect(here)
    here.house.secrets.write(NAME, b"Atzr|renewed")
    assert suspect(here) != first  # no run of rotate_credentials lies between them
    assert not here.house.secrets.exists(NAME)
    assert here.secret(ASIDE) == "Atzr|renewed"
    assert [each.state for each in here.rotations()].count(State.OLD_EXPIRED) == 1


def test_a_suspicion_of_a_contract_that_has_ended_does_not_stay_open(here: Rotating) -> None:
    here.house.secrets.destroy(NAME)
    here.house.key_ring.end(ContractId("seller-0"))
    with here.house.engine.begin() as connection:
        connection.execute(contracts.update().values(state="terminated"))
    with pytest.raises(KeyUnavailable):
        suspect(here)  # there is no key to change
    assert here.rotation().state is State.REQUESTED
    assert suspension.settle(here.rotator.tools.suspensions) == 1
    assert here.rotation().state is State.FAILED


def test_of_a_contract_that_has_ended_nothing_stays_aside(here: Rotating) -> None:
    suspect(here)
    with here.house.engine.begin() as connection:
        connection.execute(contracts.update().values(state="terminated"))
    assert suspension.settle(here.rotator.tools.suspensions) == 1
    assert not here.house.secrets.exists(ASIDE)
    assert here.rotation().state is State.FAILED
