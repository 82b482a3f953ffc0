"""Confirmations of deletion on the command line: issuing them, and telling what one says."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.markup import escape

from custody.commands.orders import checked, given
from custody.commands.shell import INVALID, actor, at_home, err, opened, out, stop, table_of, write
from custody.errors import BadInput

if TYPE_CHECKING:
    from custody.certificates.confirmation import Confirmation, OrderAnswer, WholeContract
    from custody.certificates.signing import KeySet


def confirm(
    contract: Annotated[str, typer.Argument(help="The contract's id; `custody contract list` shows them.")],
    reason: Annotated[str, typer.Option(help="Who asked, and why; no personal data.")],
    order: Annotated[
        list[str] | None, typer.Option(help="Amazon's order id; repeat it for more. - reads one from input.")
    ] = None,
    orders: Annotated[
        Path | None, typer.Option(help="A file with an order id in each line; - is input.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Where to write a copy; - is standard output.")] = None,
) -> None:
    """Confirm to a seller what was held, erased and kept: of the whole contract, or of listed orders."""
    from custody.contracts.confirmation import Asked

    ids = [given(each) for each in order or []] + _listed(orders)
    if orders is not None and not ids:
        raise BadInput(f"{orders} lists no order; leave it out to confirm the whole contract.")
    with at_home() as house:
        refs = tuple(house.vault.ref(each) for each in ids)
        made = house.confirmer.confirm(Asked(contract, actor(), reason, refs))
    if output is not None:
        write(output, made.file.read_bytes())
    err.print(
        f"{made.confirmation_id} is signed, logged and written to {made.file}.", highlight=False, markup=False
    )


def report(document: bytes, keys: "KeySet", log_key: str | None, order_id: str | None) -> None:
    """Print whether a confirmation is valid and what it says, of one order if its id is given."""
    from custody.certificates.confirmation import answer_for
    from custody.certificates.verify_confirmation import verify_confirmation

    verdict = verify_confirmation(document, keys, log_key=log_key)
    found = verdict.confirmation
    if found is None:
        stop(f"NOT VALID ({verdict.problem}): {verdict.detail}", INVALID)
    logged = (
        f"in the log of {verdict.checkpoint.size} entries" if verdict.checkpoint else "not yet in the log"
    )
    out.print(f"valid, {logged}: {found.confirmation_id}", highlight=False, markup=False)
    out.print(
        f"Issued {found.issued:%Y-%m-%d %H:%M:%S} UTC by {found.who.processor.name} "
        f"to {found.who.controller.name} ({found.who.contract_id}): {found.reason}",
        highlight=False,
        markup=False,
    )
    if order_id is not None:
        answer = answer_for(found, given(order_id))
        _one(answer) if answer else _not_told()
    elif found.whole_contract is not None:
        _whole(found.whole_contract)
    else:
        _many(found)


def _listed(file: Path | None) -> list[str]:
    if file is None:
        return []
    with opened(file) as stream:
        lines = [line.strip() for line in stream]
    ids = []
    for number, line in enumerate(lines, 1):
        if line:
            try:
                ids.append(checked(line))
            except BadInput:
                raise BadInput(f"Line {number} of {file} is no order id; correct it.") from None
    return ids


def _not_told() -> NoReturn:
    stop("The confirmation says nothing of that order.", INVALID)


def _one(answer: "OrderAnswer") -> None:
    out.print(
        f"That order, number {answer.position} of the list: {_told(answer)}", highlight=False, markup=False
    )


def _told(answer: "OrderAnswer") -> str:
    if answer.proof is not None:
        return f"erased on {answer.erased_on} under {answer.certificate_id}, proved"
    if answer.erased_on is not None:
        return f"erased on {answer.erased_on}, not certified: {answer.reason}"
    if answer.withheld:
        held = "; ".join(f"{each.basis}, {each.authority}" for each in answer.withheld)
        return f"withheld under a legal hold: {held}"
    if answer.due is not None:
        return f"{answer.state}, due {answer.due:%Y-%m-%d %H:%M} UTC by the rule {answer.rule}"
    return f"{answer.state}: {answer.reason}"


def _many(found: "Confirmation") -> None:
    table = table_of("number", "answer")
    for answer in found.orders:
        table.add_row(str(answer.position), escape(_told(answer)))
    out.print(table)


def _whole(found: "WholeContract") -> None:
    out.print(
        f"{found.orders} orders: {found.erased} erased under {len(found.batches)} certificates, "
        f"{found.uncertified} erased and not certified, {found.held} held "
        f"({found.kept_due} of them due and withheld), {found.quarantined} in quarantine.",
        highlight=False,
        markup=False,
    )
    for each in found.still_held:
        out.print(
            f"{each.orders} held until {each.first_due:%Y-%m-%d} to {each.last_due:%Y-%m-%d}, "
            f"by the rule {each.rule}: {each.source}",
            highlight=False,
            markup=False,
        )
    for kept in found.withheld:
        out.print(f"{kept.orders} withheld: {kept.basis}, {kept.authority}", highlight=False, markup=False)
