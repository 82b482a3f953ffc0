"""A confirmation says what the records say, once for each request, and is found out when it does not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256

import msgspec
import pytest
from sqlalchemy import Connection, create_engine, delete, insert, update

from custody.bootstrap import House
from custody.bootstrap import house as opened_anew
from custody.certificates.certificate import canonical
from custody.certificates.confirmation import TYPE, Confirmation, OrderAnswer, answer_for, render
from custody.certificates.log_entry import Kind
from custody.certificates.order_proof import judge
from custody.certificates.proving import certificate_of
from custody.certificates.signing import new_key, read_keys
from custody.certificates.verify_confirmation import verify_confirmation
from custody.contracts.confirmation import LONGEST_REASON, MOST_LISTED, Asked, Confirmed
from custody.contracts.contract import Contract
from custody.database.proof_tables import audit_events, confirmations, log_entries
from custody.database.tables import certificates, legal_holds, purge_orders, quarantine, tombstones
from custody.errors import BadInput, PurgeUnsound
from custody.orders.records import OrderRef
from custody.retention.whereabouts import OrderState
from custody.vault.secret_store import SIGNING_KEY

from ..builders import ANN, NOW, Hands, add_contract, complete, keep, make_order, order_id, rows, unscanned
from ..conftest import Database


@pytest.fixture
def contract(house: House, clock: Hands) -> Contract:
    """Give a contract with orders 1 to 8: 1 and 2 erased, then 3; 4 withheld, 5 due, 6 to 8 held."""
    made = add_contract(house)
    placed = NOW - timedelta(days=40)
    keep(house, made, make_order(1, created_at=placed), *(make_order(each) for each in range(2, 9)))
    for gone in ((1, 2), (3,)):
        complete(house, made, *gone)
        unscanned(house).purge(made)
        clock.forward(hours=1)
    hold = {
        "hold_id": "hold-4",
        "contract_id": made.contract_id,
        "order_ref": ref(house, 4),
        "basis": "HMRC inquiry 7",
        "authority": "HMRC",
        "placed_by": "compliance",
        "placed_at": NOW,
    }
    with house.engine.begin() as connection:
        connection.execute(insert(legal_holds).values(hold))
    complete(house, made, 4, 5)
    return made


def ref(house: House, number: int) -> OrderRef:
    return house.vault.ref(order_id(number))


@contextmanager
def as_owner(database: Database) -> Iterator[Connection]:
    engine = create_engine(database.owner_url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def ask(house: House, *numbers: int, request: str = "", reason: str = "the seller asked") -> Confirmed:
    refs = tuple(ref(house, each) for each in numbers)
    return house.confirmer.confirm(Asked("acme-eu", "vera", reason, refs, request))


def opened(house: House, made: Confirmed) -> Confirmation:
    """Read a confirmation's file as the seller would, and verify it."""
    folder = house.settings.certificates
    keys = read_keys((folder / "jwks.json").read_bytes())
    verdict = verify_confirmation(made.file.read_bytes(), keys, log_key=(folder / "log.vkey").read_text())
    assert verdict.confirmation is not None, verdict
    assert verdict.checkpoint is not None
    return verdict.confirmation


def answers(house: House, *numbers: int) -> dict[int, OrderAnswer]:
    """Ask for orders, and find each one's answer by its id as the seller would."""
    found = opened(house, ask(house, *numbers))
    told = {each: answer_for(found, order_id(each)) for each in numbers}
    return {number: answer for number, answer in told.items() if answer is not None}


def test_a_whole_contract_is_accounted_for_to_the_last_order(house: House, contract: Contract) -> None:
    found = opened(house, ask(house)).whole_contract
    assert found is not None
    assert (found.orders, found.erased, found.uncertified, found.held) == (8, 3, 0, 5)
    assert (found.kept_due, found.quarantined) == (1, 0)
    assert [(each.month, each.orders, each.erased, each.held) for each in found.periods] == [
        ("2026-10", 1, 1, 0),
        ("2026-11", 7, 2, 5),
    ]
    assert [(each.name, each.ever, each.held) for each in found.field_classes] == [
        ("recipient name and address", 8, 5),
        ("packing slip", 0, 0),
        ("tracking number", 0, 0),
    ]
    assert [(each.rule, each.orders) for each in found.still_held] == [("completed", 1), ("promised", 3)]
    assert [(each.orders, each.basis, each.authority) for each in found.withheld] == [
        (1, "HMRC inquiry 7", "HMRC")
    ]


