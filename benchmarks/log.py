"""The transparency log: verification of a million entries, and what an append, a proof and a publish cost."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from rich.progress import track

from benchmarks.installation import NOW, Installation, installation
from benchmarks.measure import Measured, console
from custody.bootstrap import House
from custody.certificates.certificate import canonical, digest_of, render
from custody.certificates.checkpoint import NoteSigner, read_verifier_keys
from custody.certificates.log_check import LogVerdict, verify
from custody.certificates.log_entry import Kind, LogEntry, leaf
from custody.certificates.log_store import append
from custody.certificates.merkle import Frontier, leaf_hash
from custody.database.copy import copy_rows
from custody.database.proof_tables import log_checkpoints, log_entries
from custody.database.tables import certificates
from custody.vault.secret_store import LOG_KEY

ENTRIES = 1_000_000
DOCUMENTS = 100_000  # certificates among them, each read and digested
A_CHECKPOINT = 10  # entries that a checkpoint adds: what one run of purges leaves
APPENDS = 200
_DAYS = 365  # over which the entries are spread


def run() -> list[Measured]:
    """Fill a log, verify it whole, then let it grow as purges do."""
    with installation() as at_hand:
        _fill(at_hand)
        seconds, verdict = _verify(at_hand.house)
        if (verdict.entries, verdict.sound) != (ENTRIES, True):
            raise RuntimeError(f"The log is not what was to be verified: {verdict.findings[:3]}")
        appending, proving = _grow(at_hand.house)
    note = f"{verdict.checkpoints:,} checkpoints and {verdict.documents:,} documents among them"
    return [
        Measured("verification of 1,000,000 log entries", seconds, "s", 60.0, at_least=False, note=note),
        Measured("append and publish, in a log of 1,000,000", appending * 1000, "ms"),
        Measured("proof of an entry, in a log of 1,000,000", proving * 1000, "ms"),
    ]


def _verify(house: House) -> tuple[float, LogVerdict]:
    keys = read_verifier_keys(house.log.verifier_key())
    began = time.perf_counter()
    verdict = verify(house.engine, house.log.mirror, keys)
    return time.perf_counter() - began, verdict


def _grow(house: House) -> tuple[float, float]:
    """Give the seconds of an append that is published, and of a proof."""
    began = time.perf_counter()
    for number in range(APPENDS):
        with house.engine.begin() as connection:
            append(connection, Kind.AUDIT_BATCH, f"grown-{number}", _DIGEST, house.clock())
        house.log.publish()
    appended = time.perf_counter()
    for number in range(APPENDS):
        if house.log.prove(Kind.CERTIFICATE, f"purge-{number}") is None:
            raise RuntimeError("An entry has no proof; it was to be measured.")
    return (appended - began) / APPENDS, (time.perf_counter() - appended) / APPENDS


def _fill(at_hand: Installation) -> None:
    house = at_hand.house
    document, digest = _document(house)
    signer, frontier = NoteSigner(house.secrets.read(LOG_KEY)), Frontier()
    signed: list[tuple[Any, ...]] = []
    with house.engine.begin() as connection:
        copy_rows(connection, log_entries, _entries(frontier, signer, signed, digest))
        copy_rows(connection, log_checkpoints, signed)
        named = ((f"purge-{each}", "acme-eu", digest, 100, document, NOW) for each in range(DOCUMENTS))
        copy_rows(connection, certificates, named)
    house.log.publish()
    with at_hand.server.connection("custody") as connection:
        connection.execute(
            "VACUUM ANALYZE custody.log_entries, custody.log_checkpoints, custody.certificates"
        )
        connection.execute("CHECKPOINT")


def _entries(
    frontier: Frontier, signer: NoteSigner, signed: list[tuple[Any, ...]], digest: str
) -> Iterator[tuple[Any, ...]]:
    """Make the rows of entries, and beside them those of the checkpoints that were signed in between."""
    for position in track(range(ENTRIES), "  filling", console=console, transient=True):
        entry = _entry(position, digest)
        hashes = b"".join(frontier.append(leaf_hash(leaf(entry))))
        yield position, str(entry.kind), entry.subject, entry.digest, entry.at, hashes
        if frontier.size % A_CHECKPOINT == 0:
            checkpoint = signer.sign(frontier.size, frontier.root())
            signed.append((frontier.size, checkpoint.root.hex(), checkpoint.note, entry.at))


def _entry(position: int, digest: str) -> LogEntry:
    at = NOW - timedelta(days=_DAYS) * (1 - position / ENTRIES)
    number, rest = divmod(position, ENTRIES // DOCUMENTS)
    if rest == 0:
        return LogEntry(position, Kind.CERTIFICATE, f"purge-{number}", digest, at)
    return LogEntry(position, Kind.AUDIT_BATCH, f"batch-{position}", _DIGEST, at)


def _document(house: House) -> tuple[str, str]:
    """Sign something of a certificate's size, which here stands for all of them."""
    payload = canonical({"certificate": ["a sentence as certificates have them"] * 60})
    return render(payload, house.signer.token(payload, "custody-certificate+jws")), digest_of(payload)


_DIGEST = digest_of(b"benchmark")
