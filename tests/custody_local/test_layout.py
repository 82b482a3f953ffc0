"""The home: private, its secrets kept, and one runner at a time."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from custody_local.errors import HomeInUse
from custody_local.layout import Layout, write_private

_HOLDER = """
import sys, time
from pathlib import Path
from custody_local.layout import Layout
with Layout(Path(sys.argv[1])).locked():
    print("held", flush=True)
    time.sleep(60)
"""


def test_all_directories_are_for_their_owner_only(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "some" / "home")
    layout.create()
    directories = [layout.home, *layout.home.iterdir()]
    assert len(directories) == 6
    assert {stat.S_IMODE(each.stat().st_mode) for each in directories} == {0o700}


def test_a_relative_home_stays_where_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    layout = Layout(Path("home"))
    monkeypatch.chdir("/")
    assert layout.home == tmp_path / "home"


def test_a_secret_is_made_once_and_differs_from_others(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    first = layout.secret("one")
    assert len(first) == 64
    assert layout.secret("one") == first
    assert layout.secret("two") != first
    assert stat.S_IMODE((layout.secrets / "one").stat().st_mode) == 0o600


def test_a_private_file_is_replaced_whole_and_never_open_to_others(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_second_runner_is_refused_with_the_pid_of_the_first_until_that_ends(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with subprocess.Popen([sys.executable, "-c", _HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(HomeInUse, match=f"in use by process {holder.pid}"), layout.locked():
            pass
        holder.kill()
    with layout.locked():
        assert (layout.run / "lock").read_text() == str(os.getpid())


def test_two_homes_do_not_disturb_each_other(tmp_path: Path) -> None:
    with Layout(tmp_path / "one").locked(), Layout(tmp_path / "two").locked():
        pass
