"""Time stamps over checkpoints, by an authority that is not us (RFC 3161); optional.

With one, nobody has to take our word for when a checkpoint was signed. What leaves the house is the
SHA-256 of a signed note. An authority that cannot be reached delays nothing: it is asked again later.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from custody.certificates.checkpoint import Checkpoint
from custody.certificates.log_faults import Fault, Finding
from custody.errors import BadInput, Unavailable
from custody.monitoring.calls import About, CallLog
from custody.vault import files

_MOST_BYTES = 1 << 16  # a time stamp with its certificates has some 5 kB
_STAMP = About("timestamp", "POST time-stamp query")
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"  # RFC 3161 §3.4


class Stamps:
    """The time stamps of one log, a file for each checkpoint that ``openssl ts -verify`` reads as it is."""

    def __init__(self, directory: Path, url: str, roots: Path, *, timeout: timedelta, calls: CallLog) -> None:
        self._directory = directory
        self._url = url
        self._roots = _trusted(roots)
        self._timeout = timeout.total_seconds()
        self._calls = calls

    def stamp(self, checkpoint: Checkpoint) -> datetime:
        """Have a checkpoint stamped unless it is, and give the time; raises Unavailable.

        Only a stamp that verifies is kept.
        """
        file = self._file(checkpoint.size)
        if not file.exists():
            request = TimestampRequestBuilder().data(checkpoint.note.encode())
            built = request.hash_algorithm(HashAlgorithm.SHA256).build()
            answer = self._ask(built.as_bytes())
            self._read(answer, checkpoint.note, VerifierBuilder.from_request(built))
            files.write_new(file, answer)
        return self._read(file.read_bytes(), checkpoint.note, VerifierBuilder())

    def check(self, notes: Mapping[int, str]) -> tuple[int, list[Finding]]:
        """Count the stamps that hold, over the stored notes of checkpoints by size, and name the others."""
        held, findings = 0, []
        for file in sorted(self._directory.glob("*.tsr")):
            note = notes.get(int(file.stem)) if file.stem.isdecimal() else None
            try:
                if note is None:
                    raise Unavailable("no such checkpoint is stored")
                self._read(file.read_bytes(), note, VerifierBuilder())
                held += 1
            except Unavailable as error:
                findings.append(Finding(Fault.STAMP, f"The time stamp {file}: {error}"))
        return held, findings

    def _file(self, size: int) -> Path:
        return self._directory / f"{size}.tsr"

    def _ask(self, query: bytes) -> bytes:
        """Send a query and give the answer, which is read no further than a time stamp is long."""
        body = bytearray()
        headers = {"content-type": _QUERY, "accept": _REPLY, "accept-encoding": "identity"}
        try:
            with (
                self._calls.call(_STAMP, host=urlsplit(self._url).hostname or "") as seen,
                httpx.Client(timeout=self._timeout, trust_env=False, follow_redirects=False) as client,
                client.stream("POST", self._url, content=query, headers=headers) as answer,
            ):
                seen.over(answer.extensions.get("network_stream"))
                seen.answer(status=answer.status_code, sent=len(query))
                answer.raise_for_status()
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        break
                seen.answer(status=answer.status_code, sent=len(query), received=len(body))
        except httpx.HTTPError:
            raise Unavailable(
                "The time-stamping authority gave no answer; it is asked again later."
            ) from None
        return bytes(body)

    def _read(self, answer: bytes, note: str, builder: VerifierBuilder) -> datetime:
        """Give the time of a stamp that holds over a note; raises Unavailable when it does not."""
        try:
            response: TimeStampResponse = decode_timestamp_response(answer)
            for root in self._roots:
                builder = builder.add_root_certificate(root)
            builder.build().verify_message(response, note.encode())
            return response.tst_info.gen_time.astimezone(UTC)
        except (VerificationError, ValueError):  # the second: it is no time stamp at all
            raise Unavailable(
                "The authority's answer is no time stamp of this checkpoint; it is asked again later."
            ) from None


def _trusted(roots: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(roots.read_bytes())
    except (OSError, ValueError):
        raise BadInput(f"{roots} holds no certificates in PEM; correct timestamp_roots.") from None
