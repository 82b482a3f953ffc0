"""The sections of a certificate: each signed field in its place, and what has none under its own name.

``rendering/layout.json`` gives the places. A field is shown once, where it is expected, if it has the
form that is expected there; else in the rest of the section that its object belongs to, or at the end.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from custody.certificates.wording import Place, at, is_plain, looks_mono, named, text_of

Fields = Mapping[str, Any]


class Row(NamedTuple):
    """A label and what stands beside it; ``mono`` is for digests and ids."""

    label: str
    text: str
    mono: bool = False


class Grid(NamedTuple):
    """A table: the cells of its head, and of each row."""

    title: str
    head: list[str]
    rows: list[list[str]]


class Points(NamedTuple):
    """A list of sentences."""

    title: str
    items: list[str]


class Section(msgspec.Struct, frozen=True):
    """One part of the certificate, under one heading."""

    title: str
    rows: list[Row]
    grids: list[Grid]
    lists: list[Points]
    notes: list[str]

    @property
    def empty(self) -> bool:
        """Tell whether nothing stands under the heading."""
        return not (self.rows or self.grids or self.lists or self.notes)


class Sections:
    """Puts the fields of one object into sections; it remembers which it has placed."""

    def __init__(self, words: list[dict[str, Any]]) -> None:
        self._words = words
        self._taken: set[Place] = set()
        self._placed = [
            place_of(written)
            for each in words
            for written in (
                *(row[0] for row in each.get("rows", ())),
                *(part["path"] for kind in ("tables", "lists") for part in each.get(kind, ())),
            )
        ]
        self._rests = {place_of(each["rest"]) for each in words if "rest" in each}

    def of(self, fields: Fields) -> Iterator[Section]:
        """Give the sections of an object, in their order; some may be empty."""
        return (self._section(each, fields) for each in self._words)

    def rows(self, known: list[list[str]], fields: Fields) -> list[Row]:
        """Give the rows of fields that are there and are written in one line."""
        rows = []
        for written, label, *more in known:
            kind, empty = (*more, "", "")[:2]
            found, field = at(fields, place_of(written))
            if not found or not is_plain(field):
                continue
            self._taken.add(place_of(written))
            if kind != "optional" or field not in ("", None):
                rows.append(Row(label, text_of(field, empty), kind == "mono"))
        return rows

    def _section(self, words: dict[str, Any], fields: Fields) -> Section:
        made = Section(words["title"], self.rows(words.get("rows", []), fields), [], [], [])
        for each in words.get("tables", ()):
            self._grid(each, fields, made)
        for each in words.get("lists", ()):
            self._list(each, fields, made)
        if "rest" in words:
            rest = place_of(words["rest"])
            found, value = at(fields, rest)
            if found and isinstance(value, dict):
                self._further(value, rest, made, below=len(rest))
                self._taken.add(rest)
        return made

    def _list(self, words: dict[str, Any], fields: Fields, made: Section) -> None:
        place = place_of(words["path"])
        _, value = at(fields, place)
        if not isinstance(value, list) or not is_plain(value):
            return
        self._taken.add(place)
        if value:
            made.lists.append(Points(words.get("title", ""), [text_of(each) for each in value]))
        elif "empty" in words:
            made.notes.append(words["empty"])

    def _grid(self, words: dict[str, Any], fields: Fields, made: Section) -> None:
        place = place_of(words["path"])
        _, value = at(fields, place)
        names = words.get("names", {})
        members = _members(value, [*names])
        if members is None:
            return
        self._taken.add(place)
        if not members:
            made.notes.extend([words["empty"]] if "empty" in words else [])
            return
        cells = [
            (name, {key: each[key] for key in each if (*place, name, key) not in self._placed})
            for name, each in members
            if (*place, name) not in self._rests
        ]
        columns = _columns(words["columns"], [left for _, left in cells])
        keyed = isinstance(value, dict)
        head = ([words.get("key", "")] if keyed else []) + [label for _, label, _ in columns]
        rows = [
            ([names.get(name) or named((name,))] if keyed else [])
            + [text_of(left[key], empty) if key in left else "" for key, _, empty in columns]
            for name, left in cells
        ]
        made.grids.append(Grid(words.get("title", ""), head, rows))

    def _further(self, fields: Fields, place: Place, made: Section, *, below: int) -> None:
        """Show what has not been shown, under its name from that depth of its place on."""
        for key, field in fields.items():
            here = (*place, key)
            label = named(here[below:])
            if here in self._taken:
                self._deeper(fields, place, here, made, below=below)
            elif isinstance(field, dict) and field:
                self._further(field, here, made, below=below)
            elif isinstance(field, list) and field and all(isinstance(each, dict) and each for each in field):
                keys = list(dict.fromkeys(key for each in field for key in each))
                cells = [[text_of(each.get(key)) for key in keys] for each in field]
                made.grids.append(Grid(label, [named((key,)) for key in keys], cells))
            else:
                made.rows.append(Row(label, text_of(field), looks_mono(field)))

    def _deeper(self, fields: Fields, place: Place, here: Place, made: Section, *, below: int) -> None:
        """Show what was to be shown beside a table, and has another form than was expected there."""
        for each in self._placed:
            if each in self._taken or each[: len(here)] != here:
                continue
            found, field = at(fields, each[len(place) :])
            if found:
                made.rows.append(Row(named(each[below:]), text_of(field), looks_mono(field)))


def place_of(written: str) -> Place:
    """Read a path of the layout."""
    return tuple(written.split(".")) if written else ()


def _members(value: object, order: list[str]) -> list[tuple[str, dict[str, Any]]] | None:
    """Give the rows of a table with their names, the expected ones first; None when it is no table."""
    if isinstance(value, dict):
        names = [each for each in order if each in value] + [each for each in value if each not in order]
        members = [(name, value[name]) for name in names]
    elif isinstance(value, list):
        members = [("", each) for each in value]
    else:
        return None
    return members if all(isinstance(each, dict) for _, each in members) else None


def _columns(known: list[list[str]], cells: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Give key, label and word for nothing of the known columns, then of those that are new."""
    columns = [(key, label, "".join(empty)) for key, label, *empty in known]
    seen = {key for key, _, _ in columns}
    new = dict.fromkeys(key for each in cells for key in each if key not in seen)
    return columns + [(key, named((key,)), "") for key in new]
