"""Certificates on the command line: verified with nothing but files, and rendered for people."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from custody.commands import confirmations, incident_reports
from custody.commands.shell import INVALID, UNREADABLE, err, out, stop, write
from custody.errors import BadInput

if TYPE_CHECKING:  # they are heavy for --help
    from custody.certificates.certificate import Certificate
    from custody.certificates.signing import KeySet
    from custody.certificates.verify import Verdict

NOT_COMPARED = 3

app = typer.Typer(help="Certificates: signed proof of what was erased.", no_args_is_help=True)
_Jwks = Annotated[Path | None, typer.Option(help="The public keys; by default jwks.json beside the file.")]
_LogKey = Annotated[Path | None, typer.Option(help="The log's key; by default log.vkey beside the file.")]


def verify(
    file: Annotated[Path, typer.Argument(help="A certificate: its JSON file, HTML page or PDF sheet.")],
    jwks: _Jwks = None,
    log_key: _LogKey = None,
    order: Annotated[str | None, typer.Option(help="Say what a confirmation says of this order id.")] = None,
) -> None:
    """Verify a certificate offline: exit 0 valid, 1 not valid, 2 unreadable, 3 valid, but not compared.

    A page or a sheet is also made anew from what is signed in it, and compared byte by byte; 3 says that
    another version made it, so that what it shows could not be compared. The file of a confirmation,
    of the receipt of a contract's last key, or of an incident's report is verified as well.
    """
    from custody.certificates.forms import Form, Shown, form_of, shown, signed_json
    from custody.certificates.receipt_file import is_receipt_alone
    from custody.certificates.report_file import is_report
    from custody.certificates.verify_confirmation import looks_like_one

    document, keys, log = files_at(file, jwks, log_key)
    if looks_like_one(document):
        return confirmations.report(document, _known(keys), log, order)
    if is_receipt_alone(document):
        return _report_receipt(document, _known(keys), log)
    if is_report(signed_json(document)):
        return incident_reports.tell(document, _known(keys), log)
    verdict = judged(document, keys, log)
    found = verdict.certificate
    if found is None:
        stop(f"NOT VALID ({verdict.problem}): {verdict.detail}", INVALID)
    seen = shown(document, keys, log)
    if seen is Shown.DIFFERENT:
        stop(f"NOT VALID (shown): {_sentence(seen)}", INVALID)
    out.print(f"{verdict.summary}: {found.certificate_id}", highlight=False, markup=False)
    out.print(_in_short(found), highlight=False, markup=False)
    form = form_of(document)
    if form is not Form.JSON and seen is Shown.SAME:
        out.print(f"{form}: {seen}.", highlight=False)
    if seen is Shown.NOT_COMPARED:
        stop(f"{form}: {seen}.", NOT_COMPARED)


@app.command()
def render(
    certificate: Annotated[str, typer.Argument(help="A certificate's id, or any of its files.")],
    html: Annotated[Path | None, typer.Option(help="Where to write the page; - is standard output.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Where to write the sheet; - is standard output.")] = None,
    jwks: _Jwks = None,
    log_key: _LogKey = None,
) -> None:
    """Make a certificate's page, which verifies itself in a browser, or its PDF sheet."""
    from custody.certificates.forms import signed_json

    if html is None and pdf is None:
        raise BadInput("Nothing was asked for; give --html FILE or --pdf FILE.")
    file = _file_of(certificate)
    document, keys, log = files_at(file, jwks, log_key)
    verdict = judged(document, keys, log)
    if verdict.certificate is None:
        stop(f"NOT VALID ({verdict.problem}): {verdict.detail} Nothing was rendered.", INVALID)
    text = signed_json(document).decode()
    if html is not None:
        from custody.certificates.page import page

        _written(html, page(text, keys, log))
    if pdf is not None:
        from custody.certificates.sheet import sheet

        _written(pdf, sheet(text))


def _file_of(certificate: str) -> Path:
    """Find a certificate's file: as it is named, or by its id among those of this installation."""
    from custody.settings import Settings

    given = Path(certificate)
    if given.is_file():
        return given
    folder = Settings.load().certificates
    known = folder / f"{given.name}.json"
    if given.name != certificate or not known.is_file():
        raise BadInput(f"There is no certificate {certificate} under {folder}; give an id or a file.")
    return known


def files_at(file: Path, jwks: Path | None, log_key: Path | None) -> tuple[bytes, bytes, str | None]:
    """Read a certificate's file, the public keys, and the log's key where there is one."""
    beside = file.parent / "log.vkey"
    try:
        document, keys = file.read_bytes(), (jwks or file.parent / "jwks.json").read_bytes()
        log = (log_key or beside).read_text() if log_key or beside.is_file() else None
    except OSError as error:
        stop(f"unreadable: {error.filename}: {error.strerror}", UNREADABLE)
    except UnicodeError:
        stop("unreadable: the file of the log's key is no text; give log.vkey with --log-key.", UNREADABLE)
    return document, keys, log or _among(keys)


def _among(keys: bytes) -> str | None:
    from custody.certificates.log_proof import log_key_among

    return log_key_among(_known(keys))


def judged(document: bytes, keys: bytes, log_key: str | None) -> "Verdict":
    """Verify a certificate in any of its forms; stops where a key is missing or unreadable."""
    from custody.certificates.forms import signed_json
    from custody.certificates.verify import verify as judge

    return judge(signed_json(document), _known(keys), log_key=log_key)


def _known(keys: bytes) -> "KeySet":
    from custody.certificates.signing import read_keys

    try:
        return read_keys(keys)
    except ValueError:
        stop("unreadable: the file of public keys is not a JWK set; give one with --jwks.", UNREADABLE)


def _report_receipt(document: bytes, keys: "KeySet", log_key: str | None) -> None:
    from custody.certificates.receipt_file import verify_receipt

    verdict = verify_receipt(document, keys, log_key=log_key)
    found = verdict.receipt
    if found is None:
        stop(f"NOT VALID ({verdict.problem}): {verdict.detail}", INVALID)
    logged = (
        f"in the log of {verdict.checkpoint.size} entries" if verdict.checkpoint else "not yet in the log"
    )
    out.print(f"valid, {logged}: {found.receipt_id}", highlight=False, markup=False)
    out.print(
        f"Keys {', '.join(found.keys_destroyed)} of {found.contract_id}, destroyed "
        f"{found.destroyed_at:%Y-%m-%d %H:%M:%S} UTC: {found.how}",
        highlight=False,
        markup=False,
    )


def _in_short(found: "Certificate") -> str:
    return (
        f"{found.what.orders} orders of {found.who.controller.name} ({found.who.contract_id}), "
        f"erased {found.when.erased:%Y-%m-%d %H:%M:%S} UTC, keys destroyed: "
        f"{', '.join(found.how.keys_destroyed) or 'none was needed'}"
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _written(output: Path, content: bytes) -> None:
    write(output, content)
    if str(output) != "-":
        err.print(f"{output} is written.", highlight=False, markup=False)
