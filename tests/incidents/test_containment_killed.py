"""A containment whose process is killed (SIGKILL) before any act, and run again, is taken once."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from custody.bootstrap import House
from custody.database.incident_tables import containments, incident_events
from custody.incidents.containment_rules import Action, State
from custody.incidents.in_force import in_force
from custody.incidents.kinds import Kind
from custody.vault.secret_store import refresh_token_of, suspended_token_of

from ..builders import add_contract, rows
from ..conftest import Database
from ..faults.killable import Ended, Job
from ..faults.killing import spread
from ..faults.story import Zygote
from .cases import opened

KILLS = 8


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as made:
        yield made


def stage(house: House, number: int) -> str:
    """Give the contract of an incident that nobody has answered for five hours."""
    contract = add_contract(house, f"seller-{number}")
    house.secrets.write(refresh_token_of(contract.contract_id), f"Atzr|invented-{number}".encode())
    opened(
        house,
        f"intrusion|{number}",
        kind=Kind.UNAUTHORIZED_ACCESS,
        contract_id=contract.contract_id,
        detected_at=house.clock() - timedelta(hours=5),
    )
    return contract.contract_id


def outcome(house: House, contract_id: str) -> dict[str, Any]:
    """Give all that has to be the same, whenever and however often it was interrupted."""
    taken = [each for each in rows(house, containments) if each.contract_id == contract_id]
    incident_id = taken[0].incident_id
    lines = [
        (each.action, each.details["action"])
        for each in rows(house, incident_events)
        if each.incident_id == incident_id and each.action.startswith("containment")
    ]
    return {
        "states": {each.action: (each.state, each.decided_by, each.trouble) for each in taken},
        "lines": sorted(lines),
        "token": house.secrets.exists(refresh_token_of(contract_id)),
        "suspended": house.secrets.exists(suspended_token_of(contract_id)),
    }


def test_killed_before_an_act_and_run_again_it_is_taken_once(
    house: House, database: Database, zygote: Zygote
) -> None:
    def run(strike_at: int | None = None) -> Ended:
        home, now = str(house.settings.home), house.clock()
        ended = zygote.run(Job("contain", home, database.app_url, now, "http://127.0.0.1:9", strike_at))
        assert ended.error is None, ended.error
        return ended

    first = stage(house, 0)
    acts = run().passed
    wanted = outcome(house, first)
    assert set(wanted["states"]) == {"freeze_ingest", "stop_disclosures", "revoke_credentials"}
    assert {state for state, _, _ in wanted["states"].values()} == {State.TAKEN}
    assert (wanted["token"], wanted["suspended"]) == (False, True)
    found, struck = {}, 0
    for number, at in enumerate(spread(acts, KILLS), 1):
        contract_id = stage(house, number)
        struck += run(at).killed
        run()
        found[acts[at - 1], at] = outcome(house, contract_id)
        with house.engine.connect() as connection:
            assert in_force(connection, contract_id, Action.REVOKE_CREDENTIALS)
    assert struck >= 0.8 * KILLS
    assert {kill: each for kill, each in found.items() if each != wanted} == {}
