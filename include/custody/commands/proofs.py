"""Proofs of erasure for single orders on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from custody.commands.certificates import files_at, judged
from custody.commands.orders import OrderId, given
from custody.commands.shell import INVALID, UNREADABLE, at_home, err, out, stop, write

app = typer.Typer(help="Proofs that single orders were erased under a certificate.", no_args_is_help=True)


@app.command()
def make(
    order_id: OrderId,
    output: Annotated[Path, typer.Option(help="Where to write the proof; - is standard output.")],
) -> None:
    """Prove that an order was erased; the proof names no order, and tells nothing of any other."""
    from custody.certificates import order_proof, proving

    with at_home() as house, house.engine.connect() as connection:
        proof = proving.make(connection, house.vault.ref(given(order_id)))
    write(output, order_proof.render(proof))
    err.print(f"It is proved under certificate {proof.certificate_id}.", highlight=False)


@app.command()
def verify(
    proof: Annotated[Path, typer.Argument(help="A proof's file.")],
    certificate: Annotated[Path, typer.Option(help="The certificate: its file, page or sheet.")],
    order: Annotated[str, typer.Option(help="Amazon's order id; - reads it from input.")],
    jwks: Annotated[
        Path | None, typer.Option(help="The public keys; by default jwks.json beside the certificate.")
    ] = None,
    log_key: Annotated[
        Path | None, typer.Option(help="The log's key; by default log.vkey beside the certificate.")
    ] = None,
) -> None:
    """Verify a proof and its certificate offline: exit 0 valid, 1 not valid, 2 unreadable."""
    from custody.certificates import order_proof

    try:
        shown = proof.read_bytes()
    except OSError as error:
        stop(f"unreadable: {error.filename}: {error.strerror}", UNREADABLE)
    verdict = judged(*files_at(certificate, jwks, log_key))
    if verdict.certificate is None:
        stop(f"NOT VALID (the certificate, {verdict.problem}): {verdict.detail}", INVALID)
    found = order_proof.verify(shown, verdict.certificate, given(order))
    if found.proof is None:
        stop(f"NOT VALID ({found.problem}): {found.detail}", INVALID)
    erased = verdict.certificate.when.erased
    out.print(
        f"{verdict.summary}: the order was erased {erased:%Y-%m-%d %H:%M:%S} UTC under "
        f"{found.proof.certificate_id}, as {found.proof.position + 1} of {found.proof.size}",
        highlight=False,
        markup=False,
    )
