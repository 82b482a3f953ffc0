"""The residue scan's search: 10,000 values in all their forms, against a bare read loop and its peers.

Two files: the lines that Airflow logs, and random bytes, which are what sealed and packed data look like.
Each contestant reads the file in blocks of 1 MB, on one core. `grep -F` looks for one form of each value
(UTF-8, as written), pyahocorasick and ahocorasick-rs for all forms, with the text in lower case.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import ahocorasick
from ahocorasick_rs import BytesAhoCorasick

from amazon_simulator.people import Person, make_person
from benchmarks.measure import Measured, by_turns
from custody.orders.records import Recipient
from custody.retention.residue.forms import forms_of
from custody.retention.residue.search import BLOCK, Search
from custody.retention.residue.values import sought

VALUES = 10_000
SIZE = 32 << 20
PEERS_SIZE = 8 << 20  # what the slow ones get
ROUNDS = 9
GOAL = 0.5  # GB/s
_DESTINATIONS = ("US", "GB", "DE", "FR", "JP")
_EVENTS = (
    "Task instance is in running state",
    "Filling up the DagBag from /opt/airflow/dags/ingest_orders.py",
    "Pulled orders of contract seller-{number}",
    "Running step purge_orders of run scheduled__2026-11-20T12:15:00+00:00_{number}",
    "HTTP Request: PATCH http://127.0.0.1:8080/execution/task-instances/{ref}/run 200 OK",
)


def run() -> list[Measured]:
    """Search both files by turns."""
    values = _values()
    began = time.perf_counter()
    search = Search(values)
    building = time.perf_counter() - began
    measured = []
    with tempfile.TemporaryDirectory(prefix="custody-bench-") as directory:
        for name, blocks in (("logs", _logs()), ("random bytes", _noise())):
            file = Path(directory, name)
            file.write_bytes(b"".join(blocks))
            measured += _measure(name, file, values, search)
    return [*measured, Measured("making the search for 10,000 values ready", building, "s")]


def _measure(name: str, file: Path, values: Sequence[str], search: Search) -> list[Measured]:
    seconds = by_turns(
        ROUNDS, {"read": lambda: _read(file), "search": lambda: _search(file, search)}
    ) | by_turns(3, _peers(file, values))
    rates = {each: 1e-9 / spent for each, spent in seconds.items()}
    return [
        Measured(f"residue search in {name}", rates["search"], "GB/s", GOAL),
        Measured(f"  share of a bare read loop ({name})", 100 * rates["search"] / rates["read"], "%"),
        *(
            Measured(f"  against {peer} ({name})", rates["search"] / rates[peer], "times")
            for peer in ("grep -F -f", "pyahocorasick", "ahocorasick-rs")
        ),
    ]


def _blocks(file: Path, size: int = SIZE) -> Iterator[bytes]:
    with file.open("rb", buffering=0) as stream:
        for _ in range(size // BLOCK):
            yield stream.read(BLOCK)


def _read(file: Path) -> int:
    return sum(len(block) for block in _blocks(file))


def _search(file: Path, search: Search) -> int:
    if search.found_in(_blocks(file)):
        raise RuntimeError("A value was found where none is.")
    return SIZE


def _peers(file: Path, values: Sequence[str]) -> dict[str, Callable[[], int]]:
    forms = {form.written.lower() for value in values for form in forms_of(value)}
    automaton = ahocorasick.Automaton()
    for form in forms:
        automaton.add_word(form.decode("latin-1"), True)
    automaton.make_automaton()
    in_rust = BytesAhoCorasick(list(forms))
    patterns = file.with_suffix(".patterns")
    patterns.write_text("\n".join(values))

    def grep() -> int:
        command = ["grep", "--count", "--fixed-strings", f"--file={patterns}", str(file)]
        subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, check=False, stdout=subprocess.DEVNULL)
        return SIZE

    def pyahocorasick() -> int:
        for block in _blocks(file, PEERS_SIZE):
            for _ in automaton.iter(block.lower().decode("latin-1")):
                pass
        return PEERS_SIZE

    def ahocorasick_rs() -> int:
        for block in _blocks(file, PEERS_SIZE):
            in_rust.find_matches_as_indexes(block.lower())
        return PEERS_SIZE

    return {"grep -F -f": grep, "pyahocorasick": pyahocorasick, "ahocorasick-rs": ahocorasick_rs}


def _values() -> list[str]:
    """Take the values of invented people of five countries, until there are enough."""
    values: dict[str, None] = {}
    number = 0
    while len(values) < VALUES:
        values.update(dict.fromkeys(_of(make_person(1, number, _DESTINATIONS, "example.invalid"))))
        number += 1
    return list(values)[:VALUES]


def _of(person: Person) -> tuple[str, ...]:
    recipient = Recipient(person.name, person.company, person.line_1, person.line_2, person.line_3)
    shipment = f'{{"tracking_number": "{person.tracking_number}"}}'.encode()
    return sought(recipient, (shipment,)).texts


def _logs() -> Iterator[bytes]:
    random, size = Random(1), 0
    while size < SIZE:
        event = random.choice(_EVENTS).format(number=random.randrange(10_000), ref=random.randbytes(16).hex())
        line = (
            f'{{"timestamp":"2026-11-20T12:{random.randrange(60):02}:00.{random.randrange(10**6):06}Z",'
            f'"level":"info","event":"{event}","logger":"airflow.task","ref":"{random.randbytes(16).hex()}"}}\n'
        ).encode()
        size += len(line)
        yield line


def _noise() -> Iterator[bytes]:
    random = Random(2)
    return (random.randbytes(BLOCK) for _ in range(SIZE // BLOCK))
