"""The purge of one contract from plan to certificate: whole, once, and never certified unsound."""

import errno
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, event, insert, select, update

from custody.bootstrap import House
from custody.certificates.certificate import Certificate
from custody.certificates.signing import read_keys
from custody.certificates.verify import verify
from custody.contracts.contract import Contract, TaskName
from custody.database.tables import (
    artifacts,
    certificates,
    contracts,
    legal_holds,
    metadata,
    order_keys,
    orders,
    purge_orders,
    purge_probes,
    purges,
    quarantine,
    shipments,
    task_states,
    tombstones,
)
from custody.errors import KeyUnavailable, PurgeUnsound, TryLater
from custody.orders.records import ContractId
from custody.retention import replay
from custody.retention.clock import Due, Hold, Rule, is_due
from custody.retention.count import count_due
from custody.retention.plan import digest_of
from custody.retention.purge import Outcome, Purger
from custody.retention.records import Evidence
from custody.vault.envelope import Wrapper
from custody.vault.key_ring import FileKeyRing

from ..builders import (
    ANN,
    NOW,
    OLGA,
    UK,
    Hands,
    add_contract,
    complete,
    keep,
    make_order,
    order_id,
    rows,
    unsealed,
)

ERASED_FROM = (orders, order_keys, artifacts, shipments, task_states)


class Killed(BaseException):
    """The end of a process, as a test sees it."""


class Ring(FileKeyRing):
    """A key ring in which a test may step in before a version is destroyed."""

    before_destroy: Any = staticmethod(lambda: None)

    def destroy(self, contract_id: ContractId, version: int) -> None:
        if self.before_destroy() is not False:
            super().destroy(contract_id, version)


@pytest.fixture
def ring(house: House) -> Ring:
    house.key_ring = Ring(house.settings.key_ring, house.root_key)
    return house.key_ring


@pytest.fixture
def contract(house: House, ring: Ring) -> Contract:
    """Give a contract with orders 1 to 3 complete, and so due, and 4 and 5 at work."""
    made = add_contract(house)
    keep(house, made, make_order(1), make_order(2, None), make_order(3), make_order(4), make_order(5, OLGA))
    complete(house, made, 1, 2, 3)
    return made


def place_hold(house: House, contract: Contract, number: int | None = None, **changes: Any) -> None:
    hold = {
        "hold_id": f"hold-{number}",
        "contract_id": contract.contract_id,
        "order_ref": None if number is None else house.vault.ref(order_id(number)),
        "basis": "HMRC inquiry 7",
        "authority": "HMRC",
        "placed_by": "compliance",
        "placed_at": house.clock() - timedelta(hours=1),
        "expires_at": house.clock() + timedelta(days=90),
    }
    with house.engine.begin() as connection:
        connection.execute(insert(legal_holds).values(hold | changes))


def published(house: House, certificate_id: str) -> Certificate:
    """Read a certificate's file as a stranger would, and verify it."""
    folder = house.settings.certificates
    verdict = verify(
        (folder / f"{certificate_id}.json").read_bytes(),
        read_keys((folder / "jwks.json").read_bytes()),
        log_key=(folder / "log.vkey").read_text(),
    )
    assert verdict.certificate is not None, verdict
    return verdict.certificate


def test_what_is_due_is_erased_everywhere_and_the_rest_stays(house: House, contract: Contract) -> None:
    gone = {house.vault.ref(order_id(each)) for each in (1, 2, 3)}
    purged = house.purger.purge(contract)
    assert (purged.outcome, purged.orders, purged.withheld) == (Outcome.PURGED, 3, 0)
    for table in ERASED_FROM:
        assert not gone & set(rows(house, table, "order_ref"))
    assert len(rows(house, orders)) == 2
    assert set(rows(house, tombstones, "order_ref")) == gone
    assert rows(house, purge_probes) == []


def test_survivors_open_under_the_next_key_version_and_the_old_one_is_gone(
    house: House, contract: Contract
) -> None:
    house.purger.purge(contract)
    assert rows(house, contracts, "key_version") == [2]
    assert house.key_ring.versions(contract.contract_id) == (2,)
    with house.engine.connect() as connection:
        assert unsealed(connection, house, contract) == {order_id(4): ANN, order_id(5): OLGA}