def test_what_was_erased_is_named_by_certificate_with_its_digest_rules_and_time(
    house: House, contract: Contract
) -> None:
    found = opened(house, ask(house)).whole_contract
    assert found is not None
    issued = dict(rows(house, certificates, "certificate_id", "digest"))
    assert {each.certificate_id: each.digest for each in found.batches} == issued
    assert [(each.orders, each.why[0].rule, each.erased) for each in found.batches] == [
        (2, "completed", NOW),
        (1, "completed", NOW + timedelta(hours=1)),
    ]
    assert [each.keys_destroyed for each in found.batches] == [("acme-eu/1",), ("acme-eu/2",)]


def test_each_listed_order_has_its_own_answer_in_the_order_asked(house: House, contract: Contract) -> None:
    told = answers(house, 6, 4, 5, 1)
    assert {number: each.position for number, each in told.items()} == {6: 1, 4: 2, 5: 3, 1: 4}
    assert {number: each.state for number, each in told.items()} == {
        6: OrderState.HELD,
        4: OrderState.WITHHELD,
        5: OrderState.DUE,
        1: OrderState.ERASED,
    }
    assert (told[6].rule, told[6].due) == ("promised", NOW + timedelta(days=35))
    assert [each.basis for each in told[4].withheld] == ["HMRC inquiry 7"]


def test_an_erased_order_comes_with_a_proof_that_holds_for_it_alone(house: House, contract: Contract) -> None:
    told = answers(house, 1, 2, 3)
    for number, each in told.items():
        assert each.proof is not None
        with house.engine.connect() as connection:
            certificate = certificate_of(connection, each.certificate_id)
        assert judge(each.proof, certificate, order_id(number)).proof is not None
        assert judge(each.proof, certificate, order_id(8)).proof is None
        assert each.certificate_digest in rows(house, certificates, "digest")
    assert told[1].certificate_id == told[2].certificate_id != told[3].certificate_id


def test_no_order_is_named_and_its_answer_is_found_by_plain_sha256(house: House, contract: Contract) -> None:
    made = ask(house, 1, 6)
    written = made.file.read_text()
    told = (order_id(1), order_id(6), ref(house, 1), ref(house, 6), ANN.name, ANN.city)
    assert [each for each in told if each in written] == []
    (first, _) = json.loads(written)["confirmation"]["orders"]
    committed = sha256(bytes.fromhex(first["salt"]) + f"|acme-eu|{order_id(1)}".encode())
    assert committed.hexdigest() == first["commitment"]
    assert answer_for(opened(house, made), order_id(2)) is None


def test_an_order_that_is_listed_twice_is_answered_once(house: House, contract: Contract) -> None:
    assert len(opened(house, ask(house, 1, 6, 1)).orders) == 2


@pytest.mark.parametrize(("number", "why"), [(99, "never been here"), (50, "another contract")])
def test_a_stranger_in_the_list_is_refused_by_its_ref_and_place(
    house: House, contract: Contract, number: int, why: str
) -> None:
    other = add_contract(house, "zenith-eu", seller_id="A1ZENITH")
    keep(house, other, make_order(50))
    with pytest.raises(BadInput, match=why) as refused:
        ask(house, 1, number)
    assert f"{ref(house, number)} (number 2 of the list)" in str(refused.value)
    assert order_id(number) not in str(refused.value)
    assert rows(house, confirmations) == []


def test_an_erased_order_of_another_contract_is_a_stranger_too(house: House, contract: Contract) -> None:
    other = add_contract(house, "zenith-eu", seller_id="A1ZENITH")
    with pytest.raises(BadInput, match="another contract than zenith-eu"):
        house.confirmer.confirm(Asked(other.contract_id, "vera", "asked", (ref(house, 1),)))


def test_an_order_in_quarantine_is_answered_with_its_reason(house: House, contract: Contract) -> None:
    row = {"contract_id": "acme-eu", "reference": ref(house, 9), "order_id": order_id(9), "reason": "unread"}
    with house.engine.begin() as connection:
        connection.execute(insert(quarantine).values(row | {"first_seen_at": NOW, "last_seen_at": NOW}))
    (told,) = answers(house, 9).values()
    assert (told.state, told.reason) == (OrderState.QUARANTINED, "unread")


def test_an_unknown_contract_is_refused(house: House) -> None:
    with pytest.raises(BadInput, match="nobody-eu"):
        house.confirmer.confirm(Asked("nobody-eu", "vera", "asked"))


@pytest.mark.parametrize("reason", ["", "  ", "x" * (LONGEST_REASON + 1)])
def test_a_confirmation_needs_a_reason(house: House, contract: Contract, reason: str) -> None:
    with pytest.raises(BadInput, match="reason"):
        ask(house, reason=reason)


def test_a_list_that_is_too_long_is_refused_with_what_to_do(house: House, contract: Contract) -> None:
    refs = tuple(OrderRef(f"{each:032x}") for each in range(MOST_LISTED + 1))
    with pytest.raises(BadInput, match="split"):
        house.confirmer.confirm(Asked("acme-eu", "vera", "asked", refs))


