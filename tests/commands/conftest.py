"""The command ``custody`` run in this process, in a test's own house."""

import io
import sys
from collections.abc import Callable

import pytest

from custody import cli
from custody.bootstrap import House

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command as its script would; give exit status, output and errors. Its clock is the wall's."""
    monkeypatch.setenv("CUSTODY_HOME", str(house.settings.home))
    monkeypatch.setenv("CUSTODY_DATABASE_URL", house.settings.database_url)
    monkeypatch.setenv("COLUMNS", "400")

    def run(*words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["custody", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run
