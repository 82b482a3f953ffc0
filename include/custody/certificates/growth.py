"""Proof that a log only added to what it was, for an outsider who is shown no entry.

The proof is RFC 9162 §2.1.4's, from the kept checkpoint's size to that of the newest checkpoint.
"""

from collections.abc import Sequence

import msgspec

from custody.certificates.checkpoint import NoteForged, NoteKey, NoteUnreadable, read_checkpoint
from custody.certificates.log_faults import Fault, Finding
from custody.certificates.log_witness import Witnessed
from custody.certificates.merkle import check_consistency


class Growth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is given out: hex hashes that lead from a tree of ``first`` leaves to the checkpoint's."""

    first: int
    hashes: tuple[str, ...]
    checkpoint: str


def witness_growth(kept: bytes, given: bytes, keys: Sequence[NoteKey]) -> Witnessed:
    """Judge a proof against a kept checkpoint, with nothing but the log's public key."""
    try:
        old = read_checkpoint(kept.decode(), keys)
        growth = msgspec.json.decode(given, type=Growth)
        new = read_checkpoint(growth.checkpoint, keys)
        path = [_hash(each) for each in growth.hashes]
    except NoteForged as error:
        return Witnessed(0, 0, Finding(Fault.FORGED, str(error)))
    except (NoteUnreadable, ValueError) as error:  # the decoders' errors are ValueErrors
        detail = str(error) if isinstance(error, NoteUnreadable) else "This is no proof of a log's growth."
        return Witnessed(0, 0, Finding(Fault.UNREADABLE, detail))
    return Witnessed(old.size, new.size, _finding(old.size, new.size, old.root, new.root, growth.first, path))


def _finding(
    old: int, new: int, old_root: bytes, new_root: bytes, first: int, path: Sequence[bytes]
) -> Finding | None:
    if new < old:
        return Finding(Fault.TRUNCATED, f"The log has {new} of the {old} entries that were kept.")
    if first != old:
        return Finding(Fault.UNREADABLE, f"The proof is for a checkpoint of {first} entries, not of {old}.")
    if not check_consistency(old, new, old_root, new_root, path):
        return Finding(Fault.REWRITTEN, f"The first {old} entries are not those of the kept checkpoint.")
    return None


def _hash(text: str) -> bytes:
    decoded = bytes.fromhex(text)
    if decoded.hex() != text or len(decoded) != 32:
        raise ValueError("not the one spelling of a hash")
    return decoded