def test_a_copy_of_an_erased_order_opens_nothing_afterwards(house: House, contract: Contract) -> None:
    with house.engine.connect() as connection:
        copied = {
            table.name: connection.execute(select(table)).mappings().all() for table in (orders, order_keys)
        }
    house.purger.purge(contract)
    ref = house.vault.ref(order_id(1))
    backup = {name: next(row for row in found if row["order_ref"] == ref) for name, found in copied.items()}
    with house.engine.begin() as connection:
        connection.execute(insert(orders).values(backup["orders"]))
        connection.execute(insert(order_keys).values(backup["order_keys"]))
    with pytest.raises(KeyUnavailable):
        house.vault.open_recipients(contract, [ref], actor="restorer", now=house.clock())


def test_the_certificate_says_who_what_why_how_and_when(house: House, contract: Contract) -> None:
    place_hold(house, contract, 3)
    planned = {house.vault.ref(order_id(each)) for each in (1, 2)}
    purged = house.purger.purge(contract)
    said = published(house, purged.certificates[0])
    assert said.who.contract_id == "acme-eu"
    assert (said.who.controller.name, said.who.controller.id) == ("Acme Goods", "A1ACME")
    assert said.who.processor.name == house.settings.processor
    assert (said.what.orders, said.what.sealed_records) == (2, 1)
    assert said.what.plan_digest == digest_of(sorted(planned))
    assert [(each.rule, each.orders) for each in said.why] == [("completed", 2)]
    assert said.how.keys_destroyed == ("acme-eu/1",)
    assert said.how.survivors_rewrapped == 3
    assert "NIST SP 800-88" in said.how.standard
    assert said.when.first_due <= said.when.planned <= said.when.erased <= said.when.key_destroyed
    assert (said.verification.row_absence.checked, said.verification.row_absence.failed) == (2, 0)
    assert (said.verification.negative_decryption.checked, said.verification.negative_decryption.failed) == (
        1,
        0,
    )
    assert said.verification.residue_scan.performed
    assert said.verification.residue_scan.hits == 0
    assert [(each.orders, each.basis, each.authority) for each in said.withheld] == [
        (1, "HMRC inquiry 7", "HMRC")
    ]
    text = (house.settings.certificates / f"{purged.certificates[0]}.json").read_text()
    assert not [value for value in (ANN.name, order_id(1), *planned) if value in text]


def test_nothing_due_is_a_result_of_its_own_and_leaves_everything_alone(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order())
    purged = house.purger.purge(contract)
    assert (purged.outcome, purged.orders, purged.certificates) == (Outcome.NOTHING_DUE, 0, ())
    assert rows(house, purges) == rows(house, certificates) == []
    assert rows(house, contracts, "key_version") == [1]
    assert len(rows(house, orders)) == 1


def test_purging_twice_is_purging_once(house: House, contract: Contract) -> None:
    house.purger.purge(contract)
    before = [rows(house, table) for table in metadata.sorted_tables]
    again = house.purger.purge(contract)
    assert again.outcome is Outcome.NOTHING_DUE
    assert [rows(house, table) for table in metadata.sorted_tables] == before


def test_orders_without_a_recipient_are_purged_without_a_rotation(house: House, ring: Ring) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, None), make_order(2))
    complete(house, contract, 1)
    purged = house.purger.purge(contract)
    said = published(house, purged.certificates[0])
    assert (said.what.orders, said.what.sealed_records, said.how.keys_destroyed) == (1, 0, ())
    assert (said.how.standard, said.when.key_destroyed) == ("", None)  # no key went, so none is claimed
    assert "no key was destroyed" in said.how.technique
    assert rows(house, contracts, "key_version") == [1]


def test_a_contract_with_nothing_left_gets_a_fresh_key_all_the_same(house: House, ring: Ring) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    complete(house, contract, 1)
    house.purger.purge(contract)
    assert rows(house, order_keys) == rows(house, orders) == []
    assert house.key_ring.versions(contract.contract_id) == (2,)


def test_a_count_that_fails_is_an_error_and_not_nothing_due(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order())

    def fail(connection: Connection, cursor: Any, statement: str, *rest: Any) -> None:
        if "count(*)" in statement and "GROUP BY custody.orders.contract_id" in statement:
            raise ConnectionError("the count did not come through")

    event.listen(house.engine, "before_cursor_execute", fail)
    with pytest.raises(ConnectionError):
        house.purger.purge(contract)
    event.remove(house.engine, "before_cursor_execute", fail)
    assert house.purger.purge(contract).outcome is Outcome.NOTHING_DUE


def test_orders_that_are_still_due_after_a_purge_fail_it(house: House, contract: Contract) -> None:
    """A purge that does less than it should is the commonest failure: its own count tells."""
    deaf = Purger(house.purger.tools)
    deaf._planned = lambda contract, asked_by: (None, "planned")  # type: ignore[method-assign,assignment]  # the fault that is planted
    with pytest.raises(PurgeUnsound, match="3 orders are still due"):
        deaf.purge(contract)
    assert rows(house, certificates) == []


