"""A game day on the command line: a breach is injected in a local stand, and the response is graded."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from custody.commands.shell import INVALID, at_home, err, out, stop, table_of, text
from custody.errors import BadInput

if TYPE_CHECKING:  # heavy, and not needed for --help
    from sqlalchemy import URL

    from custody.bootstrap import House
    from custody.incidents.drill import Drilled
    from custody.incidents.drill_breaches import Breach
    from custody.settings import Settings

SCENARIOS = ("stolen_token", "idle_purge", "leaked_canary")
_COLORS = {"pass": "green", "fail": "bold red", "not due yet": "yellow", "not asked": "dim"}


def drill(
    scenario: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {', '.join(SCENARIOS)}; may be repeated. By default all of them."),
    ] = None,
    compress: Annotated[
        bool, typer.Option("--compress", help="Move a clock, so that a day takes seconds; nobody answers.")
    ] = False,
    answered: Annotated[
        bool, typer.Option("--answered", help="With --compress: invented people answer as they should.")
    ] = False,
    minutes: Annotated[
        int, typer.Option(min=1, help="Without --compress: how long people have, in Airflow and here.")
    ] = 30,
    clean: Annotated[
        bool, typer.Option("--clean", help="Only take away what a killed drill has left, and end it.")
    ] = False,
    owner_password_file: Annotated[
        Path | None,
        typer.Option(help="The database owner's password; by default beside the application's own."),
    ] = None,
) -> None:
    """Drill: inject a breach, in a local stand only, let the machinery answer, and grade the answer.

    Nobody outside is told: notices become files, and say that they are of a drill.
    Exit status: 0 when all that was asked was done in time, 1 when not.
    """
    from custody.incidents.drill_breaches import Breach, require_local

    if answered and not compress:
        raise BadInput("--answered goes with --compress; in real time real people answer.")
    wanted = scenario or list(SCENARIOS)
    unknown = sorted(set(wanted) - set(SCENARIOS))
    if unknown:
        raise BadInput(f"There is no scenario {unknown[0]!r}; choose from {', '.join(SCENARIOS)}.")
    with at_home() as house:
        require_local(house.settings)
        owner = _owner(house.settings, owner_password_file)
        if clean:
            return _clean(house, owner)
        failed = 0
        for each in wanted:
            if compress:
                went = _compressed(house, owner, Breach(each), answered=answered)
            else:
                went = _live(house, owner, Breach(each), timedelta(minutes=minutes))
            failed += not _shown(went)
    if failed:
        stop(f"{failed} of {len(wanted)} drills failed.", INVALID)


def _compressed(here: "House", owner: "URL", breach: "Breach", *, answered: bool) -> "Drilled":
    from custody.bootstrap import House
    from custody.incidents.drill import Drill, Hands
    from custody.incidents.drill_people import PEOPLE

    hands = Hands(here.clock())
    stand = House(here.settings, clock=hands)
    try:
        made = Drill(stand, owner=owner, tell=_teller(hands()))
        return made.compressed(breach, hands, PEOPLE if answered else ())
    finally:
        stand.close()


def _live(here: "House", owner: "URL", breach: "Breach", span: timedelta) -> "Drilled":
    from custody.incidents.drill import Drill

    err.print(f"People have until {here.clock() + span:%H:%M} UTC to answer.", highlight=False)
    return Drill(here, owner=owner, tell=_teller(here.clock())).live(breach, span)


def _clean(here: "House", owner: "URL") -> None:
    from custody.incidents.drill import Drill

    left = Drill(here, owner=owner, tell=_teller(here.clock())).clean()
    out.print(f"Taken away: {', '.join(left)}." if left else "No drill has left anything.", highlight=False)


def _teller(start: datetime) -> Callable[[datetime, str], None]:
    """Print what happens with the drill's own time, counted from its start."""

    def tell(at: datetime, said: str) -> None:
        minutes = int((at - start).total_seconds() // 60)
        err.print(f"[dim]{minutes // 60:>3} h {minutes % 60:02}[/dim]  {escape(said)}", highlight=False)

    return tell


def _shown(drilled: "Drilled") -> bool:
    """Print the grades, and tell whether the drill passed."""
    from custody.incidents.grading import passed

    found = passed(drilled.grades)
    table = table_of("step", "", "due (UTC)", "done (UTC)", "rule", title=f"Drill {drilled.breach}")
    for each in drilled.grades:
        mark = f"[{_COLORS[each.mark]}]{each.mark}[/]"
        table.add_row(each.step, mark, _at(each.due_at), _at(each.done_at), escape(each.said))
    out.print(table)
    word = "[green]passed[/green]" if found else "[bold red]failed[/bold red]"
    where = f"; custody incident report {drilled.incident_id}" if drilled.incident_id else ""
    out.print(f"{word}{where}", highlight=False)
    return found


def _at(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%m-%d %H:%M}"


def _owner(settings: "Settings", file: Path | None) -> "URL":
    """Give the way to the database as its owner, who alone may take away what is append-only."""
    from custody.database.engine import url_for

    mine = settings.database_password_file
    found = file or (mine.with_name("custody_owner.password") if mine else None)
    if found is None:
        raise BadInput("A drill needs the database's owner, to clear up after itself: --owner-password-file.")
    return url_for(settings).set(username="custody_owner", password=text(found))
