"""As whom the PostgreSQL of root runs, which PostgreSQL itself does not allow to be root."""

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from custody_local.errors import Unsupported


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The numbers of a user and of a group."""

    uid: int
    gid: int


def server_user(data: Path) -> ServerUser | None:
    """Say as whom root's server runs: the owner of its data, or ``nobody``; None when we are not root."""
    if os.geteuid() != 0:
        return None
    owner = data.stat()
    if owner.st_uid != 0:
        return ServerUser(owner.st_uid, owner.st_gid)
    nobody = pwd.getpwnam("nobody")
    return ServerUser(nobody.pw_uid, nobody.pw_gid)


def as_user(user: ServerUser | None) -> list[str]:
    """Give the words before a command that run it as the user, with the one capability it needs."""
    if user is None:
        return []
    program = shutil.which("setpriv")
    if program is None:
        raise Unsupported(
            "PostgreSQL for root needs setpriv (util-linux): install it, or do not run as root."
        )
    capability = "-all,+dac_override"
    return [
        program,
        f"--reuid={user.uid}",
        f"--regid={user.gid}",
        "--clear-groups",
        # Without it access(2), with which initdb looks for postgres, would ignore the capability.
        "--securebits=+no_setuid_fixup",
        f"--inh-caps={capability}",
        f"--ambient-caps={capability}",
        f"--bounding-set={capability}",
        "--",
    ]
