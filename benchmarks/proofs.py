"""Proofs of erasure: 100,000 orders under one certificate, and one order erased, certified and proved.

The second by batches of 1,000, against lethe-delete, which erases one subject at a time, asks whether its
rows are gone, and signs a certificate for each. It leaves the values in WAL and backups readable, and has
nothing to compare with the destroyed key: what is compared is how long a provable erasure takes.
"""

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from lethe import Lethe
from lethe.audit import AuditLog
from lethe.connectors.pgvector import PgVectorConnector
from lethe.ledger import Ledger
from lethe.signing import Signer
from rich.progress import track

from benchmarks.filling import MARKETPLACE, fill
from benchmarks.installation import Installation, contract_of, installation
from benchmarks.measure import Measured, by_turns, console
from custody.bootstrap import House
from custody.certificates import order_proof, proving
from custody.certificates.certificate import Certificate
from custody.certificates.signing import read_keys
from custody.certificates.verify import verify
from custody.contracts.contract import Contract, TaskName
from custody.orders.records import OrderId
from custody.retention.purge import Outcome, Purger

LARGE = 100_000  # orders of the large certificate
SAMPLE = 2_000  # of its proofs that are timed one by one
BATCH = 1_000
ROUNDS = 5  # of two batches each: an installation of 20,000 orders, which every residue scan reads
LETHE_SUBJECTS = 200  # a round of lethe-delete, whose cost a subject does not fall with their number
TABLE = "lethe_orders"


def run() -> list[Measured]:
    """Measure the large certificate, then, on an installation of its own, the two by turns."""
    with installation() as at_hand:
        large = _large(at_hand.house)
    with installation() as at_hand:
        return [*large, *_batches(at_hand)]


