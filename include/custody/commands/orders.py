"""One order on the command line: its life, told without any personal value."""

import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from custody.commands.shell import INVALID, at_home, out, stop, table_of
from custody.errors import BadInput

if TYPE_CHECKING:
    from custody.retention.life_story import Gone, Kept, LifeStory

OrderId = Annotated[str, typer.Argument(metavar="ORDER-ID", help="Amazon's order id; - reads it from input.")]
_ORDER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{4,39}")  # Amazon's are 3-7-7 digits, or S01-7-7 of its own


def order(
    order_id: OrderId, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Tell the life of one order: pulled, opened, due, erased, and by which certificate.

    An order that has never been here ends with 1.
    """
    from custody.retention.life_story import tell

    with at_home() as house, house.engine.connect() as connection:
        ref = house.vault.ref(given(order_id))
        story = tell(connection, ref, house.clock())
    if story is None:
        stop(f"Order {ref} has never been here: not held, not erased, not in quarantine.", INVALID)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(story), indent=2))
        return
    _show(story)


def given(order_id: str) -> str:
    """Give the order id that a person typed, or piped in by typing ``-``."""
    return checked((sys.stdin.readline() if order_id == "-" else order_id).strip())


def checked(text: str) -> str:
    """Give a text that looks like an order id; raises BadInput, which does not repeat it."""
    if not _ORDER_ID.fullmatch(text):
        raise BadInput("That is no order id; give one as Amazon writes it, such as 302-1234567-1234567.")
    return text


def _show(story: "LifeStory") -> None:
    facts = Table(show_header=False, box=None)
    lines = [("order", story.ref), ("contract", story.contract_id), ("state", story.state)]
    lines += _kept(story.kept) if story.kept else []
    lines += _gone(story.gone) if story.gone else []
    for each in story.quarantined:
        lines.append(
            (
                "quarantine",
                f"{each.contract_id}: {each.reason}; tried {each.attempts} times from "
                f"{_text(each.first_seen_at)} to {_text(each.last_seen_at)}",
            )
        )
    for label, text in lines:
        facts.add_row(f"{label}", escape(text))
    out.print(facts)
    for table in _tables(story):
        if table.row_count:
            out.print(table)


def _kept(kept: "Kept") -> list[tuple[str, str]]:
    return [
        ("placed", f"{_text(kept.placed_at)}, {kept.status} in {kept.marketplace_id}"),
        ("pulled", _text(kept.pulled_at)),
        ("sealed", ", ".join(kept.sealed) or "nothing"),
        *([("reduced to", ", ".join(kept.reduced_to))] if kept.reduced_to is not None else []),
        ("due", f"{_text(kept.due_at)}, by the rule {kept.rule}: {kept.source}"),
    ]


def _gone(gone: "Gone") -> list[tuple[str, str]]:
    issued = f"{gone.certificate_id}, issued {_text(gone.issued_at)}, {gone.digest}"
    logged = "not in the log yet" if gone.log_position is None else f"entry {gone.log_position}"
    return [
        ("placed", f"{_text(gone.placed_on)}, {gone.status} in {gone.marketplace_id}"),
        ("pulled", _text(gone.pulled_on) if gone.pulled_on else "not on record"),
        ("tasks done", str(gone.tasks_done)),
        ("recipient", "was sealed, and is erased" if gone.recipient_was_sealed else "was never here"),
        ("erased", f"{_text(gone.erased_on)}, by the rule {gone.rule}: {gone.source}"),
        ("certificate", issued if gone.certificate_id else f"none for purge {gone.purge_id}"),
        ("log", logged),
        ("proof", gone.proof),
    ]


def _tables(story: "LifeStory") -> Iterator[Table]:
    tasks = table_of("task", "state", "since", "attempts", "reason", title="Tasks")
    for task in story.kept.tasks if story.kept else ():
        _add(tasks, task.task, task.state, _text(task.since), str(task.attempts), task.reason or "")
    yield tasks
    opened = table_of("opened", "purpose", "by", "fields", title="Disclosures")
    for each in story.opened:
        _add(opened, _text(each.at), each.purpose, each.actor, _grouped(each.fields))
    yield opened
    holds = table_of("hold", "basis", "authority", "placed", "until", "of", "in force", title="Legal holds")
    for hold in story.holds:
        until = hold.released_at or hold.expires_at
        _add(
            holds,
            hold.hold_id,
            hold.basis,
            hold.authority,
            _text(hold.placed_at),
            _text(until) if until else "released",
            ", ".join(hold.fields) or "the whole order",
            "yes" if hold.in_force else "no",
        )
    yield holds


def _grouped(fields: tuple[str, ...]) -> str:
    """Write fields such as ``recipient.city`` by what they are of: ``recipient (name, city)``."""
    groups: dict[str, list[str]] = {}
    for each in fields:
        record, _, field = each.partition(".")
        groups.setdefault(record, []).append(field)
    return "; ".join(f"{record} ({', '.join(names)})" for record, names in groups.items())


def _add(table: Table, *cells: str) -> None:
    table.add_row(*map(escape, cells))


def _text(moment: datetime | date | None) -> str:
    if isinstance(moment, datetime):
        return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return str(moment or "")
