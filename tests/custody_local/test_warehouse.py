"""The demo's warehouse: what it says when its list is not taken."""

import sys
from pathlib import Path

import pytest

from custody_local import warehouse
from custody_local.errors import NotReady

PARCELS = [("302-0000001-0000001", "eu")]
CANARY = "Ann Canaryfield"


def refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errors: str) -> str:
    """Hand the list to a command that fails with these lines, and give what is told of it."""
    command = tmp_path / "custody"
    command.write_text(f"#!{sys.executable}\nimport sys\nsys.stderr.write({errors!r})\nsys.exit(3)\n")
    command.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(NotReady) as caught:
        warehouse.ship(PARCELS, {})
    return str(caught.value)


@pytest.mark.parametrize(
    "last", ["custody: No contract acme-eu; add it first.", "line 3: order 4f is not known."]
)
def test_only_the_last_sentence_of_a_refusal_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    told = refuse(tmp_path, monkeypatch, f"A warning about {CANARY}\n{last}\n")
    assert told == f"The warehouse's list was not taken: {last}"


@pytest.mark.parametrize("errors", [f"Traceback\nValueError: {CANARY}\n", "", f"{CANARY} custody: x"])
def test_of_a_crash_only_the_exit_status_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errors: str
) -> None:
    told = refuse(tmp_path, monkeypatch, errors)
    assert CANARY not in told
    assert "ended with 3" in told


def test_an_empty_list_is_not_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere" / "python"))
    warehouse.ship([], {})
