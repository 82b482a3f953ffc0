"""Verification by a stranger: what was signed is valid, and nothing else is, whatever the file holds."""

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey

from custody.certificates.certificate import Signed, canonical, digest_of, render
from custody.certificates.issue import draw_up
from custody.certificates.signing import Signer, new_key, read_keys
from custody.certificates.verify import Problem, verify
from custody.errors import PurgeUnsound

from ..builders import NOW, make_contract
from .samples import Sample, make_evidence, make_sample

SAMPLE = make_sample()
KEYS = read_keys(SAMPLE.jwks)


def parts(sample: Sample = SAMPLE) -> dict[str, Any]:
    return dict(json.loads(sample.document))


def resigned(payload: bytes, *, header: dict[str, Any] | None = None, key: Any = None) -> bytes:
    """Sign other bytes with the sample's own key, as a careless processor could."""
    head = {"alg": "EdDSA", "kid": SAMPLE.signer.key_id, "typ": "custody-certificate+jws"} | (header or {})
    token = jws.serialize_compact(
        head, payload, key or SAMPLE.signer._key, algorithms=["EdDSA", "HS256", "ES256"]
    )
    return render(payload, token).encode()


def test_a_certificate_is_valid_and_comes_back_as_it_was_signed() -> None:
    verdict = verify(SAMPLE.document, KEYS)
    assert verdict.problem is None
    assert verdict.certificate == SAMPLE.certificate


def test_a_certificate_is_valid_among_the_keys_of_many_years() -> None:
    keys = KeySet([*read_keys(make_sample().jwks).keys, *KEYS.keys, *read_keys(make_sample().jwks).keys])
    assert verify(SAMPLE.document, keys).certificate == SAMPLE.certificate


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(SAMPLE.document) * 8 - 1))
def test_a_certificate_with_one_flipped_bit_is_not_valid(bit: int) -> None:
    tampered = bytearray(SAMPLE.document)
    tampered[bit // 8] ^= 1 << bit % 8
    verdict = verify(bytes(tampered), KEYS)
    assert verdict.certificate is None
    assert verdict.problem is not None
    assert verdict.detail


def test_every_byte_of_a_certificate_counts() -> None:
    """One flip in each byte of the file, the first to the last."""
    document = SAMPLE.document
    assert len(document) > 2_000
    passed = []
    for position in range(len(document)):
        tampered = bytearray(document)
        tampered[position] ^= 1 << position % 8
        if verify(bytes(tampered), KEYS).certificate is not None:
            passed.append(position)
    assert passed == []


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(SAMPLE.document) - 1), st.binary(max_size=3))
def test_a_cut_or_stuffed_certificate_is_valid_only_when_it_still_says_the_same(
    position: int, stuffing: bytes
) -> None:
    assert verify(SAMPLE.document[:position], KEYS).certificate is None or position >= len(
        SAMPLE.document.rstrip()
    )
    stuffed = verify(SAMPLE.document[:position] + stuffing + SAMPLE.document[position:], KEYS)
    assert stuffed.certificate in (None, SAMPLE.certificate)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
@example(b"")
@example(b"null")
@example(b"\xff\xfe{\x00}\x00")
@example(b'{"certificate":' + b"[" * 200_000 + b"]" * 200_000 + b',"digest":"","jws":"a.b.c"}')
@example(b'{"certificate":' + b"9" * 10_000 + b',"digest":"","jws":"a.b.c"}')
@example(b'{"certificate":1e999999,"digest":"","jws":"...."}')
def test_verification_never_fails_for_what_a_file_holds(document: bytes) -> None:
    assert verify(document, KEYS).problem is Problem.MALFORMED


@pytest.mark.parametrize(
    "readable",
    [
        b"[" * 200_000 + b"]" * 200_000,
        b"9" * 4_000,
        b"9" * 5_000,
        b"1e999",
        b'"\\ud800"',
        b'{"a":1,"a":1}',
        b"{}",
    ],
    ids=["deep", "big integer", "bigger integer", "infinite", "lone surrogate", "said twice", "empty"],
)
def test_a_strange_readable_part_over_a_good_signature_is_refused_quietly(readable: bytes) -> None:
    token = json.dumps(parts()["jws"]).encode()
    document = b'{"certificate":%b,"digest":"%b","jws":%b}' % (readable, parts()["digest"].encode(), token)
    verdict = verify(document, KEYS)
    assert verdict.problem in (Problem.MALFORMED, Problem.DIGEST)


def test_the_wrong_key_is_told_from_a_broken_signature() -> None:
    assert verify(SAMPLE.document, read_keys(make_sample().jwks)).problem is Problem.UNKNOWN_KEY
    assert verify(SAMPLE.document, KeySet([])).problem is Problem.UNKNOWN_KEY
    other = OKPKey.generate_key("Ed25519", parameters={"kid": SAMPLE.signer.key_id})
    assert verify(SAMPLE.document, KeySet([other])).problem is Problem.SIGNATURE


@pytest.mark.parametrize("key", [ECKey.generate_key("P-256"), OctKey.generate_key(256)], ids=["EC", "oct"])
def test_a_key_of_another_kind_under_the_same_name_is_refused(key: Any) -> None:
    strange = type(key).import_key(key.as_dict(private=True), {"kid": SAMPLE.signer.key_id})
    assert verify(SAMPLE.document, KeySet([strange])).problem is Problem.SIGNATURE


