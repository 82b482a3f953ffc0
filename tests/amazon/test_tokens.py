"""Access tokens: cached per seller, renewed in time, and whose fault it is when there is none."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from custody.amazon.endpoints import Endpoints
from custody.amazon.interface import Limits, Seller
from custody.amazon.tokens import Tokens
from custody.amazon.transport import Transport
from custody.errors import CustodyError, OwnCredentialBroken, SellerGone, Unavailable
from custody.orders.records import ContractId

from ..monitoring.listed import call_log
from .conftest import SECRETS
from .scripted_amazon import HTML, Reply, ScriptedAmazon, lwa_error


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def secrets_read() -> list[str]:
    return []


@pytest.fixture
def tokens(amazon: ScriptedAmazon, clock: Clock, secrets_read: list[str]) -> Iterator[Tokens]:
    def read(name: str) -> str:
        secrets_read.append(name)
        return SECRETS[name]

    endpoints = Endpoints(amazon.base_url)
    second = timedelta(seconds=1)
    with Transport(
        endpoints, connect_timeout=second, read_timeout=second, limits=Limits(), calls=call_log()
    ) as transport:
        yield Tokens(transport, endpoints, read, limits=Limits(), sleep=lambda _: None, monotonic=clock)


def grant(**changes: object) -> Reply:
    usual = {
        "access_token": "Atza|short",
        "token_type": "bearer",
        "expires_in": 3600,
        "refresh_token": "Atzr|x",
    }
    return Reply(body=json.dumps(usual | changes).encode())


def test_the_refresh_grant_is_sent_as_a_form(tokens: Tokens, amazon: ScriptedAmazon, seller: Seller) -> None:
    assert tokens.access_token(seller) == "Atza|token-1"
    request = amazon.last("token")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded;charset=UTF-8"
    assert request.form == {
        "grant_type": "refresh_token",
        "refresh_token": "Atzr|canary-refresh",
        "client_id": "amzn1.application-oa2-client.test",
        "client_secret": "amzn1.oa2-cs.v1.canary-secret",
    }


def test_a_token_is_kept_until_a_minute_before_its_end(
    tokens: Tokens, amazon: ScriptedAmazon, seller: Seller, clock: Clock
) -> None:
    assert tokens.access_token(seller) == tokens.access_token(seller) == "Atza|token-1"
    clock.now += 3539
    assert tokens.access_token(seller) == "Atza|token-1"
    clock.now += 2
    assert tokens.access_token(seller) == "Atza|token-2"
    assert amazon.count("token") == 2


def test_a_token_of_a_short_life_is_not_asked_for_at_every_call(
    tokens: Tokens, amazon: ScriptedAmazon, seller: Seller
) -> None:
    amazon.answer("token", grant(expires_in=30))
    assert tokens.access_token(seller) == tokens.access_token(seller) == "Atza|short"
    assert amazon.count("token") == 1


def test_each_seller_has_a_token_of_its_own(
    tokens: Tokens, amazon: ScriptedAmazon, seller: Seller, other_seller: Seller
) -> None:
    assert tokens.access_token(seller) != tokens.access_token(other_seller)
    assert amazon.last("token").form["refresh_token"] == "Atzr|other-refresh"


def test_threads_that_need_the_same_token_wait_for_one_request(
    tokens: Tokens, amazon: ScriptedAmazon, seller: Seller
) -> None:
    amazon.answer("token", Reply(body=grant().body, delay=0.2))
    given: list[str] = []
    threads = [threading.Thread(target=lambda: given.append(tokens.access_token(seller))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert given == ["Atza|short"] * 8
    assert amazon.count("token") == 1


def test_secrets_are_read_again_for_each_renewal_and_not_kept(
    tokens: Tokens, seller: Seller, clock: Clock, secrets_read: list[str]
) -> None:
    tokens.access_token(seller)
    clock.now += 4000
    tokens.access_token(seller)
    assert secrets_read.count("refresh-token/acme") == 2
    assert not any(secret in repr(vars(tokens)) for secret in SECRETS.values())


def test_after_the_end_of_a_contract_its_token_is_gone_whatever_it_was(
    tokens: Tokens, seller: Seller, secrets_read: list[str]
) -> None:
    tokens.access_token(seller)
    tokens.forget_all(seller.contract_id)
    tokens.forget_all(ContractId("never-seen"))
    tokens.access_token(seller)
    assert secrets_read.count("refresh-token/acme") == 2


def test_a_forgotten_token_is_renewed_but_a_newer_one_is_not_dropped(tokens: Tokens, seller: Seller) -> None:
    first = tokens.access_token(seller)
    tokens.forget(seller, first)
    second = tokens.access_token(seller)
    tokens.forget(seller, first)
    assert first != second == tokens.access_token(seller)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "invalid_grant", SellerGone),
        (401, "invalid_client", OwnCredentialBroken),
        (400, "unauthorized_client", OwnCredentialBroken),
        (400, "invalid_request", Unavailable),
        (500, "server_error", Unavailable),
        (503, "temporarily_unavailable", Unavailable),
        (503, "invalid_grant", Unavailable),
    ],
)
def test_a_seller_who_left_is_told_from_a_secret_of_ours_that_broke(
    tokens: Tokens, amazon: ScriptedAmazon, seller: Seller, status: int, code: str, error: type[CustodyError]
) -> None:
    amazon.answer("token", *[lwa_error(status, code)] * 2)
    with pytest.raises(error) as caught:
        tokens.access_token(seller)
    assert type(caught.value) is error
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b""),
        Reply(body=HTML),
        Reply(body=b'{"access_token":'),
        Reply(body=b"{}"),
        grant(access_token=""),
        grant(access_token="Atza|canary\r\nx-evil: 1"),
        grant(access_token="x" * 2049),
        grant(expires_in="soon"),
        grant(expires_in=0),
        Reply(200, b'{"access_token":"\xff\xfe","expires_in":3600}'),
        Reply(503, HTML),
    ],
)
def test_an_answer_without_a_usable_token_is_unavailable_and_nothing_is_kept(
    tokens: Tokens, amazon: ScriptedAmazon, seller: Seller, reply: Reply
) -> None:
    amazon.answer("token", reply)
    with pytest.raises(Unavailable) as caught:
        tokens.access_token(seller)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None
    assert tokens.access_token(seller) == "Atza|token-1"


def test_the_tokens_never_show_in_repr(
    tokens: Tokens, seller: Seller, make_repr: Callable[[object], str]
) -> None:
    token = tokens.access_token(seller)
    assert token not in make_repr(vars(tokens))


@pytest.fixture
def make_repr() -> Callable[[object], str]:
    return repr