def _large(house: House) -> list[Measured]:
    contract = contract_of(house, "PROOFS", frozenset({MARKETPLACE}), *TaskName)
    ids = fill(house, contract, 1, due=LARGE, kept=0)
    certificate_id = _purge(house.purger, contract, LARGE)
    with house.engine.connect() as connection:
        began = time.perf_counter()
        one = proving.make(connection, house.vault.ref(ids[0]))
        alone = time.perf_counter() - began
        began = time.perf_counter()
        proofs = proving.make_all(connection, certificate_id)
        all_of_them = time.perf_counter() - began
        certificate = proving.certificate_of(connection, certificate_id)
    if len(proofs) != LARGE or proofs[house.vault.ref(ids[0])] != one:
        raise RuntimeError(f"{len(proofs)} proofs were made of {LARGE} orders.")
    files = [order_proof.render(proofs[house.vault.ref(each)]) for each in ids]
    checked = [
        _checked(document, certificate, order_id)
        for document, order_id in itertools.islice(zip(files, ids, strict=True), 0, LARGE, LARGE // SAMPLE)
    ]
    return [
        Measured("largest proof among 100,000 orders", max(map(len, files)), "bytes", 2_000, at_least=False),
        Measured("verifying it, the slowest", max(checked) * 1_000, "ms", 5, at_least=False),
        Measured("verifying it, median", statistics.median(checked) * 1_000, "ms"),
        Measured("making one proof among 100,000 orders", alone, "s"),
        Measured("making all 100,000 proofs", LARGE / all_of_them, "proofs/s"),
    ]


def _checked(document: bytes, certificate: Certificate, order_id: OrderId) -> float:
    """Verify a proof three times; give the seconds of the best, since others use the machine, too."""
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        verdict = order_proof.verify(document, certificate, order_id)
        taken.append(time.perf_counter() - began)
        if verdict.proof is None:
            raise RuntimeError(f"A proof does not hold: {verdict.detail}")
    return min(taken)


def _batches(at_hand: Installation) -> list[Measured]:
    house = at_hand.house
    contracts: list[tuple[Contract, list[OrderId]]] = []
    for turn in range(2 * ROUNDS):
        contract = contract_of(house, f"BATCH{turn}", frozenset({MARKETPLACE}), *TaskName)
        contracts.append((contract, fill(house, contract, 10 + turn, due=BATCH, kept=BATCH)))
    waiting = iter(contracts)
    unscanned = Purger(house.purger.tools._replace(scan=lambda contract, plan, now: None))

    def erase(purger: Purger) -> int:
        contract, ids = next(waiting)
        certificate_id = _purge(purger, contract, BATCH)
        with house.engine.connect() as connection:
            proofs = proving.make_all(connection, certificate_id)
        files = [order_proof.render(each) for each in proofs.values()]
        if len(files) != len(ids):
            raise RuntimeError(f"{len(files)} proofs were made of {len(ids)} orders.")
        return len(files)

    with _lethe(at_hand) as forget:
        contestants = {
            "whole": lambda: erase(house.purger),
            "unscanned": lambda: erase(unscanned),
            "lethe": forget,
        }
        seconds = by_turns(ROUNDS, contestants)
    _hold(house, contracts[0])
    whole, bare, lethe = seconds["whole"], seconds["unscanned"], seconds["lethe"]
    return [
        Measured("erase, certify and prove one order, against lethe-delete", lethe / whole, "times", 10),
        Measured("the same without the residue scan, which it has not", lethe / bare, "times"),
        Measured("erase, certify and prove, by 1,000 among 20,000", 1 / whole, "orders/s"),
        Measured("the same without the residue scan", 1 / bare, "orders/s"),
        Measured("lethe-delete", 1 / lethe, "orders/s"),
    ]


def _purge(purger: Purger, contract: Contract, orders: int) -> str:
    purged = purger.purge(contract)
    if (purged.outcome, purged.orders, len(purged.certificates)) != (Outcome.PURGED, orders, 1):
        raise RuntimeError(f"The purge did not do what was to be measured: {purged}.")
    return purged.certificates[0]


def _hold(house: House, batch: tuple[Contract, list[OrderId]]) -> None:
    """Check, outside of the time taken, that what was made holds for a stranger."""
    with house.engine.connect() as connection:
        proof = proving.make(connection, house.vault.ref(batch[1][0]))
    folder = house.settings.certificates
    document = (folder / f"{proof.certificate_id}.json").read_bytes()
    log_key = (folder / "log.vkey").read_text()
    verdict = verify(document, read_keys((folder / "jwks.json").read_bytes()), log_key=log_key)
    if (
        verdict.certificate is None
        or order_proof.judge(proof, verdict.certificate, batch[1][0]).proof is None
    ):
        raise RuntimeError("A proof does not hold.")


@contextmanager
def _lethe(at_hand: Installation) -> Iterator[Callable[[], int]]:
    """Give a round of lethe-delete, on the same server and with as many rows of its own as it will erase."""
    address = at_hand.server.url("custody_owner", "custody").replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        ledger, audit = Ledger(connection), AuditLog(connection)
        ledger.init_schema()
        audit.init_schema()
        connection.execute(f"CREATE TABLE {TABLE} (id text PRIMARY KEY, recipient text NOT NULL)")
        lethe = Lethe(
            ledger=ledger,
            audit=audit,
            signer=Signer.generate(),
            connectors={"pgvector": PgVectorConnector(connection)},
            salt="benchmark",
        )
        subjects = [f"order-{number}" for number in range(ROUNDS * LETHE_SUBJECTS)]
        rows = [(each, "Ann Example, 1 Example Street, Exampleton EX1 1EX") for each in subjects]
        connection.cursor().executemany(f"INSERT INTO {TABLE} VALUES (%s, %s)", rows)
        connection.commit()
        for each in track(subjects, "  tagging", console=console, transient=True):
            lethe.tag(each, "pgvector", TABLE, each)
        waiting = iter(subjects)

        def forget() -> int:
            for subject in itertools.islice(waiting, LETHE_SUBJECTS):
                certificate = lethe.forget(subject)
                if not certificate.payload["all_verified"]:
                    raise RuntimeError("lethe-delete did not erase what was to be measured.")
            return LETHE_SUBJECTS

        yield forget
