"""Announcing an incident, killed (SIGKILL) before any act and repeated: nothing is lost or recorded twice."""

from collections import Counter
from collections.abc import Iterator

import pytest

from custody.bootstrap import House
from custody.incidents.moves import Assessment
from custody.incidents.phases import Breach, Known, Phase, Severity
from custody.incidents.timeline import events_of
from custody.notices import record
from custody.notices.notice import State

from ..builders import Hands, add_contract
from ..conftest import Database
from ..faults.killable import Ended, Job
from ..faults.steps import MAIL_SERVER
from ..faults.story import Zygote
from ..incidents.cases import ADA, in_phase
from .mail_server import MailServer, mail_server

OWED = ("amazon", "seller", "authority")
STRIDE = 7  # every seventh act is one to be killed before; the soak takes each


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as made:
        yield made


@pytest.fixture
def mail(house: House) -> Iterator[MailServer]:
    with mail_server() as server:
        (house.settings.home / MAIL_SERVER).write_text(server.url)
        yield server


def confirmed(house: House, cause: str) -> str:
    """Give an incident whose breach is confirmed, and that nobody has been told of."""
    incident_id = in_phase(house, Phase.TRIAGE, cause)
    said = Assessment(Severity.HIGH, Breach.CONFIRMED, Known.YES, "A token was used from elsewhere.")
    house.responder.assess(incident_id, said, actor=ADA)
    return incident_id


@pytest.mark.parametrize("stride", [STRIDE, pytest.param(1, marks=pytest.mark.soak)])
def test_killed_before_any_act_each_notice_is_sent_and_recorded_once(
    house: House, database: Database, zygote: Zygote, mail: MailServer, clock: Hands, stride: int
) -> None:
    add_contract(house, contacts=("legal@acme.example",))

    def announce(strike_at: int | None = None) -> Ended:
        home = str(house.settings.home)
        ended = zygote.run(Job("announce", home, database.app_url, clock(), "http://127.0.0.1:9", strike_at))
        assert ended.error is None, ended.error
        return ended

    known, strike, kills, killed = [confirmed(house, "one")], 1, 0, True
    clock.forward(days=3)  # every clock is over: what is drafted goes out at once
    while killed and strike < 400:
        killed = announce(strike).killed
        kills += killed
        announce()
        if killed:
            known.append(confirmed(house, f"kill-{strike}"))
            clock.forward(days=3)
        strike += stride
    assert not killed
    assert kills > 40 / stride
    letters = Counter(str(each["Message-ID"]).strip() for each in mail.letters)
    wanted = {f"<{what}-{each}" for each in known for what in OWED}
    assert {each.partition("@")[0].removesuffix("-acme-eu") for each in letters} >= wanted
    assert max(letters.values()) <= 2  # handed over, and killed before that was written down
    with house.engine.connect() as connection:
        for each in known:
            told = [notice for notice in record.of_incident(connection, each) if notice.kind != "notice_late"]
            assert [notice.state for notice in told] == [State.SENT] * len(OWED)
            lines = Counter(event.action for event in events_of(connection, each))
            assert (lines["notice_drafted"], lines["notice_released"], lines["notice_sent"]) == (3, 3, 3)
