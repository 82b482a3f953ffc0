"""Messages of the rotation queue: Amazon's own samples, and what is no message at all."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.credentials.notification import NewSecret, SecretExpiry, Unreadable, read

SECRET = "amzn1.oa2-cs.v1.canary"


def new_secret(**changes: Any) -> dict[str, Any]:
    """Write a notice in the form of Amazon's sample for APPLICATION_OAUTH_CLIENT_NEW_SECRET."""
    new = {
        "clientId": "amzn1.application-oa2-client.1",
        "newClientSecret": SECRET,
        "newClientSecretExpiryTime": "2024-07-08T22:09:17.198Z",
        "oldClientSecretExpiryTime": "2024-01-17T22:09:17.180Z",
    }
    return {
        "notificationVersion": "1.0",
        "notificationType": "APPLICATION_OAUTH_CLIENT_NEW_SECRET",
        "payloadVersion": "2023-11-30",
        "eventTime": "2024-01-10T22:09:17.456Z",
        "payload": {"applicationOAuthClientNewSecret": new | changes},
        "notificationMetadata": {
            "applicationId": "amzn1.sp.solution.1",
            "subscriptionId": "8594dc0e",
            "publishTime": "2024-01-10T22:09:18.706Z",
            "notificationId": "b0805eb9-78f7-49bb-ac0e-1",
        },
    }


def expiry() -> dict[str, Any]:
    """Write a notice in the form of Amazon's sample for APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY."""
    ends = {
        "clientId": "amzn1.application-oa2-client.1",
        "clientSecretExpiryTime": "2024-03-03T22:06:39.224Z",
        "clientSecretExpiryReason": "PERIODIC_ROTATION",
    }
    kind = {"notificationType": "APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY"}
    return new_secret() | kind | {"payload": {"applicationOAuthClientSecretExpiry": ends}}


def test_a_new_secret_is_read_with_both_ends() -> None:
    found = read(json.dumps(new_secret()))
    assert isinstance(found, NewSecret)
    assert (found.secret, found.client_id) == (SECRET, "amzn1.application-oa2-client.1")
    assert found.expires_at == datetime(2024, 7, 8, 22, 9, 17, 198000, UTC)
    assert found.old_expires_at == datetime(2024, 1, 17, 22, 9, 17, 180000, UTC)
    assert found.notification_id == "b0805eb9-78f7-49bb-ac0e-1"
    assert SECRET not in repr(found) + str(found) + f"{[found]}"


def test_the_end_of_a_secret_is_read() -> None:
    found = read(json.dumps(expiry()))
    assert isinstance(found, SecretExpiry)
    assert found.expires_at == datetime(2024, 3, 3, 22, 6, 39, 224000, UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        json.dumps(new_secret())[:-30],
        json.dumps(new_secret(newClientSecret="")),
        json.dumps(new_secret(newClientSecret="two words canary")),
        json.dumps(new_secret(newClientSecret="canary\nline")),
        json.dumps(new_secret(newClientSecret="canary" * 1000)),
        json.dumps(new_secret(newClientSecret=7)),
        json.dumps(new_secret(newClientSecretExpiryTime="2024-07-08T22:09:17")),
        json.dumps(new_secret(oldClientSecretExpiryTime="soon")),
        json.dumps(new_secret() | {"notificationType": "ORDER_CHANGE"}),
        json.dumps(new_secret() | {"payload": {}}),
        json.dumps(
            new_secret()
            | {"notificationMetadata": {"notificationId": "", "publishTime": "2024-01-10T22:09:18Z"}}
        ),
        "[" * 100_000,
        "x" * 2_000_000,
    ],
)
def test_what_means_nothing_is_unreadable_and_nothing_of_it_is_told(text: str) -> None:
    found = read(text)
    assert isinstance(found, Unreadable)
    assert "canary" not in repr(found)


@given(
    st.text(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=9), each, max_size=3),
        max_leaves=5,
    ).map(json.dumps)
)
def test_no_text_at_all_is_an_error(text: str) -> None:
    assert isinstance(read(text), Unreadable)
