"""A full disk is told in one sentence, wherever it shows, and anything else goes through."""

import errno

import pytest
from psycopg.errors import DeadlockDetected, DiskFull
from sqlalchemy.exc import OperationalError

from custody.database.room import room_for
from custody.errors import TryLater


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("COPY", {}, DiskFull("no space left")),
        DiskFull("no space left"),  # as a COPY through the driver raises it
        OSError(errno.ENOSPC, "No space left on device", "/srv/journal/x"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
    ],
)
def test_a_full_disk_is_to_be_tried_later(error: Exception) -> None:
    with pytest.raises(TryLater, match=r"^Purge 1: the .*disk is full.*Make room"), room_for("Purge 1"):
        raise error


@pytest.mark.parametrize(
    "error",
    [OperationalError("SELECT", {}, DeadlockDetected("a deadlock")), DeadlockDetected("a deadlock"),
     PermissionError(errno.EACCES, "Permission denied")],
)  # fmt: skip
def test_another_error_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)), room_for("Purge 1"):
        raise error
