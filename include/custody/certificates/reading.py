"""What people read of a certificate: all that its file holds, in sections, and no signed field left out.

``rendering/reading.js`` does the same in a browser, and a test compares the two.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

import msgspec

from custody.certificates.certificate import payload_of
from custody.certificates.sections import Row, Section, Sections
from custody.certificates.wording import Spelled, said

_MODULES = ("reading.py", "sections.py", "wording.py")


class Reading(msgspec.Struct, frozen=True):
    """A whole certificate as it is read."""

    title: str
    lead: str
    head: list[Row]
    sections: list[Section]


def read(document: bytes, log_keys: Sequence[str] = ()) -> Reading:
    """Lay out a certificate's file, which the verifier has found valid."""
    parts = json.loads(document)
    payload, words = signed_in(parts["jws"]), layout()
    sections = Sections(words["sections"])
    head = sections.rows(words["head"], payload)
    made = [
        *sections.of(payload),
        _attached(words["receipt"], signed_in(parts["receipt"]) if parts.get("receipt") else None),
        _attached(words["log"], _log(parts["log"]) if parts.get("log") else None),
        _attached(words["signature"], _signature(parts, log_keys)),
    ]
    lead = said(words["lead"], payload)
    return Reading(words["title"], lead, head, [each for each in made if not each.empty])


@cache
def layout() -> Any:
    """Read the words of a certificate and their order."""
    return json.loads(rendering("layout.json"))


def rendering(name: str) -> bytes:
    """Read one of the files that pages and sheets are made with."""
    return files("custody.certificates").joinpath("rendering", name).read_bytes()


def made_with(*names: str) -> str:
    """Give a short digest of what makes a rendering: modules of this folder, and files of ``rendering/``."""
    here = files("custody.certificates")
    modules = [each for each in names if each.endswith(".py")]
    texts = [here.joinpath(each).read_bytes() for each in (*modules, *_MODULES)]
    texts += [rendering(each) for each in ("layout.json", *names) if each not in modules]
    return sha256(b"\0".join(texts)).hexdigest()[:12]


def signed_in(token: str) -> dict[str, Any]:
    """Decode what a JWS signs, without judging it; numbers keep their spelling."""
    decoded: dict[str, Any] = json.loads(payload_of(token), parse_float=Spelled)
    return decoded


def key_of(token: str) -> str:
    """Name the key by which a JWS says that it is signed: an RFC 7638 thumbprint."""
    head = token.split(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])


def _attached(words: Mapping[str, Any], part: dict[str, Any] | None) -> Section:
    if part is None:
        return Section(words["title"], [], [], [], [words["empty"]])
    alone = {"title": words["title"], "rows": words["rows"], "rest": ""}
    return next(Sections([alone]).of(part))


def _signature(parts: Mapping[str, Any], log_keys: Sequence[str]) -> dict[str, Any]:
    found = {
        "digest": parts["digest"],
        "algorithm": "Ed25519 (JWS, EdDSA)",
        "key": key_of(parts["jws"]),
    }
    if parts.get("receipt"):
        found["receipt_key"] = key_of(parts["receipt"])
    if log_keys:
        found["log_key"] = [*log_keys]
    return found


def _log(log: Mapping[str, Any]) -> dict[str, Any]:
    origin, _, root = log["checkpoint"].split("\n")[:3]
    return {
        "position": log["position"],
        "size": log["size"],
        "origin": origin,
        "root": root,
        "at": log["at"],
    }