def test_an_order_that_comes_in_during_a_purge_and_is_due_from_before_it_is_no_failure(
    house: House, contract: Contract
) -> None:
    """A pull writes the moment at which it began, and commits later: here, before the count."""
    purger = Purger(house.purger.tools)
    finish_all, calls = purger._finish_all, []

    def overtaken(contract: Contract, asked_by: str) -> list[Evidence]:
        done = finish_all(contract, asked_by)
        calls.append(len(done))
        if len(calls) == 1:
            keep(house, contract, make_order(9))
            complete(house, contract, 9)
        return done

    purger._finish_all = overtaken  # type: ignore[method-assign]  # the moment that a race needs
    assert purger.purge(contract).orders == 4
    assert calls == [1, 1]


def test_a_hold_withholds_its_order_and_nothing_else(house: House, contract: Contract) -> None:
    place_hold(house, contract, 1)
    purged = house.purger.purge(contract)
    assert (purged.orders, purged.withheld) == (2, 1)
    assert house.vault.ref(order_id(1)) in rows(house, orders, "order_ref")


def test_a_hold_on_the_whole_contract_withholds_all_until_it_is_released(
    house: House, contract: Contract
) -> None:
    place_hold(house, contract)
    assert house.purger.purge(contract).outcome is Outcome.NOTHING_DUE
    with house.engine.begin() as connection:
        connection.execute(update(legal_holds).values(released_at=house.clock()))
    assert house.purger.purge(contract).orders == 3


def test_a_hold_that_expires_lets_its_orders_go(house: House, contract: Contract, clock: Hands) -> None:
    place_hold(house, contract)
    assert house.purger.purge(contract).withheld == 3
    clock.forward(days=90)
    assert house.purger.purge(contract).orders >= 3


stamps = st.integers(-3, 3).map(lambda hours: NOW + timedelta(hours=hours))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.builds(Hold, stamps, st.none() | stamps, st.none() | stamps), max_size=2), stamps)
def test_the_database_and_the_clock_agree_on_what_is_due(
    house: House, placed: list[Hold], due_at: datetime
) -> None:
    with house.engine.connect() as connection:
        if not connection.execute(select(contracts.c.contract_id)).first():
            keep(house, add_contract(house), make_order())
        connection.execute(update(orders).values(purge_due_at=due_at))
        for number, hold in enumerate(placed):
            connection.execute(
                insert(legal_holds).values(
                    hold_id=str(number), contract_id="acme-eu", basis="b", authority="a", placed_by="p",
                    placed_at=hold.placed_at, expires_at=hold.expires_at, released_at=hold.released_at,
                )
            )  # fmt: skip
        expected = is_due(Due(due_at, Rule.COMPLETED), tuple(placed), NOW)
        assert count_due(connection, NOW) == int(expected)
        connection.rollback()


def test_a_hold_placed_between_plan_and_erasure_is_respected(house: House, contract: Contract) -> None:
    with at_plan(house, contract, lambda: place_hold(house, contract, 2)):
        purged = house.purger.purge(contract)
    assert purged.orders == 2
    assert house.vault.ref(order_id(2)) in rows(house, orders, "order_ref")
    assert sorted(rows(house, purges, "state")) == ["certified", "stale"]
    assert published(house, purged.certificates[0]).what.orders == 2
    assert len(rows(house, purge_orders)) == 2


def test_an_order_sealed_between_plan_and_erasure_has_its_key_tried_as_well(
    house: House, contract: Contract
) -> None:
    def seal() -> None:
        keep(house, contract, make_order(2, OLGA))  # it was known without its recipient

    with at_plan(house, contract, seal):
        purged = house.purger.purge(contract)
    said = published(house, purged.certificates[0])
    assert (said.what.orders, said.what.sealed_records) == (3, 3)


def test_an_order_that_falls_due_during_a_purge_gets_a_certificate_of_its_own(
    house: House, contract: Contract
) -> None:
    with at_plan(house, contract, lambda: complete(house, contract, 4)):
        purged = house.purger.purge(contract)
    assert purged.orders == 4
    assert [published(house, each).what.orders for each in purged.certificates] == [3, 1]


@contextmanager
def at_plan(house: House, contract: Contract, act: Any) -> Iterator[None]:
    """Do something once, right after the first plan is made."""
    plan, acted = house.purger._planned, []

    def planned(asked: Contract, asked_by: str) -> Any:
        made = plan(asked, asked_by)
        if not acted:
            acted.append(True)
            act()
        return made

    house.purger._planned = planned  # type: ignore[method-assign]  # the act comes in between
    yield
    assert acted