def test_what_is_to_be_read_must_be_what_was_signed() -> None:
    changed = parts()
    changed["certificate"]["what"]["orders"] = 300
    assert verify(json.dumps(changed).encode(), KEYS).problem is Problem.DIGEST
    changed["digest"] = digest_of(canonical(changed["certificate"]))
    assert verify(json.dumps(changed).encode(), KEYS).problem is Problem.DIGEST
    added = parts()
    added["certificate"]["note"] = "and everything else as well"
    assert verify(json.dumps(added).encode(), KEYS).problem is Problem.DIGEST


def test_a_wrong_digest_is_found() -> None:
    changed = parts() | {"digest": "sha256:" + "0" * 64}
    assert verify(json.dumps(changed).encode(), KEYS).problem is Problem.DIGEST


def test_the_jws_of_another_certificate_does_not_do() -> None:
    other, _ = SAMPLE.signer.sign(
        draw_up(SAMPLE.certificate.who.processor, make_contract(), make_evidence(), NOW)
    )
    swapped = parts() | {"jws": json.loads(other)["jws"]}
    assert verify(json.dumps(swapped).encode(), KEYS).problem is Problem.DIGEST


@pytest.mark.parametrize("where", ["file", "certificate", "what"])
def test_a_name_that_stands_twice_is_refused(where: str) -> None:
    text = SAMPLE.document.decode()
    before, twice = {
        "file": ('"digest"', '"digest": "sha256:0", "digest"'),
        "certificate": ('"certificate_id"', '"certificate_id": "another", "certificate_id"'),
        "what": ('"orders"', '"orders": 300, "orders"'),
    }[where]
    assert before in text
    assert verify(text.replace(before, twice, 1).encode(), KEYS).problem is Problem.MALFORMED


def test_an_unknown_part_of_the_file_is_refused() -> None:
    assert verify(json.dumps(parts() | {"comment": "valid!"}).encode(), KEYS).problem is Problem.MALFORMED


def test_a_file_laid_out_otherwise_is_the_same_certificate() -> None:
    assert verify(json.dumps(parts()).encode(), KEYS).certificate == SAMPLE.certificate
    assert verify(json.dumps(parts(), ensure_ascii=False, indent=7).encode(), KEYS).certificate is not None


@pytest.mark.parametrize(
    "header", [{"typ": "JWT"}, {"crit": ["b64"], "b64": False}, {"jwk": {"kty": "OKP"}}, {"cty": "json"}]
)
def test_a_signature_with_another_header_is_refused(header: dict[str, Any]) -> None:
    payload = canonical(SAMPLE.certificate)
    head = {"alg": "EdDSA", "kid": SAMPLE.signer.key_id, "typ": "custody-certificate+jws"} | header
    encoded = [base64.urlsafe_b64encode(each).rstrip(b"=") for each in (json.dumps(head).encode(), payload)]
    token = b".".join([*encoded, base64.urlsafe_b64encode(bytes(64)).rstrip(b"=")])
    assert verify(render(payload, token.decode()).encode(), KEYS).problem is Problem.MALFORMED


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256", "ES256", ""])
def test_another_algorithm_is_refused(algorithm: str) -> None:
    head, payload, signature = parts()["jws"].split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    forged = base64.urlsafe_b64encode(json.dumps(header | {"alg": algorithm}).encode()).rstrip(b"=").decode()
    for tail in (signature, ""):
        document = json.dumps(parts() | {"jws": f"{forged}.{payload}.{tail}"}).encode()
        assert verify(document, KEYS).problem is Problem.MALFORMED


def test_the_public_key_used_as_a_shared_secret_forges_nothing() -> None:
    secret = OctKey.import_key(SAMPLE.jwks, {"kid": SAMPLE.signer.key_id})
    forged = resigned(canonical(SAMPLE.certificate), header={"alg": "HS256"}, key=secret)
    assert verify(forged, KEYS).problem is Problem.MALFORMED


def test_a_second_spelling_of_the_same_signature_is_refused() -> None:
    padded = parts() | {"jws": parts()["jws"] + "=="}
    assert verify(json.dumps(padded).encode(), KEYS).problem is Problem.MALFORMED


def test_signed_bytes_that_are_no_certificate_are_refused() -> None:
    assert verify(resigned(canonical({"hello": "world"})), KEYS).problem is Problem.MALFORMED


def test_the_public_keys_hold_no_private_half() -> None:
    private = msgspec.json.decode(new_key())
    public = json.loads(Signer(canonical(private)).public_keys())
    assert private["d"] not in json.dumps(public)
    assert [set(key) for key in public["keys"]] == [{"alg", "crv", "kid", "kty", "use", "x"}]


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b"\xff", b'{"keys": 3}', b'{"keys": [{"kty": "X"}]}', b"[" * 10**5]
)
def test_what_is_no_key_set_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match="JWK"):
        read_keys(text)


@pytest.mark.parametrize("missing", ["erasure", "destruction", "verification"])
def test_nothing_is_certified_before_every_step_is_done(missing: str) -> None:
    evidence = msgspec.structs.replace(make_evidence(), **{missing: None})
    with pytest.raises(PurgeUnsound, match="not verified"):
        draw_up(SAMPLE.certificate.who.processor, make_contract(), evidence, NOW)


def test_the_file_is_made_of_three_parts_that_people_can_read() -> None:
    signed = msgspec.json.decode(SAMPLE.document, type=Signed)
    assert signed.digest == digest_of(canonical(SAMPLE.certificate))
    assert "Söhne & Töchter «Ακμή» 株式会社" in SAMPLE.document.decode()
