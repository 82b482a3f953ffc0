"""Holds on fields: everything else of a due order goes, for good, and what is kept opens as before."""

import io
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, select, update

from custody.bootstrap import House
from custody.certificates.certificate import What
from custody.contracts.contract import Contract, TaskName
from custody.database.tables import (
    artifacts,
    certificates,
    legal_holds,
    order_keys,
    orders,
    purge_probes,
    purge_reductions,
    shipments,
    task_states,
    tombstones,
)
from custody.errors import KeyUnavailable, PurgeUnsound
from custody.fulfillment.ledger import record
from custody.fulfillment.ready import ready
from custody.fulfillment.shipments import ShipmentTable
from custody.fulfillment.work import TaskState
from custody.orders.ingest import needing_recipient
from custody.orders.records import OrderRef, Recipient
from custody.retention import reduce
from custody.retention.erase import erase
from custody.retention.holds import HOLDABLE, place, release
from custody.retention.plan import plan
from custody.retention.purge import Outcome
from custody.retention.records import PurgePlan
from custody.vault import envelope
from custody.vault.envelope import RECIPIENT, Wrapper
from custody.vault.vault import SHIPMENT, SLIP

from ..builders import (
    ANN,
    NOW,
    OLGA,
    Hands,
    add_contract,
    complete,
    keep,
    make_order,
    order_id,
    rows,
    unscanned,
)

PDF, PARCEL = b"%PDF canary slip", b'{"tracking_number":"TRK-CANARY"}'
NAME = "recipient.name"


@pytest.fixture
def contract(house: House) -> Contract:
    """Give a contract with orders 1 and 2 due, with slip and shipment, and 3 at work."""
    made = add_contract(house)
    keep(house, made, make_order(1), make_order(2, OLGA), make_order(3))
    for number in (1, 2):
        add_records(house, made, number)
    complete(house, made, 1, 2)
    return made


def ref_of(house: House, number: int) -> OrderRef:
    return house.vault.ref(order_id(number))


def add_records(house: House, contract: Contract, number: int) -> None:
    """Seal a slip and a shipment under an order's key."""
    ref = ref_of(house, number)
    with house.engine.begin() as connection:
        sealing = house.vault.sealing(connection, contract.contract_id)
        wrapped = connection.execute(
            select(order_keys.c.wrapped).where(order_keys.c.order_ref == ref)
        ).scalar_one()
        key, _ = sealing.order_key(ref, wrapped)
        slip = sealing.seal_record(key, ref, SLIP, PDF)
        parcel = sealing.seal_record(key, ref, f"{SHIPMENT}/1", PARCEL)
        of_order = {"order_ref": ref, "contract_id": contract.contract_id}
        connection.execute(insert(artifacts).values(**of_order, kind=SLIP, sealed=slip, created_at=NOW))
        shipped = {"package_reference_id": "1", "shipped_items": [], "fingerprint": ref, "imported_at": NOW}
        connection.execute(insert(shipments).values(**of_order, sealed=parcel, **shipped))


def hold(house: House, contract: Contract, number: int | None, *fields: str, basis: str = "Inquiry 7") -> str:
    ref = None if number is None else ref_of(house, number)
    with house.engine.begin() as connection:
        return place(
            connection, contract.contract_id, ref, fields, basis, "HMRC", None, "compliance", house.clock()
        )


def let_go(house: House, hold_id: str) -> None:
    with house.engine.begin() as connection:
        release(connection, hold_id, "compliance", house.clock())


def opened(connection: Connection, house: House, contract: Contract, number: int) -> dict[str, Any]:
    """Open all that is left of an order past the vault's door; no key, nothing."""
    ref = ref_of(house, number)
    keys = connection.execute(select(order_keys).where(order_keys.c.order_ref == ref)).first()
    if keys is None:
        return {}
    version = house.key_ring.read(contract.contract_id, keys.key_version)
    key = Wrapper(contract.contract_id, keys.key_version, version).unwrap(ref, keys.wrapped)
    found: dict[str, Any] = {}
    for table, kind in ((orders, RECIPIENT), (artifacts, SLIP), (shipments, f"{SHIPMENT}/1")):
        query = select(table.c.sealed).where(table.c.order_ref == ref, table.c.sealed.is_not(None))
        for sealed in connection.execute(query).scalars():
            found[kind] = envelope.unseal(key, contract.contract_id, ref, kind, sealed)
    if RECIPIENT in found:
        found[RECIPIENT] = msgspec.json.decode(found[RECIPIENT], type=Recipient)
    return found