def test_the_same_request_gets_the_same_confirmation_and_another_one_its_own(
    house: House, contract: Contract, clock: Hands
) -> None:
    first = ask(house, request="run-1")
    clock.forward(days=1)
    assert ask(house, request="run-1") == first
    assert ask(house, request="run-2") != first
    assert len({ask(house).confirmation_id, ask(house).confirmation_id}) == 2
    kinds = [kind for kind in rows(house, log_entries, "kind") if kind == Kind.CONFIRMATION]
    assert len(kinds) == len(rows(house, confirmations)) == 4


def test_a_confirmation_is_logged_and_written_down_with_who_asked(house: House, contract: Contract) -> None:
    made = ask(house, 1)
    ((actor, subject, details),) = [
        (actor, subject, details)
        for actor, action, subject, details in rows(
            house, audit_events, "actor", "action", "subject", "details"
        )
        if action == "confirmation.issue"
    ]
    assert (actor, subject) == ("vera", made.confirmation_id)
    assert details == {"reason": "the seller asked", "orders": 1}
    stored = dict(rows(house, confirmations, "confirmation_id", "digest"))
    logged = {
        subject: digest
        for kind, subject, digest in rows(house, log_entries, "kind", "subject", "digest")
        if kind == Kind.CONFIRMATION
    }
    assert logged == stored


def test_a_file_that_a_killed_run_did_not_write_is_written_by_the_next(
    house: House, contract: Contract
) -> None:
    lost = ask(house)
    content = lost.file.read_bytes()
    lost.file.unlink()
    ask(house)
    assert lost.file.read_bytes() == content


def test_certificates_that_a_former_key_signed_are_still_confirmed(house: House, contract: Contract) -> None:
    house.secrets.write(SIGNING_KEY, new_key())
    with opened_anew(house.settings) as anew:
        made = anew.confirmer.confirm(Asked("acme-eu", "vera", "the seller asked"))
    told = opened(house, made)
    assert told.whole_contract is not None
    assert told.whole_contract.erased == 3


@pytest.mark.parametrize("what", ["certificate", "certificate of an order", "tombstone", "commitment"])
def test_records_that_contradict_each_other_are_never_confirmed(
    house: House, database: Database, contract: Contract, what: str
) -> None:
    numbers = (1,) if what in ("commitment", "certificate of an order") else ()
    with house.engine.begin() as connection:
        if what == "commitment":
            connection.execute(update(purge_orders).values(commitment=bytes(32)))
    with as_owner(database) as connection:  # the application may not change these
        if what.startswith("certificate"):
            document = rows(house, certificates, "document")[0].replace('"orders": 2', '"orders": 1')
            connection.execute(update(certificates).values(document=document))
        if what == "tombstone":
            connection.execute(delete(tombstones).where(tombstones.c.order_ref == ref(house, 1)))
    with pytest.raises(PurgeUnsound):
        ask(house, *numbers)
    assert rows(house, confirmations) == []


def test_every_byte_of_a_confirmation_counts(house: House, contract: Contract) -> None:
    made = ask(house, 1, 6)
    folder = house.settings.certificates
    keys = read_keys((folder / "jwks.json").read_bytes())
    log_key = (folder / "log.vkey").read_text()
    document = made.file.read_bytes()
    assert verify_confirmation(document, keys, log_key=log_key).confirmation is not None
    assert len(document) > 3_000
    passed = []
    for position in range(len(document)):
        tampered = bytearray(document)
        tampered[position] ^= 1 << position % 8
        if verify_confirmation(bytes(tampered), keys, log_key=log_key).confirmation is not None:
            passed.append(position)
    assert passed == []


def test_a_certificate_is_no_confirmation_and_the_reverse(house: House, contract: Contract) -> None:
    made = ask(house)
    keys = read_keys(house.issuer.public_keys())
    for document in rows(house, certificates, "document"):
        assert verify_confirmation(document.encode(), keys).confirmation is None
        disguised = document.replace('"certificate": {', '"confirmation": {', 1)
        assert disguised != document
        assert verify_confirmation(disguised.encode(), keys).confirmation is None
    assert verify_confirmation(made.document.encode(), keys).confirmation is not None


def test_a_signed_proof_that_leads_nowhere_is_found(house: House, contract: Contract) -> None:
    found = opened(house, ask(house, 1))
    (answer,) = found.orders
    assert answer.proof is not None
    wrong = msgspec.structs.replace(answer, commitment="0" * 64)
    payload = canonical(msgspec.structs.replace(found, orders=(wrong,)))
    document = render(payload, house.signer.token(payload, TYPE))
    keys = read_keys(house.issuer.public_keys())
    assert verify_confirmation(document.encode(), keys).confirmation is None
