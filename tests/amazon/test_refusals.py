"""What an answer of SP-API means."""

import json

import pytest

from custody.amazon.interface import Answer, Operation, Seller
from custody.amazon.refusals import Access, access, error_of, require_object
from custody.errors import (
    AccessDenied,
    CustodyError,
    OwnCredentialBroken,
    PageTokenRefused,
    Refused,
    Throttled,
    Unavailable,
)

from .scripted_amazon import HTML

NULL = b'{"errors":[{"code":"InvalidInput","message":null}]}'


def make_answer(status: int, *, details: str = "", body: bytes | None = None, error_type: str = "") -> Answer:
    entry = {"code": "Unauthorized", "message": "Access to requested resource is denied.", "details": details}
    return Answer(
        status, "request-1", error_type, json.dumps({"errors": [entry]}).encode() if body is None else body
    )


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ("The access token you provided has expired.", Access.TOKEN_EXPIRED),
        ("The access token you provided is revoked, malformed or invalid.", Access.TOKEN_INVALID),
        ("The LWA secret token you provided has expired.", Access.SECRET_EXPIRED),
        ("", Access.DENIED),
    ],
)
def test_the_reasons_of_a_403_are_told_apart_by_its_details(details: str, reason: Access) -> None:
    assert access(make_answer(403, details=details)) is reason


@pytest.mark.parametrize(
    "body", [b"", HTML, b"[]", b'{"errors":null}', b'{"errors":[{"message":7}]}', b"\xff"]
)
def test_a_403_that_cannot_be_read_is_a_plain_denial(body: bytes) -> None:
    assert access(make_answer(403, body=body)) is Access.DENIED


def test_an_expired_token_is_also_known_by_the_error_type() -> None:
    assert access(make_answer(403, body=b"", error_type="ExpiredTokenException")) is Access.TOKEN_EXPIRED


@pytest.mark.parametrize(
    ("answer", "paged", "kind"),
    [
        (make_answer(429), False, Throttled),
        (make_answer(500), False, Unavailable),
        (make_answer(503, body=HTML), False, Unavailable),
        (make_answer(301, body=b""), False, Unavailable),
        (make_answer(408), False, Unavailable),
        (make_answer(400, body=HTML), False, Unavailable),
        (make_answer(400, body=HTML), True, Unavailable),
        (make_answer(400, body=NULL), False, Refused),
        (make_answer(400, body=NULL), True, PageTokenRefused),
        (make_answer(400, body=b'{"message": null}'), True, PageTokenRefused),
        (make_answer(401), False, AccessDenied),
        (make_answer(403), True, AccessDenied),
        (
            make_answer(403, details="The LWA secret token you provided has expired."),
            False,
            OwnCredentialBroken,
        ),
        (make_answer(404), False, Refused),
        (make_answer(413, body=HTML), False, Refused),
    ],
)
def test_a_failed_answer_says_what_the_caller_has_to_do(
    answer: Answer, paged: bool, kind: type[CustodyError], seller: Seller
) -> None:
    error = error_of(seller, Operation.SEARCH_ORDERS, answer, paged=paged)
    assert type(error) is kind
    assert "acme" in str(error)
    assert "searchOrders" in str(error)


def test_a_refused_page_token_is_a_refusal_for_who_does_not_care() -> None:
    assert issubclass(PageTokenRefused, Refused)


@pytest.mark.parametrize("body", [b"", b"  ", HTML, b"[]", b"null", b'"{}"', b'{"orders":[', b'{"orders":'])
def test_a_body_that_is_no_whole_object_is_unavailable(body: bytes, seller: Seller) -> None:
    with pytest.raises(Unavailable):
        require_object(seller, Operation.SEARCH_ORDERS, make_answer(200, body=body))


@pytest.mark.parametrize("body", [b"{}", b' \n{"orders": []}\n', b'{"orders":[{}]}'])
def test_an_object_passes(body: bytes, seller: Seller) -> None:
    require_object(seller, Operation.SEARCH_ORDERS, make_answer(200, body=body))
