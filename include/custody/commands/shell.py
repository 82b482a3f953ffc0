"""What the commands share: the installation at hand, files that people give, and how they are answered."""

import csv
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Never

import typer
from rich.console import Console
from rich.table import Table

from custody.errors import BadInput

if TYPE_CHECKING:  # it is heavy, and `custody verify` does without it
    from custody.bootstrap import House

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

INVALID, UNREADABLE = 1, 2


def table_of(*headings: str, title: str | None = None) -> Table:
    """Make a table whose cells break over lines and are never cut: an id has to be whole to be of use."""
    table = Table(title=title)
    for each in headings:
        table.add_column(each, overflow="fold")
    return table


@contextmanager
def at_home(*, as_it_is: bool = False) -> Iterator["House"]:
    from custody.bootstrap import house
    from custody.monitoring.acting import acting

    with acting(actor(), component=f"command/{_words()}"), reachable(), house(as_it_is=as_it_is) as made:
        yield made


@contextmanager
def reachable() -> Iterator[None]:
    """Say in one sentence that the database is not there, or not made yet."""
    from psycopg.errors import UndefinedTable
    from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError

    try:
        yield
    except ArgumentError:
        raise BadInput("database_url is no address of a database; correct it.") from None
    except OperationalError:
        raise BadInput(
            "The database cannot be reached; start it, or correct database_url and its password."
        ) from None
    except ProgrammingError as error:
        if not isinstance(error.orig, UndefinedTable):
            raise
        raise BadInput("The database lacks this version's tables; run `custody database upgrade`.") from None


@contextmanager
def opened(file: Path) -> Iterator[IO[str]]:
    try:
        if str(file) == "-":
            yield sys.stdin
            return
        with file.open(newline="", encoding="utf-8-sig") as stream:
            yield stream
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{file} is not UTF-8; save it as CSV in UTF-8.") from None
    except csv.Error:
        raise BadInput(
            f"{file} is no CSV file that can be read; save it anew, with one line for each."
        ) from None


def write(output: Path, content: bytes) -> None:
    if str(output) == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
    except OSError as error:
        raise BadInput(f"{output} cannot be written: {error.strerror}.") from None


def text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{file} is no text; give another file.") from None


def actor() -> str:
    return f"command line, {os.environ.get('SUDO_USER') or os.environ.get('USER') or os.getuid()}"


def _words() -> str:
    """Give the first word of the command that runs; what follows may name an order."""
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    return f"custody {first}" if first.isascii() and first.isalpha() else "custody"


def stop(message: str, code: int) -> Never:
    err.print(message, highlight=False, markup=False)
    raise typer.Exit(code)
