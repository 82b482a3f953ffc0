"""The making of the environment, where it can be tested without a registry."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from custody_local import environment

WHEEL = "pip-26.3-py3-none-any.whl"
CONTENT = b"a wheel of pip"
LOCK = f"""\
alpha==1.0 \\
    --hash=sha256:aa
    # via nothing
pip==26.3 \\
    --hash=sha256:{hashlib.sha256(CONTENT).hexdigest()} \\
    --hash=sha256:ff
    # via custody (pyproject.toml:dev)
pip-tools==7.0 \\
    --hash=sha256:bb
"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing on the terminal of the tests."""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package index in a folder, served on loopback."""
    folder = tmp_path / "index"
    (folder / "simple" / "pip").mkdir(parents=True)
    (folder / "files").mkdir()
    (folder / "simple" / "pip" / "index.html").write_text(
        f'<a href="../../files/{WHEEL}#sha256=0">{WHEEL}</a>'
    )
    (folder / "files" / WHEEL).write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_address[1]}/simple")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield folder
        server.shutdown()


def test_one_package_is_cut_out_of_the_lock_with_all_its_digests() -> None:
    entry = environment.locked(LOCK, "pip")
    assert entry.startswith("pip==26.3 ")
    assert entry.count("--hash=") == 2
    assert "alpha" not in entry
    assert "tools" not in entry


def test_a_package_that_is_not_locked_stops_the_making() -> None:
    with pytest.raises(SystemExit, match="does not lock uv"):
        environment.locked(LOCK, "uv")


def test_the_projects_own_lock_has_what_the_making_needs() -> None:
    lock = (Path(__file__).parents[2] / "requirements-dev.txt").read_text()
    for name in ("pip", "uv", "setuptools"):
        assert "--hash=sha256:" in environment.locked(lock, name)


def test_pip_is_fetched_where_python_came_without_it(index: Path, tmp_path: Path) -> None:
    command = environment._with_fetched_pip(tmp_path, LOCK)
    assert command == [str(tmp_path / "bin" / "python"), str(tmp_path / WHEEL / "pip")]
    assert (tmp_path / WHEEL).read_bytes() == CONTENT


def test_a_pip_that_is_not_the_locked_one_is_not_kept(index: Path, tmp_path: Path) -> None:
    (index / "files" / WHEEL).write_bytes(b"something else")
    with pytest.raises(SystemExit, match="not the one that"):
        environment._with_fetched_pip(tmp_path, LOCK)
    assert not (tmp_path / WHEEL).exists()


def test_an_index_without_the_locked_pip_says_what_to_install(index: Path, tmp_path: Path) -> None:
    (index / "simple" / "pip" / "index.html").write_text("<html></html>")
    with pytest.raises(SystemExit, match="install python3-venv"):
        environment._with_fetched_pip(tmp_path, LOCK)


def test_an_environment_without_its_mark_is_made_anew_and_marked_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    mark = tmp_path / ".venv" / environment.mark_name()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "uv").touch()
    monkeypatch.setattr(environment, "_make", lambda *_: steps.append("make"))
    monkeypatch.setattr(environment, "_install", lambda *_: steps.append(f"install {mark.exists()}"))
    environment.main(tmp_path)
    environment.main(tmp_path)
    assert steps == ["make", "install False", "install False"]
    assert mark.exists()


def test_an_environment_of_another_python_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "uv").touch()
    (tmp_path / ".venv" / ".ready-3.0").touch()
    monkeypatch.setattr(environment, "_make", lambda *_: steps.append("make"))
    monkeypatch.setattr(environment, "_install", lambda *_: None)
    environment.main(tmp_path)
    assert steps == ["make"]
    assert [each.name for each in (tmp_path / ".venv").glob(".ready-*")] == [environment.mark_name()]
