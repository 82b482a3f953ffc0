"""Certificates that say other things than the sample does, signed and logged by the sample's own keys."""

import json
from typing import Any

import msgspec

from custody.certificates.certificate import (
    TYPE,
    LogProof,
    canonical,
    digest_of,
    payload_of,
    render,
)
from custody.certificates.log_entry import Kind, LogEntry, leaf, spelled
from custody.certificates.merkle import Tree, leaf_hash
from custody.certificates.receipt import TYPE as RECEIPT

from ..builders import NOW
from .whole import Whole

ENTRIES, POSITION = 11, 6


def signed_in(whole: Whole) -> dict[str, Any]:
    """Give what the sample signs, to be changed."""
    return dict(json.loads(payload_of(json.loads(whole.document)["jws"])))


def signed_anew(whole: Whole, payload: dict[str, Any] | bytes, **parts: Any) -> str:
    """Sign another payload, with its own place in the log; ``parts`` replace those of the file."""
    said = payload if isinstance(payload, bytes) else canonical(payload)
    given: dict[str, Any] = {"receipt": json.loads(whole.document)["receipt"], "log": logged(whole, said)}
    return render(said, whole.signer.token(said, TYPE), **(given | parts))


def logged(whole: Whole, payload: bytes) -> LogProof:
    """Log the digest of a payload among others, and prove its place."""
    entries = [
        LogEntry(number, Kind.CERTIFICATE, f"purge-{number}", f"sha256:{number:064x}", NOW)
        for number in range(ENTRIES)
    ]
    subject = json.loads(payload).get("certificate_id", "")
    entries[POSITION] = LogEntry(POSITION, Kind.CERTIFICATE, subject, digest_of(payload), NOW)
    tree = Tree([leaf_hash(leaf(each)) for each in entries])
    hashes = tuple(each.hex() for each in tree.inclusion(POSITION))
    return LogProof(
        POSITION, ENTRIES, spelled(NOW), hashes, whole.note_signer.sign(ENTRIES, tree.root()).note
    )


def receipt_token(whole: Whole, **changes: Any) -> str:
    """Sign another receipt by the receipt key."""
    return whole.receipt_signer.token(canonical(msgspec.structs.replace(whole.receipt, **changes)), RECEIPT)