def left_of(house: House, contract: Contract, number: int) -> dict[str, Any]:
    with house.engine.connect() as connection:
        return opened(connection, house, contract, number)


def expected(recipient: Recipient, kept: Collection[str]) -> dict[str, Any]:
    """Say what must be left of an order of which these fields are kept."""
    fields = {each.removeprefix("recipient."): each for each in kept if each.startswith("recipient.")}
    cut = Recipient(**{name: getattr(recipient, name) for name in fields})
    left: dict[str, Any] = {} if cut == Recipient() else {RECIPIENT: cut}
    return (
        left | ({SLIP: PDF} if SLIP in kept else {}) | ({f"{SHIPMENT}/1": PARCEL} if SHIPMENT in kept else {})
    )


def test_a_due_order_keeps_the_held_fields_and_nothing_else(house: House, contract: Contract) -> None:
    hold(house, contract, 1, NAME)
    purged = house.purger.purge(contract)
    assert (purged.outcome, purged.orders, purged.withheld) == (Outcome.PURGED, 1, 1)
    assert left_of(house, contract, 1) == {RECIPIENT: Recipient(name=ANN.name)}
    ref = ref_of(house, 1)
    for table in (artifacts, shipments, task_states):
        assert ref not in rows(house, table, "order_ref")
    assert dict(rows(house, orders, "order_ref", "reduced_fields"))[ref] == [NAME]
    assert rows(house, tombstones, "order_ref") == [ref_of(house, 2)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.frozensets(st.sampled_from(HOLDABLE), min_size=1))
def test_exactly_the_held_fields_stay_whichever_they_are(
    house: House, contract: Contract, kept: frozenset[str]
) -> None:
    with house.engine.connect() as connection, connection.begin() as transaction:
        for number in (1, 2):
            ref = ref_of(house, number)
            place(connection, contract.contract_id, ref, kept, "Inquiry 7", "HMRC", None, "me", NOW)
        made = plan(connection, contract.contract_id, NOW)
        assert made is not None
        assert erase(connection, house.key_ring, made, NOW) is not None
        assert reduce.check(connection, made) == 2
        for number, recipient in ((1, ANN), (2, OLGA)):
            assert opened(connection, house, contract, number) == expected(recipient, kept)
        assert opened(connection, house, contract, 3) == {RECIPIENT: ANN}
        transaction.rollback()


def claimed(house: House, purge_id: str) -> tuple[int, int, int, tuple[str, ...]]:
    """Read what a certificate says of recipients, slips, parcels, and the kinds of fields."""
    (document,) = [
        document
        for each, document in rows(house, certificates, "certificate_id", "document")
        if each == purge_id
    ]
    what = msgspec.convert(msgspec.json.decode(document)["certificate"]["what"], What)
    return what.sealed_records, what.artifacts, what.shipments, what.field_classes


@pytest.fixture
def alone(house: House) -> Contract:
    """Give a contract whose only order is due, with a recipient, a slip and a parcel."""
    made = add_contract(house)
    keep(house, made, make_order(1))
    add_records(house, made, 1)
    complete(house, made, 1)
    return made


def first_and_last(house: House, contract: Contract, *fields: str) -> Iterator[Any]:
    """Purge under a hold on fields and again without it; give what each certificate claims."""
    hold_id = hold(house, contract, 1, *fields)
    yield claimed(house, *unscanned(house).purge(contract).certificates)
    let_go(house, hold_id)
    yield claimed(house, *unscanned(house).purge(contract).certificates)


def test_a_recipient_that_goes_in_two_parts_is_counted_once_by_the_second(
    house: House, alone: Contract
) -> None:
    first, last = first_and_last(house, alone, NAME)
    assert first == (0, 1, 1, ("recipient address", "packing slip", "tracking number"))
    assert last == (1, 0, 0, ("recipient name",))
    assert rows(house, tombstones, "was_sealed") == [True]


def test_a_recipient_of_whom_nothing_is_held_is_counted_by_the_first_purge_and_not_forgotten(
    house: House, alone: Contract
) -> None:
    first, last = first_and_last(house, alone, SHIPMENT)
    assert first == (1, 1, 0, ("recipient name", "recipient address", "packing slip"))
    assert last == (0, 0, 1, ("tracking number",))
    assert rows(house, tombstones, "was_sealed") == [True]


