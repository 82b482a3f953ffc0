"""The report of an incident on the command line: issued, and verified with nothing but files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from custody.commands.shell import INVALID, actor, at_home, err, out, stop, write

if TYPE_CHECKING:  # it is heavy for --help
    from custody.certificates.signing import KeySet

NOT_COMPARED = 3
IncidentId = Annotated[str, typer.Argument(help="The incident's id, as `custody incident list` shows it.")]


def report(
    incident_id: IncidentId,
    json: Annotated[Path | None, typer.Option(help="Where to write a copy; - is standard output.")] = None,
    pdf: Annotated[
        Path | None, typer.Option(help="Where to write the PDF; by default beside the signed file.")
    ] = None,
) -> None:
    """Issue the signed report of an incident, as JSON and PDF; interim while the incident is open."""
    from custody.monitoring.records import bring_in

    with at_home() as house:
        bring_in(
            house.engine, house.spool, house.clock()
        )  # the scope counts what is recorded, brought in or not
        issued = house.reporter.issue(incident_id, actor=actor())
    from custody.incidents.report_sheet import pdf_of  # after all else: Typst's threads survive no fork

    sheet = pdf or issued.file.with_suffix(".pdf")
    if json is not None:
        write(json, issued.document.encode())
    write(sheet, pdf_of(issued.document))
    err.print(
        f"{issued.report_id} is signed, logged and written to {issued.file}; its PDF is {sheet}.",
        highlight=False,
        markup=False,
    )


def tell(document: bytes, keys: "KeySet", log_key: str | None) -> None:
    """Print whether a report is valid and what it is of; a PDF is made anew and compared."""
    from custody.certificates.forms import signed_json
    from custody.certificates.report_file import verify_report

    text = signed_json(document)
    verdict = verify_report(text, keys, log_key=log_key)
    found = verdict.report
    if found is None:
        stop(f"NOT VALID ({verdict.problem}): {verdict.detail}", INVALID)
    logged = (
        f"in the log of {verdict.checkpoint.size} entries" if verdict.checkpoint else "not yet in the log"
    )
    kind = ", ".join(word for word, so in (("interim", found.interim), ("of a drill", found.drill)) if so)
    out.print(
        f"valid, {logged}: {found.report_id}{f' ({kind})' if kind else ''}", highlight=False, markup=False
    )
    out.print(
        f"Issued {found.issued:%Y-%m-%d %H:%M:%S} UTC on {found.incident.incident_id} "
        f"({found.incident.kind}, detected {found.incident.detected_at:%Y-%m-%d %H:%M} UTC): "
        f"{found.incident.summary}",
        highlight=False,
        markup=False,
    )
    if text != document:
        _compare(document, text.decode())


def _compare(document: bytes, text: str) -> None:
    """Make a PDF anew from what is signed in it, and compare it byte by byte."""
    from custody.incidents.report_sheet import generator, pdf_of

    if pdf_of(text) == document:
        out.print("PDF: it shows what was signed.", highlight=False, markup=False)
    elif generator().encode() in document:
        stop("NOT VALID (shown): What the PDF shows is not what was signed in it.", INVALID)
    else:
        stop("PDF: another version made it; what it shows was not compared.", NOT_COMPARED)
