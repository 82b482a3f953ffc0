"""The transparency log on the command line."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from custody.commands.shell import INVALID, UNREADABLE, actor, at_home, err, out, stop, table_of, text

if TYPE_CHECKING:  # heavy, and not needed for --help
    from custody.bootstrap import House
    from custody.certificates.checkpoint import NoteKey
    from custody.certificates.log_faults import Finding
    from custody.certificates.log_witness import Witnessed

app = typer.Typer(
    help="The transparency log: nothing that was issued is withdrawn or back-dated unseen.",
    no_args_is_help=True,
)


@app.command("verify")
def verify_log() -> None:
    """Verify the whole log, its checkpoints, its mirror, what it speaks of: exit 0 sound, 1 not sound."""
    from custody.certificates import log_check

    with at_home(as_it_is=True) as house:
        with _progress("verifying", log_check.size_of(house.engine)) as advance:
            keys = _keys(house.log.verifier_key())
            found = log_check.verify(house.engine, house.log.mirror, keys, advance=advance)
        stamped, unstamped = _stamps(house)
        findings = (*found.findings, *unstamped)
        for each in findings:
            err.print(f"{each.fault}: {each.detail}", highlight=False, markup=False)
        if findings:
            _declare(house, findings)
    if findings:
        stop(f"NOT SOUND: {len({each.fault for each in findings})} kinds of fault.", INVALID)
    out.print(
        f"sound: {found.entries} entries under {found.checkpoints} checkpoints, "
        f"{found.documents} documents are what was logged.",
        highlight=False,
    )
    if stamped:
        out.print(f"{stamped} checkpoints bear a time stamp that holds.", highlight=False)
    if found.unpublished:
        out.print(f"{found.unpublished} entries are not yet under a checkpoint.", highlight=False)


@app.command()
def witness(
    file: Annotated[Path, typer.Argument(help="A checkpoint that was kept.")],
    kept_at: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="When, in UTC.")
    ] = None,
    mirror: Annotated[
        Path | None, typer.Option(help="A copy of the log's files; by default the database is read.")
    ] = None,
    log_key: Annotated[
        Path | None, typer.Option(help="The log's public key, log.vkey; needed with a copy.")
    ] = None,
    growth: Annotated[
        Path | None, typer.Option(help="What `custody log prove` printed; then no entry is needed.")
    ] = None,
) -> None:
    """Hold the log against a checkpoint that was kept: exit 0 it adds to it, 1 it does not, 2 unreadable."""
    from custody.certificates.log_witness import witness as judge

    kept = _content(file)
    if growth is not None:
        return _told(_by_growth(kept, growth, log_key))
    moment = None if kept_at is None else kept_at.replace(tzinfo=UTC)
    with ExitStack() as opened:
        present, lines, keys, total = opened.enter_context(_log(mirror, log_key))
        advance = opened.enter_context(_progress("reading", total))
        found = judge(kept, present, lines, keys, kept_at=moment, advance=advance)
    _told(found)


@app.command()
def prove(
    first: Annotated[
        int, typer.Argument(help="The size that a kept checkpoint states, its second line.", min=0)
    ],
) -> None:
    """Print the proof that the log only added to a kept checkpoint; it shows no entry."""
    import msgspec

    with at_home(as_it_is=True) as house:
        typer.echo(msgspec.json.encode(house.log.grown(first)).decode())


def _by_growth(kept: bytes, growth: Path, log_key: Path | None) -> "Witnessed":
    from custody.certificates.growth import witness_growth

    if log_key is None:
        stop("unreadable: a proof is judged by the log's public key; give --log-key.", UNREADABLE)
    return witness_growth(kept, _content(growth), _keys(text(log_key)))


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        stop(f"unreadable: {error.filename}: {error.strerror}", UNREADABLE)


def _told(found: "Witnessed") -> None:
    from custody.certificates.log_faults import Fault

    if found.finding is not None:
        code = UNREADABLE if found.finding.fault is Fault.UNREADABLE else INVALID
        stop(f"NOT THE LOG THAT WAS KEPT ({found.finding.fault}): {found.finding.detail}", code)
    out.print(
        f"The log of {found.present} entries adds to the kept one of {found.kept}; nothing was changed.",
        highlight=False,
    )


@app.command()
def show(count: Annotated[int, typer.Option(help="How many of the newest entries.", min=1)] = 20) -> None:
    """Show the newest entries."""
    from custody.certificates.log_store import entries, size

    table = table_of("position", "logged, UTC", "kind", "subject", "digest")
    with at_home(as_it_is=True) as house, house.engine.connect() as connection:
        end = size(connection)
        for each in entries(connection, max(end - count, 0)):
            cells = (str(each.position), f"{each.at:%Y-%m-%d %H:%M:%S}", each.kind, each.subject, each.digest)
            table.add_row(*map(escape, cells))
        newest = house.log.newest()
    out.print(table)
    out.print(f"{end} entries, {newest.size if newest else 0} of them under a checkpoint.", highlight=False)


@app.command()
def checkpoint() -> None:
    """Print the newest checkpoint, to be kept by whoever wants to be a witness."""
    with at_home(as_it_is=True) as house:
        newest = house.log.newest()
    if newest is None:
        stop("Nothing is published yet; the next purge does.", INVALID)
    typer.echo(newest.note, nl=False)


@app.command()
def publish() -> None:
    """Sign what is new, bring the files of the log up to it, and have it time-stamped if that is set up."""
    with at_home() as house:
        with house.log_watched():
            newest = house.log.publish()
        stamped = house.stamps.stamp(newest) if house.stamps and newest else None
    out.print(f"{newest.size if newest else 0} entries are published.", highlight=False)
    if stamped:
        out.print(f"The checkpoint bears a time stamp of {stamped:%Y-%m-%d %H:%M:%S} UTC.", highlight=False)


@app.command()
def adopt() -> None:
    """Log the certificates of a version that had no log; their entries are dated by today."""
    from custody.certificates.log_store import adopt as take

    with at_home() as house:
        with house.engine.begin() as connection:
            count = take(connection, house.clock())
        house.log.publish()
    out.print(f"{count} certificates were logged now.", highlight=False)


def _declare(house: "House", findings: "Sequence[Finding]") -> None:
    """Open the incident of an unsound log; what was found is told even where that cannot be written down."""
    from sqlalchemy.exc import SQLAlchemyError

    from custody.incidents import unsound_log

    faults = ", ".join(sorted({str(each.fault) for each in findings}))
    why = f"The transparency log is not sound: {faults}; `custody log verify` says where."
    try:
        with house.engine.begin() as connection:
            opened = unsound_log.report(connection, why, detected_by=actor(), now=house.clock())
    except SQLAlchemyError:
        err.print("No incident could be opened; do it by hand, once the database answers.", highlight=False)
        return
    err.print(f"{opened} is open for it.", highlight=False, markup=False)


def _stamps(house: "House") -> "tuple[int, list[Finding]]":
    """Check the time stamps, where an authority is named."""
    from custody.certificates.log_store import notes

    if house.stamps is None:
        return 0, []
    with house.engine.connect() as connection:
        return house.stamps.check(dict(notes(connection)))


@contextmanager
def _log(
    mirror: Path | None, log_key: Path | None
) -> Iterator[tuple[bytes | None, Iterable[bytes], "list[NoteKey]", int]]:
    """Give the present checkpoint, the leaves, the public keys and the size, of a copy or of what is here."""
    if mirror is not None:
        from custody.certificates.log_mirror import LogMirror

        if log_key is None:
            stop("unreadable: a copy of the log is judged by its public key; give --log-key.", UNREADABLE)
        if not mirror.is_dir():
            stop(f"unreadable: {mirror} is no directory with a copy of the log.", UNREADABLE)
        copy, keys = LogMirror(mirror), _keys(text(log_key))
        yield copy.shown(), copy.lines(), keys, copy.count()
        return
    from custody.certificates.log_entry import leaf
    from custody.certificates.log_store import entries, newest_of, size

    with at_home(as_it_is=True) as house, house.engine.connect() as connection:
        keys = _keys(house.log.verifier_key() if log_key is None else text(log_key))
        newest = newest_of(connection)
        yield newest[1].encode() if newest else None, map(leaf, entries(connection)), keys, size(connection)


def _keys(log_key: str) -> "list[NoteKey]":
    from custody.certificates.checkpoint import NoteUnreadable, read_verifier_keys

    try:
        return list(read_verifier_keys(log_key))
    except NoteUnreadable as error:
        stop(f"unreadable: {error}", UNREADABLE)


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far a long work is, on a terminal only."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda rows: progress.advance(task, rows)