def test_an_order_that_never_had_a_recipient_gets_none_by_being_cut_down(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, None))
    table = ShipmentTable(house.engine, house.vault, b"k" * 32)
    head = "order_id,carrier_code,tracking_number,ship_date"
    assert table.take(io.StringIO(f"{head}\n{order_id(1)},UPS,TRK-1,2026-11-20\n"), NOW).new == 1
    complete(house, contract, 1)
    first, last = first_and_last(house, contract, SHIPMENT)
    assert first == (0, 0, 0, ())
    assert last == (0, 0, 1, ("tracking number",))
    assert rows(house, tombstones, "was_sealed") == [False]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.frozensets(st.sampled_from(HOLDABLE), min_size=1))
def test_whatever_is_held_all_erasures_together_count_a_recipient_once(
    house: House, contract: Contract, kept: frozenset[str]
) -> None:
    with house.engine.connect() as connection, connection.begin() as transaction:
        place(connection, contract.contract_id, ref_of(house, 1), kept, "Inquiry 7", "HMRC", None, "me", NOW)
        done = []
        for now in (NOW, NOW + timedelta(hours=1)):
            made = plan(connection, contract.contract_id, now)
            assert made is not None
            erasure = erase(connection, house.key_ring, made, now)
            assert erasure is not None
            done.append(erasure)
            connection.execute(update(legal_holds).values(released_at=NOW))
        total = done[0].recipients + done[1].recipients
        assert total.records == 2
        assert total.names == 2
        assert 2 <= total.addresses <= 3  # that of order 1 may go in two parts
        transaction.rollback()


def test_a_copy_of_what_was_dropped_opens_nothing_afterwards(house: House, contract: Contract) -> None:
    ref = ref_of(house, 1)
    hold(house, contract, 1, NAME)
    with house.engine.connect() as connection:
        sealed, wrapped = connection.execute(
            select(orders.c.sealed, order_keys.c.wrapped)
            .join(order_keys, order_keys.c.order_ref == orders.c.order_ref)
            .where(orders.c.order_ref == ref)
        ).one()
    house.purger.purge(contract)
    (version,) = house.key_ring.versions(contract.contract_id)
    wrapper = Wrapper(contract.contract_id, version, house.key_ring.read(contract.contract_id, version))
    assert version == 2
    assert not wrapper.opens(ref, wrapped)
    with house.engine.connect() as connection:
        fresh = connection.execute(
            select(order_keys.c.wrapped).where(order_keys.c.order_ref == ref)
        ).scalar_one()
    with pytest.raises(KeyUnavailable):
        envelope.unseal(wrapper.unwrap(ref, fresh), contract.contract_id, ref, RECIPIENT, sealed)


def test_the_old_keys_of_reduced_orders_are_among_the_leftovers_that_are_tried(
    house: House, contract: Contract
) -> None:
    hold(house, contract, None, NAME)
    with house.engine.begin() as connection:
        made = plan(connection, contract.contract_id, NOW)
    assert made is not None
    assert (made.orders, made.reduced, made.probes) == (0, 2, 2)
    assert sorted(rows(house, purge_probes, "order_ref")) == sorted(ref_of(house, each) for each in (1, 2))
    purged = house.purger.purge(contract)
    assert purged.outcome is Outcome.PURGED
    assert house.key_ring.versions(contract.contract_id) == (2,)


def test_what_is_reduced_is_withheld_and_not_reduced_again(house: House, contract: Contract) -> None:
    hold(house, contract, 1, NAME)
    house.purger.purge(contract)
    before = rows(house, orders), rows(house, order_keys)
    again = house.purger.purge(contract)
    assert (again.outcome, again.withheld) == (Outcome.NOTHING_DUE, 1)
    assert (rows(house, orders), rows(house, order_keys)) == before


def test_when_its_hold_ends_what_is_left_of_an_order_goes(house: House, contract: Contract) -> None:
    hold_id = hold(house, contract, 1, NAME)
    house.purger.purge(contract)
    let_go(house, hold_id)
    assert house.purger.purge(contract).orders == 1
    assert rows(house, orders, "order_ref") == [ref_of(house, 3)]
    assert set(rows(house, tombstones, "order_ref")) == {ref_of(house, 1), ref_of(house, 2)}


