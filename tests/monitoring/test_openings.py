"""Records opened and credentials read by what has no work with them, among those that have."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert

from custody.database.credential_tables import credential_reads
from custody.database.tables import disclosures

from .conftest import NOW, Weeks

AT = NOW - timedelta(hours=3)
RUN = "airflow, fulfill_orders/packing_slip/manual__1"


def opened(weeks: Weeks, number: int = 1, *, ref: str = "ref", at: datetime = AT, **changes: Any) -> None:
    usual = {"contract_id": "small-eu", "purpose": "packing_slip", "actor": RUN, "fields": ["recipient.name"]}
    made = [
        usual | changes | {"at": at + timedelta(seconds=each), "order_ref": f"{ref}-{each}" if ref else "one"}
        for each in range(number)
    ]
    with weeks.house.engine.begin() as connection:
        connection.execute(insert(disclosures), made)


def read(
    weeks: Weeks, number: int = 1, *, at: datetime = AT, credential: str = "digest-key", **changes: Any
) -> None:
    usual = {
        "actor": RUN,
        "host": "worker-1",
        "component": "custody",
        "version": "v",
        "purpose": "",
        "contract_id": None,
        "result": "given",
    }
    made = [
        usual | changes | {"at": at + timedelta(seconds=each), "credential": credential.format(each)}
        for each in range(number)
    ]
    for row in made:
        row["read_id"] = uuid4()
    with weeks.house.engine.begin() as connection:
        connection.execute(insert(credential_reads), made)


def test_openings_by_a_task_that_also_read_its_key_are_ordinary(weeks: Weeks) -> None:
    read(weeks, at=NOW - timedelta(days=20))
    read(weeks)
    opened(weeks, 30)
    opened(weeks, 5, purpose="residue_scan", actor="purge_orders")
    opened(weeks, 3, ref="slip", actor="command line, ada")
    assert weeks.look() == {}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"actor": "a script"}, "opened_by_nobody"),
        ({"actor": "airflow, ingest_orders/pull/manual__1"}, "opened_by_nobody"),
        ({"actor": "command line, ada", "purpose": "confirm_shipment"}, "opened_by_nobody"),
        ({"actor": RUN + "-forged"}, "opened_without_run"),
    ],
)
def test_an_opening_without_a_task_is_found_with_its_row(
    weeks: Weeks, changes: dict[str, str], rule: str
) -> None:
    read(weeks, at=NOW - timedelta(days=20))
    read(weeks)
    opened(weeks, **changes)
    found = weeks.look()
    assert set(found) == {rule}
    assert found[rule].source == "disclosures"
    assert len(found[rule].evidence) == 1


def test_one_record_that_is_opened_again_and_again_is_found(weeks: Weeks) -> None:
    opened(weeks, 12, ref="")
    assert set(weeks.look()) == {"opened_again"}


def test_far_more_openings_than_usual_are_found(weeks: Weeks) -> None:
    for day in range(1, 29):
        opened(weeks, 8, ref=f"day-{day}", at=AT - timedelta(days=day))
    assert weeks.look() == {}
    opened(weeks, 300, ref="bulk")
    assert set(weeks.look(NOW + timedelta(minutes=1))) == {"opened_volume"}


@pytest.mark.parametrize(
    ("number", "changes", "rule"),
    [
        (1, {"actor": "airflow, theft/read/manual__1"}, "read_by_nobody"),
        (1, {"actor": "command line, mallory", "credential": "lwa/client-secret"}, "new_reader"),
        (9, {"actor": "command line, ada", "credential": "refresh-token/s{}"}, "token_sweep"),
        (
            30,
            {
                "actor": "airflow, ingest_orders/pull/x",
                "credential": "refresh-token/small-eu",
                "contract_id": "small-eu",
            },
            "read_without_call",
        ),
        (300, {"credential": "signing-key"}, "read_volume"),
    ],
)
def test_reads_off_pattern_are_found(weeks: Weeks, number: int, changes: dict[str, Any], rule: str) -> None:
    for day in range(1, 29):
        at = AT - timedelta(days=day)
        read(weeks, at=at)
        read(weeks, at=at, actor="command line, ada", credential="refresh-token/small-eu")
    assert weeks.look() == {}
    read(weeks, number, **changes)
    found = weeks.look(NOW + timedelta(minutes=1))
    assert set(found) == {rule}
    assert found[rule].source == "credential_reads"
    assert found[rule].evidence
