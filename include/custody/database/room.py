"""A full disk, here or at the database: nothing is lost, and a person has to make room."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.errors import DiskFull
from sqlalchemy.exc import OperationalError

from custody.errors import TryLater

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def room_for(what: str) -> Iterator[None]:
    """Turn "no room left" into TryLater that says where; anything else goes through as it is."""
    try:
        yield
    except (OperationalError, DiskFull) as error:  # the second: COPY goes by the driver itself
        if not isinstance(getattr(error, "orig", error), DiskFull):
            raise
        raise TryLater(f"{what}: the database's disk is full. Make room; the next run goes on.") from None
    except OSError as error:
        if error.errno not in _FULL:
            raise
        where = f" at {error.filename}" if error.filename else ""
        raise TryLater(f"{what}: the disk is full{where}. Make room; the next run goes on.") from None