def test_when_one_of_two_holds_ends_its_fields_go_and_the_others_stay(
    house: House, contract: Contract
) -> None:
    on_slip = hold(house, contract, 1, SLIP, basis="Inquiry 8")
    hold(house, contract, 1, NAME, "recipient.city")
    house.purger.purge(contract)
    assert left_of(house, contract, 1) == expected(ANN, {SLIP, NAME, "recipient.city"})
    let_go(house, on_slip)
    house.purger.purge(contract)
    assert left_of(house, contract, 1) == expected(ANN, {NAME, "recipient.city"})


def test_a_hold_on_the_whole_order_wins_over_one_on_a_field(house: House, contract: Contract) -> None:
    hold(house, contract, 1, NAME)
    hold(house, contract, None)
    assert house.purger.purge(contract).outcome is Outcome.NOTHING_DUE
    assert left_of(house, contract, 1) == expected(ANN, HOLDABLE)


def test_fields_that_are_gone_cannot_be_held_any_more(house: House, contract: Contract) -> None:
    hold(house, contract, 1, NAME)
    house.purger.purge(contract)
    with pytest.raises(Exception, match=r"only recipient\.name is left"):
        hold(house, contract, 1, SLIP)
    hold(house, contract, 1, NAME, basis="Inquiry 8")


def test_an_order_without_a_record_that_is_held_keeps_its_facts_alone(house: House) -> None:
    contract = add_contract(house)
    keep(house, contract, make_order(1, None))
    complete(house, contract, 1)
    hold(house, contract, 1, NAME)
    assert house.purger.purge(contract).outcome is Outcome.PURGED
    assert left_of(house, contract, 1) == {}
    assert rows(house, orders, "reduced_fields") == [[NAME]]


@pytest.fixture
def reduced(house: House, contract: Contract) -> Contract:
    """Give the contract once order 1 is cut down to a name."""
    hold(house, contract, 1, NAME)
    house.purger.purge(contract)
    return contract


def test_a_later_update_from_amazon_brings_nothing_back(
    house: House, reduced: Contract, clock: Hands
) -> None:
    later = clock.forward(days=1)
    intake = keep(house, reduced, make_order(1, OLGA, last_updated_at=later, status="SHIPPED"))
    assert (intake.unchanged, intake.sealed) == (1, 0)
    assert left_of(house, reduced, 1) == expected(ANN, {NAME})


def test_a_reduced_order_is_neither_asked_for_nor_worked_on(
    house: House, reduced: Contract, clock: Hands
) -> None:
    with house.engine.begin() as connection:
        blank = update(orders).where(orders.c.order_ref == ref_of(house, 1)).values(sealed=None)
        connection.execute(blank)
        later = clock.forward(days=1)
        waiting = connection.execute(needing_recipient(reduced, later)).scalars().all()
        at_work = ready(connection, reduced, TaskName.PICK_LIST, later)
        record(connection, reduced, [ref_of(house, 1)], TaskName.PICK_LIST, TaskState.DONE, later)
    assert waiting == []
    assert [row["order_ref"] for row in at_work] == [ref_of(house, 3)]
    assert ref_of(house, 1) not in rows(house, task_states, "order_ref")


def test_a_parcel_for_a_reduced_order_is_refused(house: House, reduced: Contract) -> None:
    table = ShipmentTable(house.engine, house.vault, b"k" * 32)
    line = f"{order_id(1)},UPS,TRK-LATE,2026-11-20"
    file = io.StringIO(f"order_id,carrier_code,tracking_number,ship_date\n{line}\n")
    imported = table.take(file, NOW)
    assert imported.new == 0
    assert "legal hold" in imported.refused[0]
    assert rows(house, shipments) == []


def test_a_slip_that_was_being_printed_meanwhile_is_not_kept(house: House, reduced: Contract) -> None:
    task: Any = house.task(TaskName.PACKING_SLIP)
    task._keep(reduced, {ref_of(house, 1): PDF, ref_of(house, 3): PDF}, NOW)
    assert rows(house, artifacts, "order_ref") == [ref_of(house, 3)]


def erased(house: House, contract: Contract) -> PurgePlan:
    with house.engine.begin() as connection:
        made = plan(connection, contract.contract_id, NOW)
        assert made is not None
        assert erase(connection, house.key_ring, made, NOW) is not None
    return made


