"""A canary in a directory: a file that a search must find, removed at the end, or by the next one.

A lock on the file shows that its search is alive; what is not locked was left by one that was killed.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX, SUFFIX = ".custody-residue-", ".canary"


@contextmanager
def planted(directory: Path, canary: str) -> Iterator[Path | None]:
    """Keep a file with the canary in a directory; None where nothing can be written."""
    remove_abandoned(directory)
    try:
        file, descriptor = _locked_file(directory)
    except OSError:
        yield None
        return
    try:
        os.write(descriptor, f"canary {canary}\n".encode())
        yield file
    finally:
        file.unlink(missing_ok=True)
        os.close(descriptor)


def remove_abandoned(directory: Path) -> int:
    """Remove the canaries of searches that were killed; give how many."""
    removed = 0
    for file in _canaries(directory):
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # gone already, or not ours
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.unlink(missing_ok=True)
            removed += 1
        except OSError:
            pass  # its search is alive
        finally:
            os.close(descriptor)
    return removed


def is_canary(file: Path) -> bool:
    """Tell whether a file is the canary of some search."""
    return file.name.startswith(PREFIX) and file.name.endswith(SUFFIX)


def _canaries(directory: Path) -> list[Path]:
    try:
        return [file for file in directory.iterdir() if is_canary(file)]
    except OSError:
        return []


def _locked_file(directory: Path) -> tuple[Path, int]:
    while True:
        file = directory / f"{PREFIX}{os.urandom(8).hex()}{SUFFIX}"
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if file.exists():
                return file, descriptor
        except OSError:
            pass
        os.close(descriptor)  # another search took it for abandoned before it was locked
