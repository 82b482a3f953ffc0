"""The clocks of notices: what silence does, what is reminded of, and what is late, each once."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.bootstrap import House
from custody.errors import Unavailable
from custody.notices import record
from custody.notices.clocks import Clocks, Ticked, moments
from custody.notices.notice import OnRecord, State
from custody.settings import Settings

from ..builders import NOW, Hands, rows
from .mail_server import free_port
from .test_delivery import NOTICE, incident, owed, sender

SETTINGS = Settings(home=Path("/nowhere"))


def look(house: House) -> Ticked:
    return Clocks(house.engine, house.settings).look(house.clock())


def test_what_could_not_be_sent_in_time_is_told_once(house: House, tmp_path: Path, clock: Hands) -> None:
    owed(house, msgspec.structs.replace(NOTICE, incident_id=incident(house)))
    down = sender(house, tmp_path, smtp_url=f"smtp://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable):
        down.send_owed()
    clock.forward(hours=23)
    assert look(house) == Ticked(0, 0, 0)
    clock.forward(hours=1)
    assert [look(house).escalated, look(house).escalated] == [1, 0]
    with house.engine.connect() as connection:
        late = record.find(connection, f"notice-late-{NOTICE.notice_id}")
    assert "Attempts so far: 1" in late.body
    assert "acme.example" not in late.body


def test_a_clock_that_is_set_back_repeats_nothing(house: House, clock: Hands) -> None:
    owed(house, msgspec.structs.replace(NOTICE, state=State.DRAFT, since=NOW))
    clock.forward(hours=20)
    assert look(house).reminded == 1
    clock.forward(hours=-10)
    assert look(house) == Ticked(0, 0, 0)
    clock.forward(hours=11)
    assert look(house).reminded == 0


def test_a_clock_far_ahead_sends_at_once_and_once(house: House, clock: Hands) -> None:
    owed(house, msgspec.structs.replace(NOTICE, state=State.DRAFT, since=NOW))
    clock.forward(days=400)
    assert [look(house).released, look(house).released] == [1, 0]
    clock.forward(days=-400)
    look(house)
    assert [state for state, _ in rows(house, record.notices, "state", "notice_id")] == [State.OWED]


@given(
    hours=st.floats(0, 80),
    span=st.floats(2, 72),
    obliged=st.booleans(),
    state=st.sampled_from(State),
    attempts=st.integers(0, 3),
)
def test_silence_never_sends_what_is_not_obliged_and_an_obliged_draft_always_has_its_moment(
    hours: float, span: float, obliged: bool, state: State, attempts: int
) -> None:
    notice = OnRecord(
        **{name: getattr(NOTICE, name) for name in NOTICE.__struct_fields__}
        | {
            "made_at": NOW,
            "since": NOW,
            "due_at": NOW + timedelta(hours=span),
            "state": state,
            "obliged": obliged,
            "attempts": attempts,
            "sent_at": NOW if state is State.SENT else None,
        }
    )
    found = dict(moments(notice, SETTINGS, NOW + timedelta(hours=hours)))
    assert ("release" in found) is (state is State.DRAFT and obliged)
    assert ("notice_undecided" in found) is (state is State.DRAFT and not obliged)
    if state in {State.SENT, State.AGAINST}:
        assert found == {}
    if "release" in found:
        assert found["release"] == notice.due_at - SETTINGS.notice_head_start
        assert found.get("notice_reminder", NOW) <= notice.due_at
