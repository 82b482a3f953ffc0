"""Where everything of a local run lives, and the lock that gives a home to one runner at a time."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from custody_local.errors import HomeInUse

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600


@dataclass(frozen=True, slots=True)
class Layout:
    """The directories of one home (``CUSTODY_HOME``); all of them are for their owner only."""

    home: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "home", self.home.absolute())

    @property
    def postgres(self) -> Path:
        return self.home / "postgres"

    @property
    def airflow(self) -> Path:
        return self.home / "airflow"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def secrets(self) -> Path:
        return self.home / "secrets"

    @property
    def temporary(self) -> Path:
        """What all processes get as TMPDIR, so that their temporary files are inside the home too."""
        return self.home / "tmp"

    def create(self) -> None:
        """Make the home and its directories; what exists stays as it is."""
        self.home.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        for each in (self.airflow, self.logs, self.run, self.secrets, self.temporary):
            each.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)

    def secret(self, name: str, make: str | None = None) -> str:
        """Read ``secrets/NAME``, made at its first use from ``make`` or 32 random bytes as hex."""
        file = self.secrets / name
        if not file.exists():
            write_private(file, make or secrets.token_hex(32))
        return file.read_text()

    def password_file(self, role: str) -> Path:
        """Say where the password of a database role is."""
        return self.secrets / f"{role}.password"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home for this process; raises HomeInUse. The kernel frees it however we end."""
        self.create()
        with open(os.open(self.run / "lock", os.O_RDWR | os.O_CREAT, PRIVATE_FILE), "r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = file.read() or "unknown"
                raise HomeInUse(
                    f"{self.home} is in use by process {holder}: "
                    "stop that run, or set CUSTODY_HOME to another directory."
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def write_private(file: Path, content: str) -> None:
    """Write a file for its owner only, whole or not at all."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    unfinished.rename(file)
