"""Receipts of destroyed keys: issued once for a purge, by a key that signs nothing else."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import ProgrammingError

from custody.bootstrap import House
from custody.certificates.certificate import canonical, digest_of
from custody.certificates.log_entry import Kind
from custody.certificates.receipt import TYPE, Receipt, read_receipt, receipt_for
from custody.certificates.receipt_store import issue_receipt, receipt_of
from custody.certificates.signing import Role, Signer, key_set, new_key, read_keys
from custody.certificates.token import Invalid, Problem
from custody.database.proof_tables import receipts

from ..builders import NOW, make_contract, rows
from .logged import all_entries

SIGNER = Signer(new_key(), role=Role.RECEIPT)
KEYS = read_keys(key_set(Signer(new_key()), SIGNER))
RECEIPT = receipt_for("purge-1", make_contract().contract_id, ["acme-eu/1"], NOW)
TOKEN = SIGNER.token(canonical(RECEIPT), TYPE)


def issue(house: House, receipt: Receipt = RECEIPT) -> str:
    with house.engine.begin() as connection:
        return issue_receipt(connection, SIGNER, receipt, house.clock())


def test_a_receipt_is_read_as_it_was_issued(house: House) -> None:
    assert read_receipt(issue(house), KEYS) == RECEIPT


def test_a_receipt_is_issued_and_logged_once(house: House) -> None:
    assert issue(house) == issue(house)
    later = msgspec.structs.replace(RECEIPT, tool="custody 9.9")
    assert issue(house, later) == issue(house)
    (row,) = rows(house, receipts)
    (entry,) = all_entries(house)
    assert (row.receipt_id, row.digest) == ("receipt-purge-1", digest_of(canonical(RECEIPT)))
    assert (entry.kind, entry.subject, entry.digest) == (Kind.RECEIPT, row.receipt_id, row.digest)


def test_a_receipt_that_is_rolled_back_is_neither_stored_nor_logged(house: House) -> None:
    with house.engine.connect() as connection:
        issue_receipt(connection, SIGNER, RECEIPT, NOW)
        connection.rollback()
    assert (rows(house, receipts), all_entries(house)) == ([], [])


def test_a_purge_that_destroyed_no_key_has_no_receipt(house: House) -> None:
    token = issue(house)
    with house.engine.connect() as connection:
        assert receipt_of(connection, "purge-1") == token
        assert receipt_of(connection, "purge-2") is None


def test_a_receipt_cannot_be_changed_by_the_application(house: House) -> None:
    issue(house)
    with pytest.raises(ProgrammingError, match="permission"), house.engine.begin() as connection:
        connection.execute(receipts.update().values(document=""))


@given(st.integers(0, len(TOKEN) * 8 - 1))
def test_one_flipped_bit_of_a_receipt_is_found(bit: int) -> None:
    tampered = bytearray(TOKEN.encode())
    tampered[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Invalid) as found:
        read_receipt(tampered.decode("latin-1"), KEYS)
    assert found.value.problem is Problem.RECEIPT


def test_a_receipt_of_a_key_that_signs_certificates_is_refused() -> None:
    certificates_key = Signer(new_key())
    token = certificates_key.token(canonical(RECEIPT), TYPE)
    with pytest.raises(Invalid, match="may not sign this"):
        read_receipt(token, read_keys(key_set(certificates_key, SIGNER)))


def test_each_key_of_an_installation_is_another(house: House) -> None:
    published = msgspec.json.decode(house.issuer.public_keys())["keys"]
    assert len({key["kid"] for key in published}) == len({key["x"] for key in published}) == 3
    assert [key.get("custody_role") for key in published] == [None, "receipt", "log"]