@pytest.mark.parametrize("table", ["orders", "order_keys", "artifacts", "shipments", "task_states"])
def test_a_row_left_behind_stops_the_certificate(
    house: House, contract: Contract, ring: Ring, table: str
) -> None:
    ref = house.vault.ref(order_id(1))
    leftover: dict[str, dict[str, Any]] = {
        "orders": {
            "order_id": order_id(1), "marketplace_id": UK, "status": "UNSHIPPED", "fulfilled_by": "MERCHANT",
            "programs": [], "created_at": NOW, "last_updated_at": NOW, "order_items": [], "packages": [],
            "pulled_at": NOW, "purge_due_at": NOW, "purge_rule": "completed",
        },
        "order_keys": {"key_version": 2, "wrapped": bytes(60)},
        "artifacts": {"kind": "packing_slip", "sealed": b"", "created_at": NOW},
        "shipments": {
            "package_reference_id": "1", "shipped_items": [], "sealed": b"", "fingerprint": "",
            "imported_at": NOW,
        },
        "task_states": {"task": "pick_list", "state": "done", "updated_at": NOW},
    }  # fmt: skip
    there = metadata.tables[f"custody.{table}"]

    def plant() -> None:
        ring.before_destroy = lambda: None
        with house.engine.begin() as connection:
            row = {"order_ref": ref, "contract_id": contract.contract_id, **leftover[table]}
            connection.execute(insert(there).values(row))

    ring.before_destroy = plant
    with pytest.raises(PurgeUnsound, match=table):
        house.purger.purge(contract)
    assert rows(house, certificates) == []
    assert not list(house.settings.certificates.glob("purge-*"))
    with house.engine.begin() as connection:  # a person looks, and removes it
        connection.execute(delete(there).where(there.c.order_ref == ref))
    assert house.purger.purge(contract).orders == 3


def test_a_key_version_left_behind_stops_the_certificate(
    house: House, contract: Contract, ring: Ring
) -> None:
    ring.before_destroy = lambda: False  # it reports success and does nothing
    with pytest.raises(PurgeUnsound, match="key version 1 still exists"):
        house.purger.purge(contract)
    assert rows(house, certificates) == []
    ring.before_destroy = lambda: None
    with house.engine.begin() as connection:
        connection.execute(update(purges).values(state="erased"))
    assert house.purger.purge(contract).orders == 3


def test_a_leftover_key_that_still_opens_stops_the_certificate(
    house: House, contract: Contract, ring: Ring
) -> None:
    """As if a rotation had kept an erased order under the next version."""

    def plant() -> None:
        ring.before_destroy = lambda: None
        ref = house.vault.ref(order_id(1))
        wrapped = Wrapper(contract.contract_id, 2, ring.read(contract.contract_id, 2)).wrap(ref, bytes(32))
        with house.engine.begin() as connection:
            connection.execute(
                update(purge_probes).where(purge_probes.c.order_ref == ref).values(wrapped=wrapped)
            )

    ring.before_destroy = plant
    with pytest.raises(PurgeUnsound, match="can still be opened"):
        house.purger.purge(contract)
    assert rows(house, certificates) == []


def test_leftover_copies_that_vanished_untried_stop_the_certificate(
    house: House, contract: Contract, ring: Ring
) -> None:
    def lose() -> None:
        ring.before_destroy = lambda: None
        with house.engine.begin() as connection:
            connection.execute(delete(purge_probes))

    ring.before_destroy = lose
    with pytest.raises(PurgeUnsound, match="0 of 2 leftover keys"):
        house.purger.purge(contract)
    assert rows(house, certificates) == []


