"""Files that hold keys: written whole or not at all, overwritten before they are unlinked.

Rules:
- one process at a time changes the files of a directory, so whatever a writer left there was killed;
- old bytes keep a name until they are overwritten: the file's own, or the hidden ``.NAME.old``;
- what a killed writer left is overwritten by the next that changes the file, or by ``sweep``.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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
    make_private(file.parent)
    with _alone(file.parent):
        _sweep(_hidden(file), live=[file])
        if file.exists():
            return False
        draft = _draft(file, content)
        os.link(draft, file)  # unlike a renaming, it could not replace anything
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
    """Put new content in the place of a file at once, and overwrite the bytes of the old one.

    (1) what a killed writer left is swept; (2) the new content is written beside the file;
    (3) the old one gets a second name; (4) the new one takes its place;
    (5) the old one, which now has that second name only, is overwritten and unlinked.
    """
    make_private(file.parent)
    with _alone(file.parent):
        _sweep(_hidden(file), live=[file])  # (1)
        draft = _draft(file, content)  # (2)
        with suppress(FileNotFoundError):
            os.link(file, _beside(file, "old"))  # (3)
        sync_directory(file.parent)
        draft.replace(file)  # (4)
        sync_directory(file.parent)
        _sweep(_hidden(file), live=[file])  # (5)


def destroy(file: Path) -> None:
    """Overwrite a file's bytes on the medium, then unlink it; so, before it, what killed writers left.

    While the file is there, something may be left; when it is gone, nothing is.
    """
    if not file.parent.is_dir():
        return
    with _alone(file.parent):
        _sweep(_hidden(file), live=[])
        _sweep([file], live=[])


def sweep(directory: Path) -> int:
    """Overwrite and unlink what killed writers left anywhere below a directory; give how many files."""
    swept = 0
    for folder in [each for each in (directory, *directory.rglob("*")) if each.is_dir()]:
        with _alone(folder):
            files = [each for each in folder.iterdir() if each.is_file()]
            hidden = [each for each in files if each.name.startswith(".")]
            _sweep(hidden, live=[each for each in files if each not in hidden])
            swept += len(hidden)
    return swept


def _draft(file: Path, content: bytes) -> Path:
    draft = _beside(file, "new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return draft


def _beside(file: Path, what: str) -> Path:
    return file.with_name(f".{file.name}.{what}")


def _hidden(file: Path) -> list[Path]:
    return list(file.parent.glob(f".{file.name}.*"))


def _sweep(leftovers: list[Path], *, live: list[Path]) -> None:
    """Overwrite and unlink files; one that shares its bytes with a live file only loses its name."""
    kept = {(each.stat().st_dev, each.stat().st_ino) for each in live if each.exists()}
    for each in leftovers:
        with suppress(FileNotFoundError):
            found = each.stat()
            if (found.st_dev, found.st_ino) not in kept:
                _overwrite(each)
            each.unlink()
            sync_directory(each.parent)


def _overwrite(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.write(os.urandom(os.fstat(stream.fileno()).st_size))
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keep other writers out of a directory; the lock ends with the process that holds it."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
