"""What making a slip leaves behind in its process, and on the disk: nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..builders import ANN
from .slips import pages

REPOSITORY = Path(__file__).resolve().parents[2]


def run(tmp_path: Path, script: str) -> subprocess.CompletedProcess[bytes]:
    """Run a script in a process whose every folder for files of its own is an empty one."""
    own = {"HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"}
    environment = os.environ | dict.fromkeys(own, str(tmp_path)) | {"PYTHONDONTWRITEBYTECODE": "1"}
    source = "import sys; sys.path[:0] = " + repr([str(REPOSITORY), *sys.path]) + "\n"
    source += "from custody.fulfillment.slip import render_slip\n"
    source += "from tests.builders import ANN\nfrom tests.fulfillment.slips import ordered, pages\n" + script
    return subprocess.run(
        [sys.executable, "-c", source],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


# A process that may not write one byte to any file, and whose Python reports a file it opens to write.
NO_FILES = """
import os, resource
def watch(event, arguments):
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        sys.exit("a file was opened to be written")
sys.addaudithook(watch)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
"""


def test_rendering_creates_no_file(tmp_path: Path) -> None:
    done = run(tmp_path, NO_FILES + "sys.stdout.buffer.write(render_slip(ANN, ordered(), 'Tea'))")
    assert done.returncode == 0, done.stderr
    assert ANN.name in pages(done.stdout)[0]
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    "write",
    [
        "open('left', 'w').write('x')",
        "os.system('echo x > left && test -s left') == 0 or sys.exit('no file')",
    ],
)
def test_the_watch_for_files_sees_one(tmp_path: Path, write: str) -> None:
    assert run(tmp_path, NO_FILES + write).returncode != 0


def test_process_forked_after_a_slip_is_told_instead_of_waiting_for_ever(tmp_path: Path) -> None:
    script = """
import os
render_slip(ANN, ordered(), "Tea")
child = os.fork()
if not child:
    try:
        render_slip(ANN, ordered(), "Tea")
    except RuntimeError as error:
        os._exit(7 if "forked" in str(error) else 1)
    os._exit(2)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(tmp_path, script).stdout == b"7\n"
