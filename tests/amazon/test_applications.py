"""Trying a client secret: only a clear no condemns it, since it may be the only one that is left."""

import pytest

from custody.amazon.client import AmazonClient
from custody.errors import Unavailable

from .scripted_amazon import HTML, Reply, ScriptedAmazon, lwa_error

SECRET = "lwa/client-secret"


def test_a_secret_that_gets_a_token_is_taken(client: AmazonClient, amazon: ScriptedAmazon) -> None:
    amazon.answer("token", Reply(body=b'{"access_token":"Atza|x","expires_in":3600}'))
    assert client.applications.accepts(SECRET)


def test_a_secret_that_is_wrong_is_not(client: AmazonClient, amazon: ScriptedAmazon) -> None:
    amazon.answer("token", lwa_error(401, "invalid_client"))
    assert not client.applications.accepts(SECRET)


@pytest.mark.parametrize(
    "reply",
    [
        lwa_error(400, "unauthorized_client"),  # known by its secret, and without the right
        lwa_error(403, "access_denied"),
        lwa_error(400, "invalid_scope"),
        lwa_error(503, "invalid_client"),
        Reply(body=HTML),
        Reply(body=b"{}"),
    ],
    ids=["unauthorized_client", "access_denied", "invalid_scope", "503", "HTML", "empty"],
)
def test_any_other_answer_says_nothing_of_the_secret(
    client: AmazonClient, amazon: ScriptedAmazon, reply: Reply
) -> None:
    amazon.answer("token", reply)
    with pytest.raises(Unavailable):
        client.applications.accepts(SECRET)
