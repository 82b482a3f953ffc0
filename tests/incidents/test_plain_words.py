"""What people type of an incident names nobody; ordinary words are let through."""

import string
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from uuid import UUID

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from custody.errors import BadInput
from custody.incidents.kinds import Kind
from custody.incidents.plain_words import MOST, objection_to, plain

from ..builders import ANN, OLGA, order_id

PROSE = (
    "The alarm rule was never deployed; two people thought the other one had it.",
    "A token was used from elsewhere at 03:12:45 on 2026-11-23, and again at 2026-11-23T04:00:00+00:00.",
    "1,250,000 orders of 3 contracts were counted between 2026-11-01 and 2026-11-23.",
    "Seen from 203.0.113.77 and 192.168.100.200:5432, within 10.0.0.0/24, over TLS 1.3 and Python 3.11.7.",
    "incident-20261120T120000-22fd56b2e8c9 follows purge-20261120T120000-123456789012 of acme-eu.",
    "Order 0123456789abcdef0123456789abcdef and 00000000000000000000000000000000 were opened once.",
    "CVE-2026-12345678 is fixed in version 2.11.10.4 of the image sha256:"
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.",
    "Due 23.11.2026, or 11/23/2026 as they write it; 12-13 May; about 1 000 000 rows; 99.95 % were fine.",
    "We met in the road map review; 2 ways remain, the recipient: unknown, the buyer: 3 of 12.",
    "Rotated at 14:05, read back at 14:07 (7 min), 24 h after 2026-11-22 14:05:00 UTC.",
    "Hold hold-0123456789abcdef, run scheduled__2026-11-23T02:41:00+00:00, pick-20261120T120000-ab12cd34.",
    "The ID 48213 of a ticket, port 5432, HTTP 503, exit status 137, RFC 9162, NIST SP 800-88 Rev. 2.",
    "customer: acme-eu; recipients: 12; address of the host: 10.0.0.1; street level; name: unknown.",
    "A UUID such as 3f2504e0-4f89-11d3-9a0c-0305e82c3301 is no number to dial, nor is commit 4672d8d.",
    "Die Löschung lief; la purge a réussi; очистка выполнена; 消去は完了した。",
    "Line one.\nLine two;\tindented.",
)
PERSONAL = {
    "a mail address": (
        "ann.canaryfield@example.com called",
        "mail to <ann+returns@sub.example.co.uk>",
        "ann＠example.com",
        "ann@\u200bexample.com",
    ),
    "a telephone number": (
        "+44 1632 960 001",
        "call 0171-2345678 today",
        "(415) 555-0132",
        "tel. 555 0132 77",
        "0049 30 1234567",
        "01632960001",
        "+1.415.555.0132",
        "612 345 678",
        "612.345.678",
        "030/1234567",
        "0171 2345678 0171 2345679",
        "１２３-４５６７-８９０",
        "+44\u00a01632\u2011960\u2011001",
    ),
    "an order id": ("302-0000001-7654322", "order 302\u20110000001\u20117654322 was opened"),
    "a person's address": (
        "to 410 Larkspur Gate Road in Brindlemoor",
        "221b Baker Street",
        "17 Elm Tree Close",
        "1600 Pennsylvania Ave",
        "Lindenstraße 12",
        "12, rue de la Paix",
        "calle de Alcalá 50",
        "ул. Канареечная 17",
        "P.O. Box 1234",
        "Brindlemoor QZ7 4XK",
        "Springfield, OR 97477",
        "recipient: Ann Canaryfield",
        "Buyer's name = Ольга",
        "ship to: Ann",
        "zip: 94110",
    ),
    "a credential": (
        "Atzr|IwEBIAbc",
        "AKIAIOSFODNN7EXAMPLE was in the log",
        "amzn1.oa2-cs.v1.abc",
        "-----BEGIN PRIVATE KEY-----",
    ),
}


@pytest.mark.parametrize("text", PROSE, ids=lambda text: text[:30])
def test_ordinary_words_are_let_through(text: str) -> None:
    assert objection_to(text) is None
    assert plain(f"  {text} \r\n", what="The summary") == text


@pytest.mark.parametrize("kind", Kind)
def test_what_we_say_of_a_kind_is_plain(kind: Kind) -> None:
    assert objection_to(f"{kind}: {kind.sentence}") is None


@pytest.mark.parametrize(
    ("what", "text"), [(what, text) for what, texts in PERSONAL.items() for text in texts]
)
def test_what_names_a_person_is_refused_and_not_repeated(what: str, text: str) -> None:
    with pytest.raises(BadInput, match="The root cause holds what looks like") as caught:
        plain(f"It went to {text} by mistake.", what="The root cause")
    said = str(caught.value)
    assert any(word in said for word in ("address", "number", "order id", "credential"))
    longest = max(text.split(), key=len)
    assert longest not in said


