"""Searching bytes for many values at once, in every form in which a program may have written them.

1. A value that chance alone could write (a few bytes, a few digits) is no evidence: skipped and counted.
2. Each other value is looked for as UTF-8, UTF-16LE, JSON and Python escapes, URL encoding and hexadecimal,
   all without regard to ASCII case, and as base64 at its three alignments.
3. A hit names where, what kind and in which form, never the value.
"""

import base64
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

from ahocorasick_rs import BytesAhoCorasick
from psycopg import sql

from custody_local.postgres import PostgresServer

FEWEST_BYTES = (
    6  # 48 bits: in 1 GB of random bytes, a thousand such values have a chance of 1 in 280 to turn up
)
FEWEST_DIGITS = 8  # shorter ones are part of times, ids and sizes
FEWEST_BASE64 = 7  # what is left of the base64 of 6 bytes in the worst of the three alignments


@dataclass(frozen=True, slots=True)
class Hit:
    """Where something was found; the value itself stays out."""

    place: str
    offset: int
    kind: str
    form: str


@dataclass(frozen=True, slots=True)
class Searched:
    """What was looked through, and what was found there."""

    places: frozenset[str]
    size: int
    hits: tuple[Hit, ...]

    def __add__(self, other: "Searched") -> "Searched":
        return Searched(self.places | other.places, self.size + other.size, self.hits + other.hits)


class ByteSearch:
    """A set of values, each with its kind, ready to be looked for."""

    def __init__(self, values: Iterable[tuple[str, str]]) -> None:
        kinds = {value: kind for kind, value in values}
        self.skipped = Counter(kind for value, kind in kinds.items() if not is_evidence(value))
        self.looked_for = Counter(kind for value, kind in kinds.items() if is_evidence(value))
        folded: dict[bytes, tuple[str, str]] = {}
        exact: dict[bytes, tuple[str, str]] = {}
        for value, kind in kinds.items():
            if is_evidence(value):
                for form, written in foldable_forms(value):
                    folded.setdefault(written.lower(), (kind, form))
                for written in base64_forms(value):
                    exact.setdefault(written, (kind, "base64"))
        self._folded, self._exact = _Automaton(folded), _Automaton(exact)

    def in_bytes(self, content: bytes, place: str) -> Searched:
        """Look through bytes; the path of a file counts as its content."""
        hits = [*self._folded.find(content.lower(), place), *self._exact.find(content, place)]
        return Searched(frozenset({place}), len(content), tuple(hits))

    def in_tree(self, root: Path) -> Searched:
        """Look through every byte of every file below a directory, and through their names."""
        found = Searched(frozenset(), 0, ())
        for file in files_below(root):
            name = str(file.relative_to(root))
            with suppress(FileNotFoundError):  # a process has taken it away
                found += self.in_bytes(file.read_bytes(), name)
                found += self.in_bytes(os.fsencode(name), name)
        return found

    def in_databases(self, server: PostgresServer, *databases: str) -> Searched:
        """Look through all rows: a long value is compressed in its file, where no search can see it."""
        found = Searched(frozenset(), 0, ())
        for database in databases:
            for table, content in rows_of(server, database):
                found += self.in_bytes(content, f"{database}:{table}")
        return found


class _Automaton:
    def __init__(self, patterns: dict[bytes, tuple[str, str]]) -> None:
        self._meanings = list(patterns.values())
        self._automaton = BytesAhoCorasick(list(patterns)) if patterns else None

    def find(self, content: bytes, place: str) -> Iterator[Hit]:
        if self._automaton is None:
            return
        for pattern, start, _ in self._automaton.find_matches_as_indexes(content):
            kind, form = self._meanings[pattern]
            yield Hit(place, start, kind, form)


def is_evidence(value: str) -> bool:
    """Tell whether a value, found somewhere, shows that it was written there."""
    digits = "".join(character for character in value if character.isalnum())
    few_digits = digits.isdecimal() and len(digits) < FEWEST_DIGITS
    return len(value.encode()) >= FEWEST_BYTES and not few_digits


def foldable_forms(value: str) -> Iterator[tuple[str, bytes]]:
    """Write a value in the forms in which the case of ASCII letters says nothing."""
    yield "utf-8", value.encode()
    yield "utf-16le", value.encode("utf-16le")
    yield "json", json.dumps(value)[1:-1].encode()
    yield "json in utf-8", json.dumps(value, ensure_ascii=False)[1:-1].encode()
    yield "python", ascii(value)[1:-1].encode()
    yield "python bytes", repr(value.encode())[2:-1].encode()
    yield "url", quote(value, safe="").encode()
    yield "url path", quote(value).encode()
    yield "url form", quote_plus(value).encode()
    yield "hexadecimal", value.encode().hex().encode()


def base64_forms(value: str) -> Iterator[bytes]:
    """Write what does not depend on a value's neighbors in base64, at each of the three alignments."""
    content = value.encode()
    for before in range(3):
        first = (0, 2, 3)[before]  # characters that hold bits of what stands before
        whole = (before + len(content)) * 8 // 6  # characters that hold no bit of what follows
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            written = encode(bytes(before) + content)[first:whole]
            if len(written) >= FEWEST_BASE64:
                yield written


def files_below(root: Path) -> Iterator[Path]:
    """List all files; links are not followed, since what they lead to is listed itself."""
    for directory, _, names in os.walk(root):
        for name in names:
            file = Path(directory, name)
            if file.is_file() and not file.is_symlink():
                yield file


def rows_of(server: PostgresServer, database: str) -> Iterator[tuple[str, bytes]]:
    """Read each table of a database as PostgreSQL's binary COPY has it: values whole and uncompressed."""
    with server.connection(database) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
        ).fetchall()
        for schema, table in tables:
            command = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT binary)").format(
                sql.Identifier(str(schema), str(table))
            )
            with connection.cursor().copy(command) as copy:
                yield f"{schema}.{table}", b"".join(bytes(part) for part in copy)
