"""An installation with its keys in AWS: killed between any two calls, a change of a key loses nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from custody.bootstrap import House
from custody.database.tables import certificates, contracts, order_keys, tombstones
from custody.errors import KeysDenied, TryLater
from custody.orders.records import ContractId
from custody.retention.rekey import rekey

from ..aws import Aws, Killed, refusal
from ..builders import (
    ANN,
    Hands,
    add_contract,
    complete,
    house_at,
    keep,
    make_order,
    rows,
    unscanned,
    unsealed,
)

ACME = ContractId("acme-eu")
SPARE = 900  # the number of an order that is never due


@pytest.fixture
def house(database: Any, tmp_path: Path, clock: Hands, aws: Aws) -> Iterator[House]:
    prefix = aws.prefix()
    places = {
        "root_key": f"awskms:{aws.key()}",
        "key_ring": f"awssecrets:{prefix}",
        "secret_store": f"awssecrets:{prefix}",
    }
    with house_at(tmp_path / "home", database.app_url, clock, aws=aws.clients, **places) as made:
        yield made


def killed_at(aws: Aws, number: int) -> None:
    """Let the process die before its call to AWS of a number."""
    left = [number]

    def before(name: str, arguments: dict[str, Any]) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    aws.before = before


def opened(house: House) -> int:
    contract = house.contracts()[0]
    with house.engine.connect() as connection:
        found = unsealed(connection, house, contract)
    assert set(found.values()) == {ANN}
    return len(found)


def test_nothing_of_a_key_is_on_the_disk(house: House) -> None:
    add_contract(house)
    assert not (house.settings.home / "keys").exists()


def test_a_purge_killed_before_any_of_its_calls_to_aws_is_completed_and_what_stays_still_opens(
    house: House, aws: Aws
) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(SPARE))
    number, killed = 0, True
    while killed:
        number += 1
        keep(house, contract, make_order(number))
        complete(house, contract, number)
        killed_at(aws, number)
        try:
            unscanned(house).purge(contract)
            killed = False
        except Killed:
            pass
        aws.fresh()
        assert opened(house) >= 1
        unscanned(house).purge(contract)
        assert opened(house) == 1
        assert len(rows(house, tombstones)) == number
        assert house.key_ring.versions(ACME) == (rows(house, contracts, "key_version")[0],)
    assert number > 8
    assert len(rows(house, certificates)) == number
    assert sum(rows(house, certificates, "orders")) == number


def test_a_change_of_the_contract_key_killed_before_any_of_its_calls_loses_nothing(
    house: House, aws: Aws
) -> None:
    contract = add_contract(house)
    keep(house, contract, *(make_order(each) for each in range(1, 4)))
    number, killed = 0, True
    while killed:
        number += 1
        killed_at(aws, number)
        try:
            rekey(house.engine, house.key_ring, ACME)
            killed = False
        except Killed:
            pass
        aws.fresh()
        assert opened(house) == 3
        assert rekey(house.engine, house.key_ring, ACME) == 3
        assert opened(house) == 3
        (version,) = house.key_ring.versions(ACME)
        assert set(rows(house, order_keys, "key_version")) == {version}
    assert number > 5


@pytest.mark.parametrize(
    ("code", "kind"), [("ThrottlingException", TryLater), ("AccessDeniedException", KeysDenied)]
)
def test_a_purge_that_aws_holds_up_erases_nothing_and_goes_on_later(
    house: House, aws: Aws, code: str, kind: type[Exception]
) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1), make_order(SPARE))
    complete(house, contract, 1)

    def before(name: str, arguments: dict[str, Any]) -> None:
        raise refusal(code)

    aws.before = before
    with pytest.raises(kind):
        unscanned(house).purge(contract)
    assert rows(house, tombstones) == []
    aws.fresh()
    unscanned(house).purge(contract)
    assert len(rows(house, tombstones)) == opened(house) == 1


def test_every_call_to_aws_is_on_record_without_what_was_asked(house: House) -> None:
    add_contract(house)
    written = "".join(
        file.read_text() for file in (house.settings.home / "records").rglob("*") if file.is_file()
    )
    assert "secretsmanager create_secret" in written
    assert "kms generate_data_key" in written
    assert "contract-key" not in written
