"""Purges on the command line: what would be erased, what is, and what waits for a second person."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from custody.commands.shell import INVALID, actor, at_home, err, out, table_of
from custody.errors import BadInput, CustodyError

if TYPE_CHECKING:
    from custody.bootstrap import House
    from custody.contracts.contract import Contract
    from custody.retention.records import PurgePlan

app = typer.Typer(help="Purges: erase what is due, and prove it.", no_args_is_help=True)


@app.command("run")
def run(
    contract_ids: Annotated[list[str] | None, typer.Argument(help="Contracts; by default all.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plans; erase nothing.")] = False,
) -> None:
    """Purge what is due: exit 0 when all went well, 1 when a purge is halted or unsound."""
    with at_home() as house:
        contracts = _chosen(house, contract_ids or [])
        done = [_preview(house, each) if dry_run else _purge(house, each) for each in contracts]
    if not all(done):
        raise typer.Exit(INVALID)


@app.command("list")
def list_waiting() -> None:
    """List the purges that wait for a second person."""
    from custody.retention import fuse

    with at_home() as house, house.engine.connect() as connection:
        waiting = fuse.waiting(connection)
    table = table_of("purge", "contract", "since (UTC)", "asked for by", "why", title="Halted purges")
    for each in waiting:
        why = "; ".join(each.reasons)
        cells = (each.purge_id, each.contract_id, f"{each.blown_at:%Y-%m-%d %H:%M}", each.requested_by, why)
        table.add_row(*map(escape, cells))
    out.print(table)
    if waiting:
        out.print("A second person releases one in the Airflow UI: DAG release_purge.", highlight=False)


def _chosen(house: "House", asked: list[str]) -> "list[Contract]":
    found = house.contracts(ended=True)
    unknown = set(asked) - {each.contract_id for each in found}
    if unknown:
        raise BadInput(f"No contract {sorted(unknown)[0]} holds orders; `custody contract list` shows all.")
    return [each for each in found if not asked or each.contract_id in asked]


def _purge(house: "House", contract: "Contract") -> bool:
    try:
        with out.status(f"{contract.contract_id}: purging"):
            done = house.purger.purge(contract, asked_by=actor())
    except CustodyError as error:
        err.print(f"{contract.contract_id}: {error}", style="red", highlight=False, markup=False)
        return False
    told = f"{contract.contract_id}: {done.outcome.replace('_', ' ')}, {done.orders} orders erased"
    out.print(f"{told}, {done.withheld} withheld", highlight=False, markup=False)
    for certificate_id in done.certificates:
        out.print(f"  certificate {house.settings.certificates / certificate_id}.json", highlight=False)
    return True


def _preview(house: "House", contract: "Contract") -> bool:
    found = house.purger.preview(contract)
    if found is None:
        out.print(f"{contract.contract_id}: nothing is due.", highlight=False)
        return True
    plan, reasons = found
    out.print(_picture(plan))
    for reason in reasons:
        out.print(f"  would be halted: {reason}", style="yellow", highlight=False, markup=False)
    return True


def _picture(plan: "PurgePlan") -> Table:
    """Draw a plan: why its orders are due, as counts with bars, their ages, and what is withheld."""
    table = table_of("", "orders", "", title=f"{plan.contract_id}: {plan.orders} of {plan.live} live orders")
    for rule, number in sorted(plan.rules.items(), key=lambda each: -each[1]):
        table.add_row(f"due: {rule}", str(number), "█" * round(30 * number / max(plan.live, 1)))
    for each in plan.withheld:
        until = f"{each.until:%Y-%m-%d}" if each.until else "released"
        table.add_row("withheld", str(each.orders), escape(f"{each.basis} ({each.authority}), until {until}"))
    ages = (plan.ages.youngest, plan.ages.median, plan.ages.oldest)
    table.caption = (
        f"here for {' / '.join(map(_days, ages))} (youngest / median / oldest)\nplan {escape(plan.digest)}"
    )
    return table


def _days(age: timedelta) -> str:
    return f"{age / timedelta(days=1):.1f} days"
