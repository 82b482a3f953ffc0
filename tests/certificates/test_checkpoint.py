"""Checkpoints: the notes that C2SP describes, read strictly, and taken from the log's key only."""

import base64
import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.certificates.checkpoint import (
    NoteForged,
    NoteSigner,
    NoteUnreadable,
    new_log_key,
    read_checkpoint,
    read_verifier_keys,
)

ROOT = sha256(b"root").digest()
SIGNER = NoteSigner(new_log_key())
SIGNED = SIGNER.sign(20852163, ROOT)
KEYS = read_verifier_keys(SIGNER.verifier_key())

# The checkpoint of Go's checksum database that C2SP's and Go's own documents show, and its public key.
SUMDB_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def test_a_checkpoint_is_read_as_it_was_signed() -> None:
    read = read_checkpoint(SIGNED.note, KEYS)
    assert (read.origin, read.size, read.root) == (SIGNER.key.name, 20852163, ROOT)
    assert SIGNER.sign(20852163, ROOT) == SIGNED


def test_the_note_has_the_lines_that_c2sp_describes() -> None:
    origin, size, root, blank, signature, end = SIGNED.note.split("\n")
    assert (origin, size, blank, end) == (SIGNER.key.name, "20852163", "", "")
    assert base64.b64decode(root) == ROOT
    assert signature.startswith(f"— {origin} ")
    assert len(base64.b64decode(signature.split(" ")[2])) == 4 + 64


def test_a_public_key_of_another_log_is_read_as_go_writes_it() -> None:
    (key,) = read_verifier_keys(SUMDB_KEY)
    assert (key.name, key.key_id.hex(), len(key.public)) == ("sum.golang.org", "033de0ae", 32)
    with pytest.raises(NoteForged):
        read_checkpoint(SIGNED.note, [key])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(SIGNED.note.encode()) * 8 - 1))
def test_one_flipped_bit_of_a_checkpoint_is_found(bit: int) -> None:
    tampered = bytearray(SIGNED.note.encode())
    tampered[bit // 8] ^= 1 << bit % 8
    with pytest.raises((NoteForged, NoteUnreadable, UnicodeDecodeError)):
        read_checkpoint(tampered.decode(), KEYS)


def test_every_byte_of_a_checkpoint_counts() -> None:
    note = SIGNED.note.encode()
    passed = []
    for position in range(len(note)):
        for bit in range(8):
            tampered = bytearray(note)
            tampered[position] ^= 1 << bit
            try:
                read_checkpoint(tampered.decode(), KEYS)
            except (NoteForged, NoteUnreadable, UnicodeDecodeError):
                continue
            passed.append((position, bit))
    assert passed == []


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "\n\n",
        "no note at all",
        SIGNED.note.removesuffix("\n"),
        SIGNED.note.replace("\n20852163\n", "\n020852163\n"),
        SIGNED.note.replace("\n20852163\n", "\n-1\n"),
        SIGNED.note.replace("\n20852163\n", "\n" + "9" * 5000 + "\n"),
        SIGNED.note.replace("\n", "\r\n"),
        SIGNED.note.replace("—", "-"),
        SIGNED.note.replace("\n\n", "\n"),
        "one\n\n" + SIGNED.note.split("\n\n")[1],
    ],
)
def test_what_is_no_checkpoint_is_unreadable(note: str) -> None:
    with pytest.raises(NoteUnreadable):
        read_checkpoint(note, KEYS)


def test_a_witness_may_add_its_signature() -> None:
    other = NoteSigner(new_log_key())
    line = f"— witness.example {base64.b64encode(other.key.key_id + bytes(72)).decode()}\n"
    assert read_checkpoint(SIGNED.note + line, KEYS).size == 20852163


def test_a_checkpoint_of_another_log_is_forged_even_under_our_name() -> None:
    written = json.loads(new_log_key()) | {"kid": SIGNER.key.name}
    namesake = NoteSigner(json.dumps(written).encode())
    with pytest.raises(NoteForged):
        read_checkpoint(namesake.sign(5, ROOT).note, KEYS)


def test_the_key_of_one_log_signs_no_other() -> None:
    text = SIGNED.note.split("\n\n")[0].replace(SIGNER.key.name, "another.log/1") + "\n"
    from custody.certificates import checkpoint

    signature = SIGNER.key.key_id + checkpoint._ED25519.sign(text.encode(), SIGNER._key)
    note = f"{text}\n— {SIGNER.key.name} {base64.b64encode(signature).decode()}\n"
    with pytest.raises(NoteForged, match="another log"):
        read_checkpoint(note, KEYS)


def test_a_later_key_of_the_same_log_verifies_beside_the_former() -> None:
    written = json.loads(new_log_key()) | {"kid": SIGNER.key.name}
    later = NoteSigner(json.dumps(written).encode())
    both = read_verifier_keys(SIGNER.verifier_key() + later.verifier_key())
    assert read_checkpoint(SIGNED.note, both).size == 20852163
    assert read_checkpoint(later.sign(20852164, ROOT).note, both).size == 20852164


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "name",
        "a+b",
        "a b+00000000+AA==",
        SUMDB_KEY.replace("033d", "033e"),
        SUMDB_KEY + "A",
        SUMDB_KEY[:-4],
    ],
)
def test_what_is_no_public_key_is_unreadable(text: str) -> None:
    with pytest.raises(NoteUnreadable):
        read_verifier_keys(text)


def test_the_public_key_is_all_that_is_told_of_the_key() -> None:
    private = new_log_key()
    assert json.loads(private)["d"] not in NoteSigner(private).verifier_key()
