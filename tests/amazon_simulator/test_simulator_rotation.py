"""The stand-in's own secret: rotated, told on a queue, and ended when Amazon would end it."""

import json
from collections.abc import Callable

import pytest

from ..aws import Aws
from .conftest import Caller

ROTATE = "/applications/2023-11-30/clientSecret"
SCOPE = "sellingpartnerapi::client_credential:rotation"
DAY = 86_400


@pytest.fixture
def queue(aws: Aws) -> str:
    return aws.queue()


@pytest.fixture
def caller(start: Callable[..., Caller], queue: str) -> Caller:
    return start(rotation_queue=queue, orders=1)


def grant(caller: Caller, **changes: str) -> dict[str, str]:
    form = {
        "grant_type": "client_credentials",
        "scope": SCOPE,
        "client_id": caller.up.client_id,
        "client_secret": caller.up.client_secret,
    }
    found: dict[str, str] = caller.http.post("/auth/o2/token", data=form | changes).json()
    return found


def rotate(caller: Caller) -> int:
    token = grant(caller)["access_token"]
    return caller.http.post(ROTATE, headers={"x-amz-access-token": token}).status_code


def texts(aws: Aws, queue: str) -> list[str]:
    found = aws.clients("sqs", None).receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    return [each["Body"] for each in found.get("Messages", ())]


def new_secret(text: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(text)["payload"]["applicationOAuthClientNewSecret"]
    return found


def test_a_rotation_answers_204_and_the_new_secret_comes_by_the_queue(
    caller: Caller, aws: Aws, queue: str
) -> None:
    assert rotate(caller) == 204
    told = new_secret(texts(aws, queue)[0])
    assert told["clientId"] == caller.up.client_id
    assert told["oldClientSecretExpiryTime"] == "2026-11-30T12:00:00.000Z"
    assert told["newClientSecretExpiryTime"] == "2027-05-22T12:00:00.000Z"
    for secret in (told["newClientSecret"], caller.up.client_secret):
        assert "access_token" in grant(caller, client_secret=secret)
    caller.control("advance", seconds=7 * DAY)
    assert grant(caller)["error"] == "invalid_client"
    assert caller.login().status_code == 401
    assert caller.login(client_secret=told["newClientSecret"]).status_code == 200
    caller.control("advance", seconds=173 * DAY)
    assert grant(caller, client_secret=told["newClientSecret"])["error"] == "invalid_client"


def test_a_sellers_token_rotates_nothing_and_another_scope_gives_none(caller: Caller) -> None:
    assert caller.http.post(ROTATE, headers=caller.headers()).status_code == 403
    assert caller.http.post(ROTATE).status_code == 403
    assert grant(caller, scope="sellingpartnerapi::notifications")["error"] == "invalid_scope"
    assert caller.up.world.secrets.rotations == 0


def test_without_a_queue_a_rotation_is_refused(start: Callable[..., Caller]) -> None:
    caller = start(orders=1)
    assert rotate(caller) == 400


@pytest.mark.parametrize(
    ("fault", "messages", "status"),
    [
        ("notice_lost", 0, 204),
        ("notice_twice", 2, 204),
        ("notice_malformed", 2, 204),
        ("notice_other_application", 2, 204),
        ("notice_late", 0, 204),
        ("answer_lost", 1, 503),
        ("429", 0, 429),
        ("500", 0, 500),
    ],
)
def test_each_fault_does_what_it_says(
    caller: Caller, aws: Aws, queue: str, fault: str, messages: int, status: int
) -> None:
    caller.fail(fault, "rotateApplicationClientSecret", seconds=60)
    assert rotate(caller) == status
    assert len(texts(aws, queue)) == messages
    caller.control("advance", seconds=61)
    assert caller.control("deliver").json() == {"sent": int(fault == "notice_late")}
