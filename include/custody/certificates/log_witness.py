"""A witness's check: the log as it is now, held against a checkpoint that an outsider kept.

It needs nothing of ours but the public key: neither the database's word nor its stored hashes count.
The rules, in this order, each broken one a verdict of its own:
(1) the kept note is a checkpoint, signed by the log's key;
(2) the present checkpoint is one too, and of the same log;
(3) the log has at least as many entries as either states;
(4) its first entries are those of the kept checkpoint, and all those of the present one;
(5) no entry is older than one before it, and none that came after the kept checkpoint claims to be
    older than the day on which it was kept.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from custody.certificates.checkpoint import (
    Checkpoint,
    NoteForged,
    NoteKey,
    NoteUnreadable,
    read_checkpoint,
)
from custody.certificates.log_entry import LogEntry
from custody.certificates.log_faults import Fault, Finding
from custody.certificates.merkle import EMPTY, Frontier, leaf_hash

# How long an entry may wait for its checkpoint, as in RFC 6962 §3, whose logs have a day for it.
MERGE_DELAY = timedelta(hours=24)

_line = msgspec.json.Decoder(LogEntry)


class Witnessed(msgspec.Struct, frozen=True):
    """The kept checkpoint's size and the present one's, and the first rule that does not hold, if any."""

    kept: int
    present: int
    finding: Finding | None


class _Broken(Exception):
    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.finding = Finding(fault, detail)


def witness(
    kept: bytes,
    present: bytes | None,
    lines: Iterable[bytes],
    keys: Sequence[NoteKey],
    *,
    kept_at: datetime | None = None,
    advance: Callable[[int], None] = lambda rows: None,
) -> Witnessed:
    """Judge the log by the rules above; never raises for what a checkpoint or the log holds.

    ``present`` is the newest checkpoint's note, ``lines`` are the data of the leaves in their order, and
    ``kept_at`` is when the outsider took theirs, if they know.
    """
    sizes = [0, 0]
    try:
        old = _read(kept, keys, "The kept checkpoint")  # (1)
        sizes[0] = old.size
        if present is None:
            raise _Broken(
                Fault.TRUNCATED, f"The log shows no checkpoint; the kept one has {old.size} entries."
            )
        new = _read(present, keys, "The log's checkpoint")  # (2)
        sizes[1] = new.size
        if new.size < old.size:  # (3)
            raise _Broken(
                Fault.TRUNCATED, f"The log has {new.size} of the {old.size} entries that were kept."
            )
        _walk(lines, old, new, kept_at, advance)
    except _Broken as broken:
        return Witnessed(sizes[0], sizes[1], broken.finding)
    return Witnessed(sizes[0], sizes[1], None)


def _walk(
    lines: Iterable[bytes],
    old: Checkpoint,
    new: Checkpoint,
    kept_at: datetime | None,
    advance: Callable[[int], None],
) -> None:
    frontier = Frontier()
    old_root = EMPTY
    not_before = datetime.min.replace(tzinfo=UTC)
    back_dated: int | None = None
    for line in lines:
        if frontier.size == new.size:
            break
        if frontier.size == old.size and kept_at is not None:
            not_before = max(not_before, kept_at - MERGE_DELAY)
        at = _time(line) or not_before
        if at < not_before and back_dated is None:
            back_dated = frontier.size
        not_before = max(not_before, at)
        frontier.append(leaf_hash(line))
        if frontier.size == old.size:
            old_root = frontier.root()
        advance(1)
    _judge(frontier, old, new, old_root)
    if back_dated is not None:  # (5)
        raise _Broken(
            Fault.BACK_DATED, f"Entry {back_dated} claims to be older than what was there before it."
        )


def _judge(frontier: Frontier, old: Checkpoint, new: Checkpoint, old_root: bytes) -> None:
    if frontier.size < old.size:  # (3)
        raise _Broken(Fault.TRUNCATED, f"{frontier.size} of the {old.size} entries that were kept are there.")
    if old_root != old.root:  # (4)
        raise _Broken(Fault.REWRITTEN, f"The first {old.size} entries are not those of the kept checkpoint.")
    if frontier.size < new.size:
        raise _Broken(Fault.TRUNCATED, f"{frontier.size} of the {new.size} entries that are shown are there.")
    if frontier.root() != new.root:
        raise _Broken(Fault.REWRITTEN, f"The {new.size} entries are not those of the log's own checkpoint.")


def _time(line: bytes) -> datetime | None:
    """Give an entry's time; a line that is no entry has none, and is found by the root."""
    try:
        at = _line.decode(line).at
    except (msgspec.DecodeError, UnicodeError):
        return None
    return at if at.tzinfo else None  # one without a zone is none of ours, and cannot be compared


def _read(note: bytes, keys: Sequence[NoteKey], name: str) -> Checkpoint:
    try:
        return read_checkpoint(note.decode(), keys)
    except UnicodeDecodeError:
        raise _Broken(Fault.UNREADABLE, f"{name}: This is no text.") from None
    except NoteUnreadable as error:
        raise _Broken(Fault.UNREADABLE, f"{name}: {error}") from None
    except NoteForged as error:
        raise _Broken(Fault.FORGED, f"{name}: {error}") from None
