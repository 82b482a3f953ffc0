"""The rotation of the client secret, from the request to the end of the old one, in all kinds of weather."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from custody.amazon.interface import Region, Seller
from custody.credentials.inbox import Message
from custody.credentials.rotation_record import Cause, State
from custody.database.incident_tables import incidents
from custody.database.proof_tables import audit_events
from custody.database.rotation_tables import credential_ages, credential_messages
from custody.errors import BadInput, OwnCredentialBroken
from custody.vault.secret_store import LWA_CLIENT_ID, LWA_CLIENT_SECRET

from ..aws import Aws, Killed
from ..builders import NOW, Hands, fail, heal, rows
from .rotations import Rotating, rotating

ROTATE = "rotateApplicationClientSecret"


@pytest.fixture
def here(tmp_path: Path, database: Any, clock: Hands, aws: Aws) -> Iterator[Rotating]:
    with rotating(tmp_path / "home", database.app_url, clock, aws) as made:
        yield made


def seller_of(here: Rotating) -> Seller:
    contract = here.house.contracts()[0]
    return Seller(
        contract.contract_id, contract.seller_id, Region(contract.region), tuple(contract.marketplace_ids)
    )


def token(here: Rotating) -> str:
    """Get a token anew, as the work of a seller does."""
    seller = seller_of(here)
    here.house.client.forget(seller.contract_id)
    return here.house.client._tokens.access_token(seller)


def told(here: Rotating) -> list[str]:
    return sorted(rows(here.house, incidents, "summary"))


def outcomes(here: Rotating) -> list[str]:
    return sorted(rows(here.house, credential_messages, "outcome"))


def test_a_secret_is_asked_for_received_verified_and_put_in_use_and_each_step_is_on_record(
    here: Rotating,
) -> None:
    old = here.secret()
    asked = here.start("it is time")
    assert here.run() == []
    found = here.rotation()
    assert (found.rotation_id, found.state) == (asked.rotation_id, State.PROMOTED)
    assert here.secret() == here.newest() != old
    assert here.former() == old
    assert here.left() == 0
    assert found.old_expires_at == NOW + timedelta(days=7)
    assert found.new_expires_at == NOW + timedelta(days=180)
    actions = [each.action for each in rows(here.house, audit_events) if each.subject == found.rotation_id]
    assert actions == [f"rotation.{each}" for each in ("requested", "received", "verified", "promoted")]
    assert token(here)
    assert told(here) == []


def test_a_second_run_finds_everything_done(here: Rotating) -> None:
    here.start()
    here.run()
    before = here.rotations(), here.secret()
    assert here.run() == []
    assert (here.rotations(), here.secret()) == before
    assert here.amazon.world.secrets.rotations == 1
    assert here.rotator.clean()["cleaned"] == 0  # the old one is still good for days


def test_when_the_old_secret_has_ended_it_is_destroyed_and_the_rotation_is_over(here: Rotating) -> None:
    here.start()
    here.run()
    here.forward(days=6, hours=23)
    here.run()
    assert here.former() is not None
    here.forward(hours=2)
    here.run()
    assert here.former() is None
    assert here.rotation().state is State.OLD_EXPIRED
    assert token(here)


def test_over_the_overlap_the_old_secret_is_used_when_the_promoted_one_is_not_taken(here: Rotating) -> None:
    here.start()
    here.run()
    here.amazon.world.secrets._secrets[-1].from_ms += 3_600_000  # not known everywhere at Amazon yet
    assert token(here)
    here.amazon.world.secrets._secrets[0].until_ms = 1
    with pytest.raises(OwnCredentialBroken):
        token(here)


def test_a_new_secret_that_amazon_does_not_know_yet_is_waited_for(here: Rotating) -> None:
    old = here.secret()
    fail(here.amazon, ROTATE, "secret_slow", seconds=2400)
    here.start()
    for _ in range(3):
        assert here.run() == ["verify"]
        assert here.secret() == old
        here.forward(minutes=10)
    assert here.rotation().refusals == 3
    here.forward(minutes=11)
    assert here.run() == []
    assert here.rotation().state is State.PROMOTED
    assert here.secret() == here.newest()
    assert told(here) == []


def test_a_new_secret_that_is_never_taken_fails_the_rotation_and_the_old_one_stays(here: Rotating) -> None:
    old = here.secret()
    fail(here.amazon, ROTATE, "secret_slow", seconds=10**6)
    here.start()
    for _ in range(8):
        here.run()
        here.forward(minutes=10)
    found = here.rotation()
    assert found.state is State.FAILED
    assert here.secret() == old
    assert here.former() is None
    assert found.secret_name is None
    assert len(told(here)) == 1
    assert token(here)
    here.start("once more")  # a failed one is in nobody's way
    heal(here.amazon)
    here.run()
    assert here.rotation().state is State.PROMOTED


def test_without_the_enrollment_amazon_refuses_and_nothing_changes(here: Rotating) -> None:
    old = here.secret()
    here.amazon.world.secrets._send = None
    here.start()
    here.run()
    assert here.rotation().state is State.FAILED
    assert "400" in str(here.rotation().trouble)
    assert here.secret() == old
    assert len(told(here)) == 1


@pytest.mark.parametrize("fault", ["429", "500", "503_html", "answer_lost", "notice_twice", "notice_late"])
def test_whatever_amazon_answers_the_rotation_comes_to_its_end(here: Rotating, fault: str) -> None:
    fail(here.amazon, ROTATE, fault, seconds=900)
    here.start()
    for _ in range(4):
        here.run()
        here.forward(minutes=6)
        here.amazon.world.secrets.deliver()
    assert here.rotation().state is State.PROMOTED
    assert here.secret() == here.newest()
    assert here.amazon.world.secrets.rotations == 1
    assert here.left() == 0
    assert told(here) == []


def test_an_answer_that_was_lost_is_not_asked_for_again_while_its_notice_may_come(here: Rotating) -> None:
    fail(here.amazon, ROTATE, "answer_lost")
    here.start()
    here.rotator.request()
    for _ in range(3):
        assert here.rotator.request()["asked"] == 0
    assert here.amazon.world.secrets.rotations == 1
    here.run()
    assert here.rotation().state is State.PROMOTED


def test_a_notice_that_is_lost_is_an_incident_after_an_hour_and_another_two_days_before_the_end(
    here: Rotating,
) -> None:
    fail(here.amazon, ROTATE, "notice_lost")
    here.start()
    assert here.run() == ["receive"]
    here.forward(minutes=59)
    here.rotator.watch()
    assert told(here) == []
    here.forward(minutes=2)
    for _ in range(2):
        here.rotator.watch()
    assert len(told(here)) == 1
    here.forward(days=5)
    here.rotator.watch()
    assert len(told(here)) == 2
    assert "ends on 2026-11-27" in " ".join(told(here))


def test_a_message_that_cannot_be_read_or_is_for_another_application_stays_and_does_no_harm(
    here: Rotating,
) -> None:
    fail(here.amazon, ROTATE, "notice_malformed")
    here.send(here.notice("amzn1.oa2-cs.v1.others", NOW, clientId="amzn1.application-oa2-client.other"))
    here.send("no JSON at all")
    here.send("{}")
    here.start()
    assert here.run() == []
    assert here.rotation().state is State.PROMOTED
    assert here.secret() == here.newest()
    assert outcomes(here) == ["other_application", "taken", "unreadable", "unreadable", "unreadable"]
    assert here.left() == 4  # they may be somebody's only copy


def test_a_message_is_taken_once_our_client_id_is_the_right_one(here: Rotating) -> None:
    right = here.secret(LWA_CLIENT_ID)
    here.house.secrets.write(LWA_CLIENT_ID, b"amzn1.application-oa2-client.wrong")
    message = Message("1", here.notice("amzn1.oa2-cs.v1.theirs", NOW), "receipt")
    arrivals = here.rotator.tools.arrivals
    assert arrivals is not None
    assert arrivals.take(message, NOW).on_record == "other_application"
    assert arrivals.take(message, NOW).on_record == "other_application"
    here.house.secrets.write(LWA_CLIENT_ID, right.encode())
    assert arrivals.take(message, NOW).outcome == "taken"
    assert arrivals.take(message, NOW).outcome == "repeated"


def test_a_message_that_is_replayed_changes_nothing_even_under_another_id(here: Rotating) -> None:
    here.start()
    here.run()
    first = here.secret()
    here.forward(days=1)
    here.start()
    here.run()
    second, before = here.secret(), here.rotations()
    for number, secret in enumerate((first, second, first)):
        here.send(here.notice(secret, NOW + timedelta(days=300), notification_id=f"replay-{number}"))
    here.run()
    assert here.rotations() == before
    assert here.secret() == second
    assert here.left() == 0
    assert outcomes(here).count("repeated") == 3


def test_of_two_messages_in_the_wrong_order_the_newer_secret_wins(here: Rotating) -> None:
    office = here.amazon.world.secrets
    sent: list[str] = []
    office._send = sent.append
    office.rotate(None)
    here.forward(minutes=1)
    office.rotate(None)
    for text in reversed(sent):
        here.send(text)
        here.run()
    assert here.secret() == here.newest()
    assert outcomes(here) == ["older", "taken"]
    assert len(here.rotations()) == 1


def test_a_newer_secret_takes_the_place_of_one_that_is_received_and_not_in_use_yet(here: Rotating) -> None:
    here.start()
    here.rotator.request()
    here.rotator.receive()
    here.forward(minutes=1)
    here.amazon.world.secrets.rotate(None)
    here.run()
    assert [each.state for each in here.rotations()] == [State.PROMOTED, State.SUPERSEDED]
    assert here.secret() == here.newest()
    assert [each.secret_name for each in here.rotations()] == [None, None]


def test_a_secret_that_nobody_asked_for_is_taken_up(here: Rotating) -> None:
    here.amazon.world.secrets.rotate(None)
    assert here.run() == []
    found = here.rotation()
    assert (found.cause, found.state) == (Cause.UNSOLICITED, State.PROMOTED)
    assert here.secret() == here.newest()


def test_a_secret_that_a_person_has_stored_before_its_message_came_is_known(here: Rotating) -> None:
    fail(here.amazon, ROTATE, "notice_late", seconds=600)
    here.start()
    here.run()
    here.house.secrets.write(LWA_CLIENT_SECRET, here.newest().encode())
    here.forward(minutes=11)
    here.amazon.world.secrets.deliver()
    here.run()
    assert here.rotation().state is State.PROMOTED
    assert here.rotation().trouble == "it was stored by hand"
    assert len(here.rotations()) == 1


def test_the_end_of_the_secret_in_use_is_taken_from_amazons_word(here: Rotating) -> None:
    ends = NOW + timedelta(days=53)
    said = json.loads(here.notice("unused", NOW)) | {
        "notificationType": "APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY",
        "payload": {
            "applicationOAuthClientSecretExpiry": {
                "clientId": here.amazon.client_id,
                "clientSecretExpiryTime": ends.isoformat(),
            }
        },
    }
    here.send(json.dumps(said))
    here.rotator.receive()
    assert rows(here.house, credential_ages, "expires_at") == [ends]
    assert here.rotator.due() == {"requested": 1}  # 127 days old, whatever we know of its beginning


def test_of_two_rotations_at_once_the_second_gives_way(here: Rotating) -> None:
    first = here.rotator.start(LWA_CLIENT_SECRET, reason="one", actor="ada")
    assert here.rotator.start(LWA_CLIENT_SECRET, reason="two", actor="bea") == first
    assert here.house.rotate_now(None, "three", actor="incident") == (first,)
    assert here.rotator.request()["asked"] == 0  # the third has asked already
    here.run()
    assert here.amazon.world.secrets.rotations == 1
    assert [each.state for each in here.rotations()] == [State.PROMOTED]


def test_on_suspicion_amazon_is_asked_at_once(here: Rotating) -> None:
    here.house.rotate_now(None, "incident-1", actor="incident-1")
    assert here.amazon.world.secrets.rotations == 1
    assert here.rotation().cause is Cause.SUSPICION
    here.run()
    assert here.secret() == here.newest()


def test_the_message_is_deleted_last(here: Rotating) -> None:
    def killed(name: str, arguments: dict[str, Any]) -> None:
        if name == "delete_message":
            raise Killed

    here.start()
    here.rotator.request()
    here.aws.before = killed
    with pytest.raises(Killed):
        here.rotator.receive()
    assert here.rotation().state is State.RECEIVED
    assert here.house.secrets.read(str(here.rotation().secret_name)).decode() == here.newest()
    assert here.left() == 1
    here.aws.fresh()
    here.run()  # the message is hidden for two minutes; the rest goes on without it
    assert here.rotation().state is State.PROMOTED


def test_a_sealed_secret_that_is_not_the_one_that_was_received_is_never_put_in_use(here: Rotating) -> None:
    old = here.secret()
    here.start()
    here.rotator.request()
    here.rotator.receive()
    here.house.secrets.write(str(here.rotation().secret_name), b"amzn1.oa2-cs.v1.stale")
    assert here.run() == ["verify"]
    assert here.secret() == old


def test_nothing_of_a_secret_is_logged_or_in_the_database(
    here: Rotating, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    old = here.secret()
    here.start()
    here.run()
    heard = caplog.text
    assert heard
    with here.house.engine.connect() as connection:
        for table in ("rotations", "credential_messages", "audit_events", "credentials", "credential_ages"):
            heard += str(connection.exec_driver_sql(f"SELECT * FROM custody.{table}").all())
    for secret in (old, here.newest()):
        assert secret not in heard


def test_what_is_not_rotated_here_is_refused_with_what_to_do(here: Rotating) -> None:
    with pytest.raises(BadInput, match="credential set"):
        here.rotator.start("smtp/password", reason="x", actor="ada")


def test_without_a_queue_the_client_secret_is_not_rotated_and_it_is_said_how_else(here: Rotating) -> None:
    here.rotator.tools = here.rotator.tools._replace(arrivals=None)
    with pytest.raises(BadInput, match="rotation_queue"):
        here.start()
    here.forward(days=100)
    assert here.rotator.due() == {"requested": 0}
    assert here.run() == []
