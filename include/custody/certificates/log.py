"""The transparency log: what was issued, in one line, so that nothing is withdrawn or back-dated unseen.

Its rules:
- an entry is appended in the transaction of what it is of, and is never changed;
- entries have one order and no gap, and none is older than the one before it;
- a checkpoint is signed only over a log that adds to every checkpoint that was signed before;
- what is signed is stored before it is shown, and the mirror outside the database follows.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, select

from custody.certificates.certificate import LogProof
from custody.certificates.checkpoint import (
    Checkpoint,
    NoteForged,
    NoteSigner,
    NoteUnreadable,
    read_checkpoint,
)
from custody.certificates.growth import Growth
from custody.certificates.log_entry import Kind, LogEntry, leaf, spelled
from custody.certificates.log_mirror import LogMirror
from custody.certificates.log_store import append as append
from custody.certificates.log_store import (
    end_of,
    entries,
    find,
    frontier_of,
    insert_entries,
    newest_of,
    nodes_of,
    publishing,
    stand_in_line,
    store,
)
from custody.certificates.merkle import (
    Frontier,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    range_hash,
    subtrees,
)
from custody.database.proof_tables import log_checkpoints
from custody.errors import LogUnsound


class Log:
    """The log of one installation; ``directory`` is its mirror outside the database."""

    def __init__(
        self, engine: Engine, signer: NoteSigner, directory: Path, clock: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._signer = signer
        self._clock = clock
        self.mirror = LogMirror(directory)

    def verifier_key(self) -> str:
        """Give the line by which anyone can verify the checkpoints."""
        return self._signer.verifier_key()

    def publish(self) -> Checkpoint | None:
        """Sign what is new and bring the mirror up to it; give the newest checkpoint, None of an empty log.

        (1) the log adds to the mirror's checkpoint, or nothing is signed; (2) the new checkpoint is
        stored; (3) the mirror gets the entries, then the checkpoint. A later call takes up what a kill left.
        Raises LogUnsound when the database holds less than was published, or something else.
        """
        with self._engine.connect() as connection, publishing(connection):
            with connection.begin():
                self._sign(connection)
            with connection.begin():
                return self._bring_mirror_up(connection)  # (3)

    def newest(self) -> Checkpoint | None:
        """Give the newest stored checkpoint; None when nothing was published."""
        with self._engine.connect() as connection:
            stored = newest_of(connection)
        return None if stored is None else self._read(stored[1], "the database")

    def prove(self, kind: Kind, subject: str) -> LogProof | None:
        """Prove that a subject is in the log; None when it is not yet under a checkpoint.

        The proof is by the first checkpoint over the entry, so it is the same whenever it is made.
        """
        with self._engine.connect() as connection:
            entry = find(connection, kind, subject)
            if entry is None:
                return None
            covering = (
                select(log_checkpoints.c.size, log_checkpoints.c.note)
                .where(log_checkpoints.c.size > entry.position)
                .order_by(log_checkpoints.c.size)
            )
            row = connection.execute(covering.limit(1)).first()
            if row is None:
                return None
            ranges = inclusion_ranges(entry.position, row.size)
            nodes = nodes_of(connection, (node for each in ranges for node in subtrees(*each)))
        hashes = tuple(range_hash(each, nodes.__getitem__).hex() for each in ranges)
        return LogProof(entry.position, row.size, spelled(entry.at), hashes, row.note)

    def grown(self, first: int) -> Growth:
        """Prove that the newest checkpoint's tree only adds to that of the first so many entries.

        Raises LogUnsound when nothing, or less than that, is under a checkpoint.
        """
        newest = self.newest()
        if newest is None or not 0 <= first <= newest.size:
            held = newest.size if newest else 0
            raise LogUnsound(
                f"The log has {held} entries under a checkpoint, and cannot be proved from {first}."
            )
        ranges = consistency_ranges(first, newest.size)
        with self._engine.connect() as connection:
            nodes = nodes_of(connection, (node for each in ranges for node in subtrees(*each)))
        hashes = tuple(range_hash(each, nodes.__getitem__).hex() for each in ranges)
        return Growth(first, hashes, newest.note)

    def lost(self) -> list[LogEntry]:
        """List the entries that were published and that the database does not hold: it is a restored one.

        Raises LogUnsound when what it does hold is not what was published.
        """
        shown = self._mirrored()  # read first: whatever it shows was stored before, also while others publish
        with self._engine.connect() as connection:
            size, _ = end_of(connection)
            if shown is None or shown.size <= size:
                self._require_nothing_lost(connection, size, shown)
                return []
            published = list(self.mirror.entries(shown.size))
            self._require_same(frontier_of(connection, size).root(), published[:size])
        self._require_same(shown.root, published)
        return published[size:]

    def take_back(self, connection: Connection, lost: Iterable[LogEntry]) -> None:
        """Put lost entries back in their places, in the caller's transaction, as they were published."""
        stand_in_line(connection)
        size, _ = end_of(connection)
        missing = [each for each in lost if each.position >= size]
        if [each.position for each in missing] != list(range(size, size + len(missing))):
            raise LogUnsound("The lost entries do not follow the log's last one; look for them anew.")
        insert_entries(connection, missing, frontier_of(connection, size))

    def _require_nothing_lost(self, connection: Connection, size: int, shown: Checkpoint | None) -> None:
        if shown is None:
            return
        if shown.size > size:
            raise LogUnsound(
                f"The database holds {size} of the {shown.size} entries that {self.mirror.checkpoint} shows: "
                "it was restored from before; replay what it lost, nothing is signed until then."
            )
        if frontier_of(connection, shown.size).root() != shown.root:
            raise LogUnsound(
                f"The log is not the one that {self.mirror.checkpoint} shows; run `custody log verify`."
            )

    def _require_same(self, root: bytes, published: list[LogEntry]) -> None:
        frontier = Frontier()
        for each in published:
            frontier.append(leaf_hash(leaf(each)))
        if frontier.root() != root:
            raise LogUnsound(
                f"The log and {self.mirror.file} differ; nothing was changed, run `custody log verify`."
            )

    def _mirrored(self) -> Checkpoint | None:
        note = self.mirror.read_checkpoint()
        return None if note is None else self._read(note, str(self.mirror.checkpoint))

    def _read(self, note: str, place: str) -> Checkpoint:
        try:
            return read_checkpoint(note, [self._signer.key])
        except (NoteForged, NoteUnreadable) as error:
            raise LogUnsound(f"The checkpoint in {place} is not ours: {error}") from None

    def _sign(self, connection: Connection) -> None:
        stand_in_line(connection)
        size, latest = end_of(connection)
        self._require_nothing_lost(connection, size, self._mirrored())  # (1)
        newest = newest_of(connection)
        if size and latest is not None and (newest is None or newest[0] < size):
            signed = self._signer.sign(size, frontier_of(connection, size).root())
            store(connection, signed, max(self._clock(), latest))  # (2)

    def _bring_mirror_up(self, connection: Connection) -> Checkpoint | None:
        newest = newest_of(connection)
        if newest is None:
            return None
        size, note = newest
        held = self.mirror.held()
        if held > size:
            raise LogUnsound(
                f"{self.mirror.file} holds {held} entries, the log {size}; run `custody log verify`."
            )
        checkpoint = self._read(note, "the database")
        end, _ = end_of(connection)
        if checkpoint.size != size or size > end or frontier_of(connection, size).root() != checkpoint.root:
            raise LogUnsound(
                f"The stored checkpoint of {size} entries is not one of this log; run `custody log verify`."
            )
        self.mirror.extend(leaf(each) for each in entries(connection, held, size))
        self.mirror.show(note)
        return checkpoint
