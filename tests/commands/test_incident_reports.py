"""``custody incident report`` and ``custody incident drill``."""

import io
import json
import re
from pathlib import Path

import pytest
from pypdf import PdfReader
from sqlalchemy import make_url

from custody.bootstrap import House
from custody.database.incident_tables import incidents, notices
from custody.database.tables import contracts
from custody.incidents.kinds import Kind
from custody.incidents.record import open_incident

from ..builders import NOW, rows
from .conftest import Run


@pytest.fixture
def incident(house: House) -> str:
    with house.engine.begin() as connection:
        return open_incident(
            connection, cause="1", kind=Kind.OTHER, summary="A laptop is lost.", detected_by="ada", now=NOW
        )


def file_of(house: House, suffix: str) -> Path:
    (found,) = house.settings.certificates.glob(f"report-*{suffix}")
    return found


def test_a_report_is_written_as_json_and_pdf_and_each_is_valid(run: Run, house: House, incident: str) -> None:
    status, _, err = run("incident", "report", incident)
    assert status == 0
    assert "is signed, logged and written to" in err
    for suffix in (".json", ".pdf"):
        status, out, _ = run("verify", str(file_of(house, suffix)))
        assert status == 0
        assert "valid, in the log of 1 entries: report-" in out
        assert "(interim)" in out
        assert "A laptop is lost." in out
    assert "PDF: it shows what was signed." in out


def test_copies_go_where_they_are_asked_for(run: Run, house: House, incident: str, tmp_path: Path) -> None:
    run("incident", "report", incident, "--json", str(tmp_path / "a.json"), "--pdf", str(tmp_path / "a.pdf"))
    assert json.loads((tmp_path / "a.json").read_text())["report"]["incident"]["incident_id"] == incident
    assert PdfReader(io.BytesIO((tmp_path / "a.pdf").read_bytes())).attachments
    assert not list(house.settings.certificates.glob("report-*.pdf"))


def test_a_report_that_was_changed_is_not_valid(run: Run, house: House, incident: str) -> None:
    run("incident", "report", incident)
    file = file_of(house, ".json")
    file.write_text(file.read_text().replace("A laptop is lost.", "Nothing is lost."))
    status, _, err = run("verify", str(file))
    assert status == 1
    assert "NOT VALID (digest)" in err


def test_a_pdf_that_shows_something_else_is_not_valid(run: Run, house: House, incident: str) -> None:
    run("incident", "report", incident)
    file = file_of(house, ".pdf")
    file.write_bytes(file.read_bytes() + b"\n% shown otherwise\n")
    status, _, err = run("verify", str(file))
    assert status == 1
    assert "NOT VALID (shown)" in err


def test_an_incident_that_is_not_there_is_one_sentence(run: Run, house: House) -> None:
    status, _, err = run("incident", "report", "incident-x")
    assert status == 1
    assert re.fullmatch(r"custody: There is no incident incident-x.+\.\n", err)


@pytest.fixture
def stand(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: object) -> tuple[str, ...]:
    """Make the house a local stand, and give the words that name its database's owner."""
    monkeypatch.setenv("CUSTODY_AMAZON_STAND_IN", "http://127.0.0.1:9")
    file = tmp_path / "owner.password"
    file.write_text(make_url(database.owner_url).password or "")  # type: ignore[attr-defined]
    return ("--owner-password-file", str(file))


def test_a_drill_that_passes_ends_in_a_table(run: Run, house: House, stand: tuple[str, ...]) -> None:
    status, out, err = run("incident", "drill", "--scenario", "idle_purge", "--compress", *stand)
    assert status == 0, out + err
    assert re.search(r"escalated +│ pass", out)
    assert re.search(r"acknowledged +│ not asked", out)
    assert "passed; custody incident report incident-" in out
    assert "1 h 00  1 escalated" in err
    assert rows(house, contracts) == []
    assert all(closed for closed in rows(house, incidents, "closed_at"))
    assert {channel for channel in rows(house, notices, "channel") if channel} == {"file"}


def test_a_drill_is_refused_where_amazon_could_be_reached(
    run: Run, house: House, stand: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUSTODY_AMAZON_STAND_IN")
    status, _, err = run("incident", "drill", "--compress", *stand)
    assert status == 1
    assert "for a local stand only" in err
    assert rows(house, incidents) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--scenario", "earthquake"), "There is no scenario 'earthquake'"),
        (("--answered",), "--answered goes with --compress"),
        (("--compress",), "--owner-password-file"),
    ],
)
def test_what_cannot_be_drilled_is_one_sentence(
    run: Run, house: House, stand: tuple[str, ...], words: tuple[str, ...], said: str
) -> None:
    status, _, err = run("incident", "drill", *words)
    assert status == 1
    assert said in err
    assert err.count("\n") == 1


def test_clearing_up_after_no_drill_says_so(run: Run, house: House, stand: tuple[str, ...]) -> None:
    status, out, _ = run("incident", "drill", "--clean", *stand)
    assert (status, out) == (0, "No drill has left anything.\n")
