"""What grows old: rotated by itself where that is possible, and told in time where it is not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from custody.credentials.rotation_record import Cause, State
from custody.database.incident_tables import notices
from custody.vault.secret_store import RECEIPT_KEY, SIGNING_KEY

from ..aws import Aws
from ..builders import Hands, rows
from .rotations import Rotating, rotating


@pytest.fixture
def here(tmp_path: Path, database: Any, clock: Hands, aws: Aws) -> Iterator[Rotating]:
    with rotating(tmp_path / "home", database.app_url, clock, aws) as made:
        made.house.secrets.write("smtp/password", b"canary-password")
        yield made


def told(here: Rotating) -> list[str]:
    return [each for each in rows(here.house, notices, "notice_id") if each.startswith("credential-")]


def test_a_year_of_daily_runs_rotates_what_can_be_and_warns_of_what_cannot(here: Rotating) -> None:
    for _ in range(37):
        here.forward(days=10)
        here.run()
    done = [(each.credential, each.cause) for each in here.rotations() if each.state is State.OLD_EXPIRED]
    assert done.count(("lwa/client-secret", Cause.AGE)) == 4
    assert {SIGNING_KEY, RECEIPT_KEY} <= {name for name, _ in done}
    assert here.secret() == here.newest()
    assert [each for each in told(here) if "smtp" in each] == [
        f"credential-smtp-password-1-{days}" for days in (0, 15, 30, 60, 7, 90)
    ]
    assert [each for each in told(here) if "lwa" in each] == []
    assert len([each for each in told(here) if "refresh-token" in each]) == 6
    bodies = "".join(rows(here.house, notices, "body"))
    assert "credential set" in bodies
    assert "canary" not in bodies


def test_a_value_that_is_stored_anew_is_young_again(here: Rotating) -> None:
    here.forward(days=300)
    here.rotator.clean()
    before = len(told(here))
    assert before
    here.house.secrets.write("smtp/password", b"another")
    here.forward(days=20)
    here.rotator.clean()
    assert [each for each in told(here) if each.startswith("credential-smtp-password-2")] == []