@pytest.mark.parametrize("step", ["_scan", "_erase", "_destroy", "_verify", "issue", "publish"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_purge_killed_at_a_step_is_completed_once_by_the_next(
    house: House, contract: Contract, step: str, when: str
) -> None:
    owner: Any = house.issuer if step in ("issue", "publish") else house.purger
    original = getattr(owner, step)

    def killed(*arguments: Any) -> Any:
        if when == "after":
            original(*arguments)
        raise Killed

    setattr(owner, step, killed)
    with pytest.raises(Killed):
        house.purger.purge(contract)
    setattr(owner, step, original)
    house.purger.purge(contract)
    assert sum(rows(house, certificates, "orders")) == 3
    assert len(rows(house, tombstones)) == 3
    assert house.key_ring.versions(contract.contract_id) == (2,)
    assert len(list(house.settings.certificates.glob("purge-*.json"))) == 1
    with house.engine.connect() as connection:
        assert set(unsealed(connection, house, contract)) == {order_id(4), order_id(5)}


def test_a_key_version_of_a_rotation_that_never_was_is_destroyed(house: House, contract: Contract) -> None:
    house.key_ring.create(contract.contract_id, 2)
    house.key_ring.create(contract.contract_id, 7)
    place_hold(house, contract)
    assert house.purger.purge(contract).outcome is Outcome.NOTHING_DUE
    assert house.key_ring.versions(contract.contract_id) == (1,)


def test_a_purged_order_does_not_come_back(house: House, contract: Contract, clock: Hands) -> None:
    house.purger.purge(contract)
    later = clock.forward(hours=1)
    intake = keep(house, contract, make_order(1, last_updated_at=later), make_order(6))
    assert (intake.purged, intake.new) == (1, 1)
    assert house.vault.ref(order_id(1)) not in rows(house, orders, "order_ref")


def test_a_quarantined_update_of_a_purged_order_goes_with_it(house: House, contract: Contract) -> None:
    with house.engine.begin() as connection:
        for number in (1, 4):
            connection.execute(
                insert(quarantine).values(
                    contract_id="acme-eu", order_id=order_id(number),
                    reference=house.vault.ref(order_id(number)), reason="a date is impossible",
                    first_seen_at=NOW, last_seen_at=NOW,
                )
            )  # fmt: skip
    house.purger.purge(contract)
    assert rows(house, quarantine, "order_id") == [order_id(4)]


def test_of_two_purgers_at_once_one_is_told_that_the_other_is_at_work(
    house: House, contract: Contract
) -> None:
    entered, leave, results = threading.Event(), threading.Event(), []

    def slow() -> datetime:
        entered.set()
        assert leave.wait(20)
        return NOW

    first = Purger(house.purger.tools._replace(clock=slow))
    thread = threading.Thread(target=lambda: results.append(first.purge(contract)))
    thread.start()
    assert entered.wait(20)
    second = house.purger.purge(contract)
    leave.set()
    thread.join()
    assert second.outcome is Outcome.BUSY
    assert [(each.outcome, each.orders) for each in results] == [(Outcome.PURGED, 3)]


def test_another_contracts_orders_and_keys_are_left_alone(house: House, contract: Contract) -> None:
    other = add_contract(house, "zenith-eu", tasks=frozenset({TaskName.PACKING_SLIP}))
    keep(house, other, make_order(11), make_order(12))
    complete(house, other, 11, 12)
    house.purger.purge(contract)
    with house.engine.connect() as connection:
        assert len(unsealed(connection, house, other)) == 2
    assert house.key_ring.versions(other.contract_id) == (1,)


def test_the_published_files_can_be_made_again_from_the_database(house: House, contract: Contract) -> None:
    purged = house.purger.purge(contract)
    file = house.settings.certificates / f"{purged.certificates[0]}.json"
    before = file.read_bytes()
    os.unlink(file)
    house.purger.purge(contract)
    assert file.read_bytes() == before
    assert json.loads(before)["digest"] == rows(house, certificates, "digest")[0]


@pytest.mark.parametrize("step", ["keys/ring", "journal", "certificates", "log"])
def test_a_disk_that_is_full_stops_a_purge_with_one_sentence_and_the_next_run_completes_it(
    house: House, contract: Contract, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The disk is full from the first write below one folder on; when there is room, nothing is missing."""
    full, real = True, os.fsync

    def write(descriptor: int) -> None:
        if full and step in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", write)
    with pytest.raises(TryLater, match="Make room"):
        house.purger.purge(contract)
    full = False
    house.purger.purge(contract)
    assert sum(rows(house, certificates, "orders")) == 3
    assert len(list(house.settings.certificates.glob("purge-*.json"))) == 1
    assert house.key_ring.versions(contract.contract_id) == (2,)


def test_a_key_that_is_missing_from_the_ring_is_named_with_the_way_out(
    house: House, contract: Contract
) -> None:
    house.key_ring.destroy(contract.contract_id, 1)
    with pytest.raises(KeyUnavailable, match="custody database recover acme-eu"):
        house.purger.purge(contract)
    with house.engine.begin() as connection:
        assert replay.recover(connection, house.key_ring, contract.contract_id, "ada", house.clock()) == 4
    assert house.purger.purge(contract).orders == 1, "the one that was never sealed"
    assert keep(house, contract, make_order(4)).new == 1
