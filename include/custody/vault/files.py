"""Files that hold keys: written whole or not at all, overwritten before they are unlinked."""

import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from custody.errors import BadInput


def path_of(location: str) -> Path:
    """Give the path of a ``file:/absolute/path`` location; raises BadInput for any other kind."""
    kind, _, path = location.partition(":")
    if kind != "file" or not path.startswith("/"):
        raise BadInput(f"Location of kind {kind!r} is not known here; give file:/absolute/path.")
    return Path(path)


def make_private(directory: Path) -> None:
    """Make a directory, and its missing parents, that only this user can enter (mode 0700)."""
    for missing in reversed([each for each in (directory, *directory.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)  # with parents=True, mkdir would make those for everybody


def write_new(file: Path, content: bytes) -> bool:
    """Write a file durably if none is there; False when one is, which is left as it was.

    The content appears under its name whole or not at all, whenever the process is killed.
    """
    draft = _draft(file, content)
    try:
        os.link(draft, file)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    sync_directory(file.parent)
    return True


def read(file: Path) -> bytes:
    """Read a file whole, also while another process replaces it; raises FileNotFoundError."""
    while True:
        with file.open("rb") as stream:
            content = stream.read()
            # A file that lost its name while it was read may have been overwritten already.
            if os.path.samestat(os.fstat(stream.fileno()), file.stat()):
                return content


def replace(file: Path, content: bytes) -> None:
    """Put new content in the place of a file at once, then overwrite the bytes of the old one."""
    draft = _draft(file, content)
    with ExitStack() as opened:
        with suppress(FileNotFoundError):
            old = opened.enter_context(file.open("r+b"))
            opened.callback(_overwrite, old)
        draft.replace(file)
        sync_directory(file.parent)


def destroy(file: Path) -> None:
    """Overwrite a file's bytes on the medium, then unlink it and its abandoned drafts.

    A draft that a killed process left behind shares its bytes with the file, or was never used.
    """
    with suppress(FileNotFoundError):
        with file.open("r+b") as stream:
            _overwrite(stream)
        file.unlink()
        sync_directory(file.parent)
    for draft in file.parent.glob(f".{file.name}.*"):
        draft.unlink(missing_ok=True)


def _draft(file: Path, content: bytes) -> Path:
    make_private(file.parent)
    draft = file.with_name(f".{file.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return draft


def _overwrite(stream: BinaryIO) -> None:
    stream.write(os.urandom(os.fstat(stream.fileno()).st_size))
    stream.flush()
    os.fsync(stream.fileno())


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
