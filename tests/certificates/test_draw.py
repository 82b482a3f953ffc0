"""A certificate names no kind of field that was not there, and counts what was."""

import msgspec
import pytest

from custody.certificates.certificate import Certificate, Party, What
from custody.certificates.draw import draw_up
from custody.retention.records import Evidence, Recipients

from ..builders import NOW, make_contract
from .samples import make_evidence


def drawn(evidence: Evidence) -> Certificate:
    return draw_up(Party("Custody tests"), make_contract(), evidence, NOW)


def said(recipients: Recipients, *, slips: int = 0, parcels: int = 0) -> What:
    """Draw up what a purge of three orders with keys has erased."""
    evidence = make_evidence()
    assert evidence.erasure is not None
    deleted = {**evidence.erasure.deleted, "artifacts": slips, "shipments": parcels}
    erasure = msgspec.structs.replace(evidence.erasure, deleted=deleted, recipients=recipients)
    return drawn(msgspec.structs.replace(evidence, erasure=erasure)).what


@pytest.mark.parametrize(
    ("recipients", "slips", "parcels", "classes"),
    [
        (
            Recipients(3, 3, 3),
            2,
            1,
            ("recipient name", "recipient address", "packing slip", "tracking number"),
        ),
        (Recipients(), 0, 2, ("tracking number",)),
        (Recipients(), 1, 0, ("packing slip",)),
        (Recipients(0, 0, 3), 0, 0, ("recipient address",)),
        (Recipients(3, 3, 0), 0, 0, ("recipient name",)),
        (Recipients(), 0, 0, ()),
    ],
)
def test_exactly_the_kinds_of_fields_that_were_erased_are_named(
    recipients: Recipients, slips: int, parcels: int, classes: tuple[str, ...]
) -> None:
    what = said(recipients, slips=slips, parcels=parcels)
    assert what.field_classes == classes
    assert (what.sealed_records, what.artifacts, what.shipments) == (recipients.records, slips, parcels)


def test_evidence_of_before_recipients_were_counted_claims_none() -> None:
    written = msgspec.to_builtins(make_evidence())
    del written["erasure"]["recipients"]
    what = drawn(msgspec.convert(written, Evidence)).what
    assert (what.sealed_records, what.field_classes) == (0, ("packing slip", "tracking number"))
