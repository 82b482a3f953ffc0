"""A certificate and its keys, made without any purge."""

from dataclasses import dataclass
from datetime import timedelta

import msgspec

from custody.certificates.certificate import Certificate, Party
from custody.certificates.draw import draw_up
from custody.certificates.signing import Signer, new_key
from custody.retention.records import (
    Ages,
    Destruction,
    Erasure,
    Evidence,
    HeldBack,
    PurgePlan,
    Recipients,
    Verification,
)

from ..builders import NOW, make_contract

DELETED = {"artifacts": 3, "shipments": 2, "task_states": 6, "order_keys": 3, "orders": 3}


def make_evidence() -> Evidence:
    """Build the evidence of a verified purge of three orders, with one withheld."""
    plan = PurgePlan(
        purge_id="purge-20261120T120000-0123456789ab",
        contract_id=make_contract().contract_id,
        digest="sha256:" + "0" * 64,
        orders=3,
        key_version=1,
        probes=3,
        merkle_root="0" * 64,
        rules={"completed": 2, "cancelled": 1},
        live=10,
        ages=Ages(timedelta(hours=1), timedelta(days=2), timedelta(days=9)),
        first_due=NOW - timedelta(days=2),
        last_due=NOW,
        planned_at=NOW,
        withheld=(HeldBack(1, "HMRC inquiry 7", "HMRC", NOW + timedelta(days=90)),),
    )
    return Evidence(
        plan,
        erasure=Erasure(NOW, True, 7, DELETED, Recipients(3, 3, 3)),
        destruction=Destruction(NOW, ("acme-eu/1",)),
        verification=Verification(NOW, 3, 3),
    )


@dataclass(frozen=True)
class Sample:
    """A certificate's file, the keys to verify it, and what made them."""

    document: bytes
    jwks: bytes
    certificate: Certificate
    signer: Signer


def make_sample(name: str = "Söhne & Töchter «Ακμή» 株式会社") -> Sample:
    """Sign a certificate for a controller."""
    contract = msgspec.structs.replace(make_contract(), name=name)
    signer = Signer(new_key())
    certificate = draw_up(Party("Custody tests"), contract, make_evidence(), NOW)
    document, _ = signer.sign(certificate)
    return Sample(document.encode(), signer.public_keys(), certificate, signer)
