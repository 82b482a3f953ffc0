"""Each rule finds its planted case among four weeks of ordinary traffic, and nothing else is found."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from .conftest import NOW, START, Weeks
from .month import CONFIRM, GET, LWA, SEARCH, TOKEN, Call

RUN = "airflow, ingest_orders/pull/scheduled__2026-11-18T15:00:00+00:00"
BY_HAND = "airflow, ingest_orders/pull/manual__2026-11-17T00:00:00+00:00"
FULFILL = "airflow, fulfill_orders/confirm_shipment/scheduled__2026-11-18T14:52:00+00:00"
AT = NOW - timedelta(hours=5, minutes=28)  # 15:01 on the last day
ONE = Call(AT, "middle-eu", SEARCH, actor=RUN)


def many(number: int, **changes: Any) -> list[Call]:
    """Give calls a second apart."""
    base = replace(ONE, **changes)
    return [replace(base, at=base.at + timedelta(seconds=each)) for each in range(number)]


def test_a_month_of_ordinary_traffic_is_not_odd(weeks: Weeks) -> None:
    assert weeks.look() == {}
    with weeks.house.engine.connect() as connection:
        seen = connection.exec_driver_sql("SELECT calls, found FROM custody.call_looks").one()
    assert seen.calls > 500
    assert seen.found == 0


PLAIN: dict[str, dict[str, Any]] = {
    "unknown_actor": {"actor": "airflow, exfiltrate/go/manual__1"},
    "off_schedule": {"actor": "airflow, ingest_orders/pull/scheduled__2026-11-18T14:53:00+00:00"},
    "not_its_work": {"actor": "airflow, keep_records/keep/scheduled__2026-11-18T02:41:00+00:00"},
    "unknown_host": {"host": "files.example"},
    "new_host": {"service": "mail", "operation": "SMTP send", "host": "mx.elsewhere.example"},
    "unknown_operation": {"operation": "GET /reports/2021-06-30/documents"},
    "weak_tls": {"tls": "TLSv1.1"},
    "tls_fell": {"tls": "TLSv1.2"},
    "strange_peer": {"peer": "10.1.2.3"},
    "new_machine": {"machine": "laptop-of-somebody"},
    "no_contract": {"contract_id": "never-registered"},
    "wrong_region": {"host": "sellingpartnerapi-na.amazon.com"},
    "pii_by_person": {"actor": "command line, mallory", "pii": True, "operation": GET},
}


@pytest.mark.parametrize("rule", PLAIN)
def test_one_call_that_is_not_allowed_is_found_with_its_row(weeks: Weeks, rule: str) -> None:
    found = weeks.plant(replace(ONE, **PLAIN[rule]))
    assert set(found) == {rule}
    finding = found[rule]
    with weeks.house.engine.connect() as connection:
        planted = connection.exec_driver_sql(
            "SELECT call_id::text FROM custody.outbound_calls WHERE request_id = 'planted'"
        ).scalar_one()
        incident = connection.exec_driver_sql("SELECT kind, details FROM custody.incidents").one()
    assert planted in finding.evidence
    assert incident.kind == "anomaly"
    assert incident.details["rows"] == list(finding.evidence)
    assert incident.details["rule"] == rule


def test_calls_in_the_clear_are_found_but_not_those_on_loopback(weeks: Weeks) -> None:
    assert set(weeks.plant(replace(ONE, tls=None))) == {"weak_tls"}


def test_an_egress_address_that_is_not_declared_is_found(weeks: Weeks) -> None:
    settings = replace(weeks.house.settings, egress_addresses=("10.0.0.0/24",))
    weeks.house.settings, kept = settings, weeks.house.settings
    try:
        assert weeks.look() == {}
        assert set(weeks.plant(replace(ONE, origin="10.9.9.9"))) == {"strange_egress"}
    finally:
        weeks.house.settings = kept


def test_what_a_contract_does_not_grant_is_found(weeks: Weeks) -> None:
    weeks.run("UPDATE custody.contracts SET tasks = '{pick_list}' WHERE contract_id = 'small-eu'")
    try:
        found = weeks.look()
        assert set(found) == {"not_contracted"}
        assert found["not_contracted"].contract_id == "small-eu"
    finally:
        weeks.run("UPDATE custody.contracts SET tasks = '{pick_list,packing_slip,confirm_shipment}'")


def test_calls_for_an_ended_contract_are_found(weeks: Weeks) -> None:
    ended = (
        "UPDATE custody.contracts SET state = 'terminated', ended_at = %(at)s WHERE contract_id = 'small-eu'"
    )
    weeks.run(ended, at=AT)
    found = weeks.look()
    assert set(found) == {"no_contract"}
    assert found["no_contract"].subject == "ended"


def test_calls_that_an_incident_forbids_are_found(weeks: Weeks) -> None:
    weeks.run(
        "INSERT INTO custody.containments (incident_id, action, contract_id, state, proposed_at, due_at,"
        " taken_at) VALUES ('incident-1', 'freeze_ingest', 'small-eu', 'taken', %(at)s, %(at)s, %(at)s)",
        at=AT,
    )
    assert set(weeks.look()) == {"contained"}


COUNTED: dict[str, tuple[int, dict[str, Any]]] = {
    "denied_burst": (30, {"status": 403}),
    "enumeration": (60, {"operation": GET, "status": 404}),
    "refused_burst": (60, {"operation": CONFIRM, "status": 400, "actor": FULFILL}),
    "pii_volume": (400, {"operation": GET, "pii": True}),
    "volume": (700, {"service": "lwa", "operation": TOKEN, "host": LWA}),
    "bytes_in": (3, {"bytes_in": 30_000_000}),
    "bytes_out": (3, {"bytes_out": 2_000_000}),
    "throttled": (40, {"status": 429}),
    "repeated": (60, {"repeats": 3}),
    "failing": (90, {"status": None, "error": "ConnectError", "contract_id": "small-eu"}),
    "slow": (300, {"operation": GET, "duration_ms": 40_000.0}),
}  # fmt: skip


@pytest.mark.parametrize("rule", COUNTED)
def test_a_burst_is_found_and_points_to_its_rows(weeks: Weeks, rule: str) -> None:
    number, changes = COUNTED[rule]
    found = weeks.plant(*many(number, **changes))
    assert rule in found
    assert len(found) <= 2
    with weeks.house.engine.connect() as connection:
        planted = set(
            connection.exec_driver_sql(
                "SELECT call_id::text FROM custody.outbound_calls WHERE request_id = 'planted'"
            ).scalars()
        )
    evidence = set(found[rule].evidence)
    assert evidence
    assert len(evidence & planted) >= min(number, len(evidence)) / 2


def test_denied_calls_spread_over_contracts_are_found(weeks: Weeks) -> None:
    calls = [call for each in range(9) for call in many(9, status=401, contract_id=f"spread-{each}")]
    assert "denied_everywhere" in weeks.plant(*calls)


def test_the_volume_of_a_whole_day_is_found_though_no_hour_stands_out(weeks: Weeks) -> None:
    calls = [
        replace(ONE, at=START + timedelta(days=29, minutes=each), operation=GET, pii=True, actor=BY_HAND)
        for each in range(0, 1440, 2)
    ]  # fmt: skip
    found = weeks.plant(*calls)
    assert "pii_day" in found or "pii_volume" in found


def test_bulk_at_night_is_found_though_it_is_ordinary_by_day(weeks: Weeks) -> None:
    night = NOW.replace(hour=2, minute=3)
    run = RUN.replace("15:00", "02:00")
    assert "pii_volume" in weeks.plant(*many(120, at=night, actor=run, operation=GET, pii=True))


def test_an_anomaly_of_several_measures_is_told_once(weeks: Weeks) -> None:
    found = weeks.plant(*many(800, operation=GET, pii=True, bytes_in=100_000))
    assert set(found) == {"pii_volume"}


def test_as_many_calls_as_orders_explain_are_not_odd(weeks: Weeks) -> None:
    weeks.run(
        "INSERT INTO custody.tombstones (order_ref, contract_id, purge_id, marketplace_id, status,"
        " created_on, pulled_on, purged_on, rule, was_sealed, tasks_done)"
        " SELECT 'ref' || n, 'middle-eu', 'p', 'm', 's', %(day)s, %(day)s, %(day)s, 'r', true, 0"
        " FROM generate_series(1, 900) n",
        day=NOW.date(),
    )
    try:
        assert weeks.plant(*many(400, operation=GET, pii=True)) == {}
    finally:
        weeks.run("DELETE FROM custody.tombstones")


def test_a_contract_whose_calls_stop_is_found(weeks: Weeks) -> None:
    hidden = "UPDATE custody.outbound_calls SET at = at - interval '900 days' WHERE contract_id = 'small-eu' AND at > %(at)s"  # noqa: E501
    weeks.run(hidden, at=NOW - timedelta(hours=8))
    try:
        found = weeks.look()
        assert set(found) == {"silence"}
        assert found["silence"].contract_id == "small-eu"
    finally:
        weeks.run("UPDATE custody.outbound_calls SET at = at + interval '900 days' WHERE at < '2025-01-01'")


def test_a_day_with_a_fraction_of_the_usual_calls_is_found(weeks: Weeks) -> None:
    day = START + timedelta(days=29)
    hidden = "UPDATE custody.outbound_calls SET at = at - interval '900 days' WHERE contract_id = 'small-eu' AND at >= %(a)s AND at < %(b)s AND extract(minute FROM at) > 1"  # noqa: E501
    weeks.run(hidden, a=day, b=day + timedelta(days=1))
    try:
        assert set(weeks.look()) == {"drop"}
    finally:
        weeks.run("UPDATE custody.outbound_calls SET at = at + interval '900 days' WHERE at < '2025-01-01'")


def test_a_slow_growth_over_weeks_is_found(weeks: Weeks) -> None:
    calls = [
        replace(
            ONE,
            at=START + timedelta(days=day, hours=hour, minutes=21, seconds=each % 60),
            contract_id="small-eu",
            operation=GET,
            actor=RUN.replace("2026-11-18", f"{START + timedelta(days=day):%Y-%m-%d}").replace(
                "T15", f"T{hour:02}"
            ),
        )
        for day in range(1, 31)
        for hour in range(20)
        for each in range(2 * day)
    ]
    assert "drift" in weeks.plant(*calls)
