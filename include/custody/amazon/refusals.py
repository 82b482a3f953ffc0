"""What an answer of SP-API means, told as an error of ours; nothing of a body gets into a message."""

import re
from enum import Enum, auto

import msgspec

from custody.amazon.interface import Answer, Operation, Seller
from custody.errors import (
    AccessDenied,
    CustodyError,
    OwnCredentialBroken,
    PageTokenRefused,
    Refused,
    Throttled,
    Unavailable,
)

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9 _.]{0,39}")


class Access(Enum):
    """Why Amazon denies access (401, 403)."""

    TOKEN_EXPIRED = auto()  # the access token has run out: renew it
    TOKEN_INVALID = auto()  # "revoked, malformed or invalid": renew it once, then believe it
    SECRET_EXPIRED = auto()  # our client secret was not rotated in 180 days
    DENIED = auto()  # a role is missing, or the seller is shut off (facts §8.2)


class _Entry(msgspec.Struct):
    code: str | None = None
    message: str | None = None
    details: str | None = None


class _Errors(msgspec.Struct):
    errors: list[_Entry] = []


def access(answer: Answer) -> Access:
    """Tell the reasons for a 401 or 403 apart by their wording, or by the error type (facts §1.9)."""
    said = " ".join(f"{each.message or ''} {each.details or ''}" for each in _entries(answer)).lower()
    if "secret" in said and "expired" in said:
        return Access.SECRET_EXPIRED
    if "malformed or invalid" in said:
        return Access.TOKEN_INVALID
    if ("token" in said and "expired" in said) or answer.error_type.startswith("ExpiredToken"):
        return Access.TOKEN_EXPIRED
    return Access.DENIED


def error_of(seller: Seller, operation: Operation, answer: Answer, *, paged: bool = False) -> CustodyError:
    """Turn a failed answer into what the caller has to do; ``paged``: the request held a pagination token."""
    status = answer.status
    what = f"{operation.title} for contract {seller.contract_id}: Amazon answered {status}{_code(answer)}"
    reference = f"; Amazon's request id is {answer.request_id or 'unknown'}."
    if status == 429:
        return Throttled(f"{what}, the quota is used up{reference}")
    # 408 is a time-out; a redirect or a 400 in HTML comes from a gateway, not from the API (facts §8.10).
    if status >= 500 or status < 400 or status == 408 or (status == 400 and not _is_object(answer.body)):
        return Unavailable(f"{what}, nothing usable{reference}")
    if status in (401, 403) and access(answer) is Access.SECRET_EXPIRED:
        return OwnCredentialBroken(f"{what}: our own LWA secret has expired, rotate it{reference}")
    if status in (401, 403):
        return AccessDenied(f"{what}, access denied{reference}", status=status)
    if status == 400 and paged:
        # Amazon's message may be null (facts §8.6), so the token is not told from other causes here;
        # a window that starts again without one is safe, and refused by itself if something else is wrong.
        return PageTokenRefused(f"{what} to a pagination token{reference}", status=status)
    return Refused(f"{what}{reference}", status=status)


def require_object(seller: Seller, operation: Operation, answer: Answer) -> None:
    """Check cheaply that a body is a whole JSON object; raises Unavailable for an empty, cut or HTML one."""
    if not _is_object(answer.body):
        raise Unavailable(
            f"{operation.title} for contract {seller.contract_id}: Amazon answered {answer.status} "
            f"without a usable body; Amazon's request id is {answer.request_id or 'unknown'}."
        )


def _is_object(body: bytes) -> bool:
    return body[:64].lstrip().startswith(b"{") and body[-64:].rstrip().endswith(b"}")


def _entries(answer: Answer) -> list[_Entry]:
    try:
        return msgspec.json.decode(answer.body, type=_Errors).errors
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []


def _code(answer: Answer) -> str:
    """Show Amazon's error code when it is a plain word; a message or details may quote what was sent."""
    codes = [each.code for each in _entries(answer) if each.code and _CODE.fullmatch(each.code)]
    return f" {codes[0]}" if codes else ""