@pytest.mark.parametrize(
    "slipped",
    [
        update(orders).values(reduced_fields=None),
        update(orders).values(reduced_fields=[NAME, SLIP]),
        update(orders).values(sealed=b"whatever"),
        delete(orders),
    ],
    ids=["unmarked", "marked otherwise", "a recipient left", "gone"],
)
def test_an_order_that_is_not_cut_down_as_planned_stops_the_certificate(
    house: House, contract: Contract, slipped: Any
) -> None:
    hold(house, contract, 1, SLIP)
    made = erased(house, contract)
    with house.engine.begin() as connection:
        assert reduce.check(connection, made) == 1
        connection.execute(slipped.where(orders.c.order_ref == ref_of(house, 1)))
        with pytest.raises(PurgeUnsound, match="0 of 1 orders"):
            reduce.check(connection, made)


def test_a_record_that_no_hold_keeps_stops_the_certificate(house: House, contract: Contract) -> None:
    hold(house, contract, 1, NAME)
    made = erased(house, contract)
    of_order = {"order_ref": ref_of(house, 1), "contract_id": contract.contract_id}
    with house.engine.begin() as connection:
        connection.execute(insert(artifacts).values(**of_order, kind=SLIP, sealed=b"x", created_at=NOW))
        with pytest.raises(PurgeUnsound, match="1 rows that no hold keeps are in artifacts"):
            reduce.check(connection, made)


@pytest.mark.parametrize("changed", ["released", "another field", "the whole order"])
def test_a_hold_that_changes_after_the_plan_makes_it_stale(
    house: House, contract: Contract, changed: str
) -> None:
    hold_id = hold(house, contract, 1, NAME)
    with house.engine.begin() as connection:
        made = plan(connection, contract.contract_id, NOW)
    if changed == "released":
        let_go(house, hold_id)
    else:
        hold(house, contract, 1, *([SLIP] if changed == "another field" else []))
    with house.engine.connect() as connection:
        assert made is not None
        assert erase(connection, house.key_ring, made, NOW) is None
    assert house.purger.purge(contract).outcome is Outcome.PURGED
    assert made.purge_id not in rows(house, purge_reductions, "purge_id")


def test_an_erasure_that_fails_midway_leaves_every_field_as_it_was(
    house: House, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(house, contract, 1, NAME)
    monkeypatch.setattr(reduce._Resealing, "_mark", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        house.purger.purge(contract)
    assert left_of(house, contract, 1) == expected(ANN, HOLDABLE)
    monkeypatch.undo()
    assert house.purger.purge(contract).orders == 1
    assert left_of(house, contract, 1) == expected(ANN, {NAME})


def test_a_record_under_a_key_of_a_restored_database_is_dropped(house: House, contract: Contract) -> None:
    hold(house, contract, 1, NAME, SLIP)
    with house.engine.begin() as connection:
        old = update(order_keys).where(order_keys.c.order_ref == ref_of(house, 1)).values(key_version=0)
        connection.execute(old)
    assert house.purger.purge(contract).outcome is Outcome.PURGED
    assert left_of(house, contract, 1) == {}
    assert ref_of(house, 1) not in rows(house, artifacts, "order_ref")


def test_more_orders_than_are_opened_at_once_are_all_cut_down(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reduce, "CHUNK", 3)
    contract = add_contract(house)
    keep(house, contract, *(make_order(number) for number in range(1, 9)))
    complete(house, contract, *range(1, 9))
    hold(house, contract, None, "recipient.postal_code")
    assert house.purger.purge(contract).withheld == 8
    for number in range(1, 9):
        assert left_of(house, contract, number) == {RECIPIENT: Recipient(postal_code=ANN.postal_code)}


def test_the_certificate_names_the_fields_that_are_withheld(house: House, contract: Contract) -> None:
    hold(house, contract, 1, NAME)
    (certificate_id,) = house.purger.purge(contract).certificates
    document = (house.settings.certificates / f"{certificate_id}.json").read_bytes()
    withheld = msgspec.json.decode(document)["certificate"]["withheld"]
    assert [(each["orders"], each["basis"], each["fields"]) for each in withheld] == [
        (1, "Inquiry 7", [NAME])
    ]


def test_a_hold_on_fields_of_an_order_that_is_not_due_leaves_it_whole(
    house: House, contract: Contract, clock: Hands
) -> None:
    hold(house, contract, 3, NAME)
    house.purger.purge(contract)
    assert left_of(house, contract, 3) == {RECIPIENT: ANN}
    clock.now = NOW + timedelta(days=90)
    house.purger.purge(contract)
    assert left_of(house, contract, 3) == expected(ANN, {NAME})
