"""What root's server may do as another user."""

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from custody_local.privileges import ServerUser, as_user, server_user


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_the_user_of_a_server_finds_its_programs_below_directories_that_only_root_may_enter(
    tmp_path: Path,
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    program = private / "program"
    program.write_text("#!/bin/sh\nid -u\n")
    program.chmod(0o700)
    nobody = pwd.getpwnam("nobody")
    user = ServerUser(nobody.pw_uid, nobody.pw_gid)
    found = subprocess.run(
        [*as_user(user), "/bin/sh", "-c", 'test -x "$0" && exec "$0"', str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout.strip()) == (0, str(user.uid))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_server_of_root_runs_as_the_owner_of_its_data(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    assert server_user(tmp_path) == ServerUser(nobody.pw_uid, nobody.pw_gid)
    os.chown(tmp_path, 12345, 54321)
    assert server_user(tmp_path) == ServerUser(12345, 54321)


@pytest.mark.skipif(os.geteuid() == 0, reason="for everybody else there is nobody to become")
def test_the_server_of_a_person_runs_as_that_person(tmp_path: Path) -> None:
    assert server_user(tmp_path) is None
    assert as_user(None) == []
