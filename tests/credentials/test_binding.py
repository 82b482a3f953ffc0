"""A seller's token serves that seller alone: what others try is refused before Amazon hears of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from amazon_simulator.testing import Running
from custody.amazon.client import AmazonClient
from custody.amazon.interface import DataSet, Region
from custody.bootstrap import House
from custody.credentials.binding import Binding
from custody.database.credential_tables import credentials
from custody.database.incident_tables import incidents
from custody.errors import CredentialRefused, CredentialTaken, KeyUnavailable
from custody.orders.ingest import seller_of
from custody.orders.records import ContractId
from custody.vault.secret_store import refresh_token_of

from ..builders import Hands, add_sellers, house_at, rows, stand_in

FIRST, SECOND = refresh_token_of("seller-0"), refresh_token_of("seller-1")


@pytest.fixture
def amazon() -> Iterator[Running]:
    with stand_in(sellers=2) as made:
        yield made


@pytest.fixture
def sellers(database: object, tmp_path: Path, clock: Hands, amazon: Running) -> Iterator[House]:
    """Give a house of two sellers whose client holds tokens against the records, as in production."""
    with house_at(tmp_path / "home", database.app_url, clock, amazon) as house:  # type: ignore[attr-defined]
        add_sellers(house, amazon)
        binding = Binding(house.engine, house.secrets)
        house.client = AmazonClient(
            house.settings,
            house.engine,
            binding.read,
            bound=binding.require,
            sleep=lambda seconds: None,
        )
        yield house


def asked(amazon: Running) -> int:
    return sum(amazon.world.requests.values())


def search(house: House, seller: object) -> None:
    house.client.search_orders(seller, after=house.clock(), data_sets=[DataSet.FULFILLMENT])  # type: ignore[arg-type]


def test_the_client_of_an_installation_is_bound(sellers: House) -> None:
    del sellers.client
    assert isinstance(sellers.client._tokens._bound.__self__, Binding)  # type: ignore[attr-defined]


def test_a_seller_is_served_with_its_own_token(sellers: House, amazon: Running) -> None:
    search(sellers, seller_of(sellers.contracts()[0]))
    assert amazon.world.requests["searchOrders", 200] == 1
    assert rows(sellers, incidents) == []


def test_one_seller_s_token_is_not_used_for_another_seller(sellers: House, amazon: Running) -> None:
    first, second = (seller_of(each) for each in sellers.contracts())
    for forged in (
        replace(first, seller_id=second.seller_id),
        replace(second, contract_id=first.contract_id),
        replace(first, marketplace_ids=("A1VC38T7YXB528",)),
        replace(first, region=next(each for each in Region if each is not first.region)),
    ):
        with pytest.raises(CredentialRefused, match=r"refresh-token/seller-0 is not given"):
            search(sellers, forged)
    assert asked(amazon) == 0
    assert {(each.kind, each.contract_id) for each in rows(sellers, incidents)} == {
        ("credential_misuse", "seller-0")
    }


def test_a_token_that_is_in_memory_is_not_lent_either(sellers: House, amazon: Running) -> None:
    first, second = (seller_of(each) for each in sellers.contracts())
    search(sellers, first)
    before = asked(amazon)
    with pytest.raises(CredentialRefused):
        search(sellers, replace(first, seller_id=second.seller_id))
    assert asked(amazon) == before


def test_a_contract_that_is_not_there_has_no_token(sellers: House) -> None:
    stranger = replace(seller_of(sellers.contracts()[0]), contract_id=ContractId("nobody"))
    with pytest.raises(CredentialRefused, match="no such contract"):
        search(sellers, stranger)


def test_a_token_copied_from_one_name_to_another_is_refused_at_the_store(sellers: House) -> None:
    with pytest.raises(CredentialTaken, match="seller-0"):
        sellers.secrets.write(SECOND, sellers.secrets.read(FIRST))


def test_a_token_copied_past_the_registry_is_never_sent(sellers: House, amazon: Running) -> None:
    store = sellers.secrets._store
    store.write(SECOND, store.read(FIRST))
    with pytest.raises(CredentialRefused, match="another's"):
        search(sellers, seller_of(sellers.contracts()[1]))
    assert asked(amazon) == 0
    assert [each.contract_id for each in rows(sellers, incidents)] == ["seller-1"]


def test_nor_is_one_that_was_right_for_its_own_seller_a_moment_ago(sellers: House, amazon: Running) -> None:
    first, second = (seller_of(each) for each in sellers.contracts())
    search(sellers, first)
    store, before = sellers.secrets._store, asked(amazon)
    store.write(SECOND, store.read(FIRST))
    with pytest.raises(CredentialRefused, match="another's"):
        search(sellers, second)
    assert asked(amazon) == before


def test_a_token_s_file_copied_under_another_name_does_not_open(sellers: House) -> None:
    directory = sellers.settings.home / "keys" / "secrets" / "refresh-token"
    (directory / "seller-1").write_bytes((directory / "seller-0").read_bytes())
    with pytest.raises(KeyUnavailable):
        search(sellers, seller_of(sellers.contracts()[1]))


def test_a_token_that_nobody_entered_is_entered_at_its_first_use(sellers: House) -> None:
    with sellers.engine.begin() as connection:
        connection.execute(credentials.delete().where(credentials.c.name == FIRST))
    search(sellers, seller_of(sellers.contracts()[0]))
    assert FIRST in rows(sellers, credentials, "name")