def test_an_order_goes_by_its_ref() -> None:
    assert "give the order's ref" in str(objection_to(f"{order_id(1)} was opened twice"))


def test_no_field_of_our_cast_but_a_bare_name_or_city_goes_through() -> None:
    kept = {
        value
        for person in (ANN, OLGA)
        for value in (person.name, person.address_line_1, person.city, person.postal_code)
        if value and objection_to(f"It was sent to {value}.") is None
    }
    assert kept == {ANN.name, OLGA.name, ANN.city, OLGA.city, ANN.address_line_1, OLGA.postal_code}


@pytest.mark.parametrize("text", ["", "  \n", "\u00a0"])
def test_nothing_is_no_sentence(text: str) -> None:
    with pytest.raises(BadInput, match="The summary is empty"):
        plain(text, what="The summary")


@pytest.mark.parametrize("text", ["a\x00b", "a\x1b[2Jb", "a\udcffb"])
def test_what_a_database_cannot_keep_or_a_terminal_obeys_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="a character that cannot be kept"):
        plain(text, what="The summary")


def test_what_is_too_long_is_refused_before_it_is_searched() -> None:
    with pytest.raises(BadInput, match=f"more than {MOST} letters"):
        plain("1-" * 2_000_000, what="The summary")


@given(st.text(max_size=MOST))
def test_any_text_is_kept_or_refused_in_one_sentence_that_can_be_stored(text: str) -> None:
    try:
        kept = plain(text, what="The summary")
    except BadInput:
        return
    assert kept == kept.strip() != ""
    assert "\x00" not in kept
    kept.encode()


WORDS = st.text(string.ascii_letters, min_size=1, max_size=8)


@given(WORDS, WORDS, st.sampled_from(["com", "co.uk", "invalid"]), WORDS, WORDS)
def test_a_mail_address_is_seen_among_any_words(
    name: str, host: str, top: str, before: str, after: str
) -> None:
    assert objection_to(f"{before} {name}@{host}.{top} {after}") is not None


@given(
    st.lists(st.from_regex(r"\A[0-9]{2,4}\Z"), min_size=3, max_size=4),
    st.sampled_from([" ", "-", ".", "/"]),
    st.sampled_from(["+", "00"]),
)
def test_a_number_that_is_dialed_from_abroad_is_seen(groups: list[str], gap: str, prefix: str) -> None:
    digits = sum(map(len, groups))
    assume(7 <= digits <= 12)
    assume(all(each.isascii() and not each.startswith("20") for each in groups))  # no date
    assert objection_to(f"call {prefix}{'1' + gap.join(groups)} now") is not None


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_an_order_id_is_never_let_through(one: int, other: int) -> None:
    assert objection_to(f"order {302}-{one % 10**7:07}-{other % 10**7:07}, twice") is not None


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(days=400)))
@example(datetime(2026, 11, 23, tzinfo=UTC), timedelta(0))
def test_times_are_ordinary_words(moment: datetime, later: timedelta) -> None:
    end = moment + later
    texts = (
        moment.isoformat(),
        f"{moment:%Y-%m-%d %H:%M} UTC to {end:%Y-%m-%d %H:%M:%S}",
        f"{moment:%d.%m.%Y}, {moment:%m/%d/%Y} and {moment:%H:%M:%S}",
        f"{moment:%Y-%m-%d} {end:%Y-%m-%d}",
        f"{moment:%Y-%m-%d}..{end:%Y-%m-%d}",
    )
    assert [text for text in texts if objection_to(f"from {text} on") is not None] == []


@given(MOMENTS, st.binary(min_size=6, max_size=6), st.sampled_from(["incident", "purge"]))
@example(datetime(2026, 11, 23, tzinfo=UTC), bytes.fromhex("123456789012"), "purge")
def test_our_ids_are_ordinary_words(moment: datetime, random: bytes, of: str) -> None:
    assert objection_to(f"See {of}-{moment:%Y%m%dT%H%M%S}-{random.hex()}, and act.") is None


@given(st.binary(min_size=16, max_size=16), st.uuids())
@example(bytes.fromhex("12345678901234567890123456789012"), UUID("24813131-1122-5410-6235-660440947871"))
def test_refs_are_ordinary_words(ref: bytes, number: UUID) -> None:
    assert objection_to(f"Orders {ref.hex()}, {ref.hex() * 2} ({number}).") is None


@given(st.ip_addresses(v=4), st.integers(1, 65535), st.integers(0, 32))
def test_network_addresses_are_ordinary_words(address: IPv4Address, port: int, bits: int) -> None:
    assert objection_to(f"from {address} and {address}:{port}, in {address}/{bits}") is None


@given(st.integers(0, 10**8 - 1), st.integers(0, 10**10))
def test_counts_are_ordinary_words(count: int, large: int) -> None:
    assert objection_to(f"{count} of {large:,} orders") is None
