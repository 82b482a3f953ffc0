"""Sealing and wrapping: what goes in comes out, for the same place only, and no changed byte passes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.errors import KeyUnavailable
from custody.orders.records import ContractId, OrderRef
from custody.vault.envelope import KEY_BYTES, RECIPIENT, Wrapper, order_ref, seal, unseal

KEY, OTHER_KEY = bytes(range(32)), bytes(32)
ACME, REF = ContractId("acme-eu"), OrderRef("0" * 31 + "1")
keys = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)


@given(keys, st.binary(max_size=2_000))
def test_unseal_after_seal_is_identity(key: bytes, plaintext: bytes) -> None:
    assert unseal(key, ACME, REF, RECIPIENT, seal(key, ACME, REF, RECIPIENT, plaintext)) == plaintext


@given(st.binary(max_size=60), st.data())
def test_a_sealed_record_with_any_changed_bit_does_not_open(plaintext: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, ACME, REF, RECIPIENT, plaintext))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(KeyUnavailable):
        unseal(KEY, ACME, REF, RECIPIENT, bytes(sealed))


@given(st.integers(0, 100))
def test_a_sealed_record_that_was_cut_does_not_open(length: int) -> None:
    sealed = seal(KEY, ACME, REF, RECIPIENT, b"Ann Canaryfield, 410 Larkspurgate" + b"." * 50)
    with pytest.raises(KeyUnavailable):
        unseal(KEY, ACME, REF, RECIPIENT, sealed[:length])


@pytest.mark.parametrize(
    ("key", "contract", "ref", "kind"),
    [
        (OTHER_KEY, ACME, REF, RECIPIENT),
        (KEY, ContractId("zenith-eu"), REF, RECIPIENT),
        (KEY, ACME, OrderRef("0" * 31 + "2"), RECIPIENT),
        (KEY, ACME, REF, "packing_slip"),
    ],
    ids=["other key", "other contract", "other order", "other kind"],
)
def test_a_sealed_record_opens_only_where_it_was_sealed(
    key: bytes, contract: ContractId, ref: OrderRef, kind: str
) -> None:
    sealed = seal(KEY, ACME, REF, RECIPIENT, b"plain")
    with pytest.raises(KeyUnavailable, match=ref) as caught:
        unseal(key, contract, ref, kind, sealed)
    assert "plain" not in str(caught.value)


def test_the_same_text_is_sealed_differently_every_time() -> None:
    assert len({seal(KEY, ACME, REF, RECIPIENT, b"same") for _ in range(50)}) == 50


@given(keys, keys)
def test_unwrap_after_wrap_is_identity_and_60_bytes(contract_key: bytes, key: bytes) -> None:
    wrapper = Wrapper(ACME, 3, contract_key)
    wrapped = wrapper.wrap(REF, key)
    assert len(wrapped) == 60
    assert wrapper.unwrap(REF, wrapped) == key


@pytest.mark.parametrize(
    ("wrapper", "ref"),
    [
        (Wrapper(ACME, 1, OTHER_KEY), REF),
        (Wrapper(ACME, 2, KEY), REF),
        (Wrapper(ContractId("zenith-eu"), 1, KEY), REF),
        (Wrapper(ACME, 1, KEY), OrderRef("0" * 31 + "2")),
    ],
    ids=["other key", "other version", "other contract", "other order"],
)
def test_a_wrapped_key_opens_only_under_its_version_and_for_its_order(
    wrapper: Wrapper, ref: OrderRef
) -> None:
    with pytest.raises(KeyUnavailable):
        wrapper.unwrap(ref, Wrapper(ACME, 1, KEY).wrap(REF, OTHER_KEY))


@given(st.integers(0, 60 * 8 - 1))
def test_a_wrapped_key_with_any_changed_bit_does_not_open(bit: int) -> None:
    wrapped = bytearray(Wrapper(ACME, 1, KEY).wrap(REF, OTHER_KEY))
    wrapped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(KeyUnavailable):
        Wrapper(ACME, 1, KEY).unwrap(REF, bytes(wrapped))


def test_a_reference_is_128_bits_of_hex_that_depend_on_the_installation() -> None:
    here, elsewhere = order_ref(KEY, "302-1-1"), order_ref(OTHER_KEY, "302-1-1")
    assert re.fullmatch(r"[0-9a-f]{32}", here)
    assert here == order_ref(KEY, "302-1-1")
    assert here != elsewhere
