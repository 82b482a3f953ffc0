"""The log files of a home: one a process, for their owner only."""

import os
from pathlib import Path
from typing import IO

from custody_local.layout import PRIVATE_FILE, Layout

_LINES_SHOWN = 20


def log_file(layout: Layout, name: str) -> Path:
    """Say where the output of a process goes."""
    return layout.logs / f"{name}.log"


def open_log(layout: Layout, name: str) -> IO[bytes]:
    """Open a log so that what a process writes is added to it."""
    return os.fdopen(
        os.open(log_file(layout, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE), "wb"
    )


def last_lines(file: Path, count: int = _LINES_SHOWN) -> str:
    """Read the end of a log."""
    return "\n".join(file.read_text(errors="replace").splitlines()[-count:]) if file.exists() else ""
