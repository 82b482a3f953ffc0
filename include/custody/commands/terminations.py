"""The ends of contracts on the command line: asking for one, and looking at them."""

from datetime import datetime
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from custody.commands.shell import actor, at_home, out, table_of
from custody.errors import BadInput

app = typer.Typer(help="Ends of contracts: how far they are.", no_args_is_help=True)


def terminate(
    contract: Annotated[str, typer.Argument(help="The contract's id.")],
    reason: Annotated[str, typer.Option(help="Why it ends; without personal data.")],
) -> None:
    """Ask for the end of a contract: nothing more is pulled; a second person approves it in Airflow."""
    from custody.contracts.termination_request import COMMAND_LINE

    with at_home() as house:
        asked = house.desk.ask_for_end(contract, reason=reason, actor=actor(), run=COMMAND_LINE)
    out.print(
        f"{contract} is frozen: nothing more is pulled. By {_time(asked.deadline_at)} everything is gone.",
        highlight=False,
    )
    out.print(
        "Nothing is erased before it is approved. This command cannot tell who you are: trigger "
        "terminate_contract in the Airflow UI for this contract; another user answers it there, under "
        "Required Actions.",
        highlight=False,
    )


@app.command("list")
def list_terminations() -> None:
    """List the contracts that are ending or have ended."""
    from custody.contracts.termination_record import every

    table = table_of("contract", "requested", "by", "decided by", "deadline", "stage")
    with at_home() as house, house.engine.connect() as connection:
        for each in every(connection):
            cells = (
                each.contract_id,
                _time(each.requested_at),
                each.requested_by,
                each.decided_by or "",
                _time(each.deadline_at),
                each.stage,
            )
            table.add_row(*map(escape, cells))
    out.print(table)


@app.command()
def show(
    contract: Annotated[str, typer.Argument(help="The contract's id.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how far the end of a contract is, and its notices."""
    from custody.contracts.termination_check import left_of
    from custody.contracts.termination_record import find
    from custody.notices.record import of_contract

    with at_home() as house, house.engine.connect() as connection:
        found = find(connection, contract)
        if found is None:
            raise BadInput(f"Nobody asks for the end of {contract}; `custody termination list` shows others.")
        left = left_of(connection, found.contract_id, house.clock())
        sent = of_contract(connection, contract)
        files = {each: str(house.sender.file_of(each)) for each in sent}
    shown = {
        **msgspec.to_builtins(found),
        "stage": found.stage,
        "orders_left": left.orders,
        "orders_withheld": left.withheld,
        "held_until": left.until,
        "notices": files,
    }
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2))
        return
    for name, value in shown.items():
        if name != "notices" and value is not None:
            out.print(f"{name.replace('_', ' '):>22}  {value}", markup=False, highlight=False)
    for notice_id, sent_at in sent.items():
        when = _time(sent_at) if sent_at else "not sent yet"
        out.print(f"{'notice':>22}  {files[notice_id]}  {when}", markup=False, highlight=False)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
