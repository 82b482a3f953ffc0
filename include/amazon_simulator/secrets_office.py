"""The application's own secrets: which are taken until when, and the notices of new ones.

A rotation gives the old secret seven days and the new one 180; the new one is not in the answer but in a
notice to the queue that the stand-in was configured with, in the form of Amazon's own sample.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from amazon_simulator.clock import iso
from amazon_simulator.faults import Fault

DAY_MS = 86_400_000
OLD_LIVES, NEW_LIVES = 7 * DAY_MS, 180 * DAY_MS
NEW_SECRET = "APPLICATION_OAUTH_CLIENT_NEW_SECRET"
Send = Callable[[str], object]


@dataclass(slots=True)
class _Secret:
    value: str = field(repr=False)
    from_ms: int
    until_ms: int | None


@dataclass(frozen=True, slots=True)
class _Notice:
    text: str = field(repr=False)
    due_ms: int


class SecretsOffice:
    """Keeps the secrets of one application; ``send`` puts a notice on the queue, None where there is none."""

    def __init__(self, client_id: str, first: str, now_ms: Callable[[], int], send: Send | None) -> None:
        self._client_id, self._now, self._send = client_id, now_ms, send
        self._secrets = [_Secret(first, 0, None)]
        self._notices: list[_Notice] = []
        self.rotations = 0

    @property
    def enrolled(self) -> bool:
        """Tell whether a queue is registered; without one, Amazon refuses a rotation."""
        return self._send is not None

    def takes(self, value: str) -> bool:
        """Tell whether a secret is taken now."""
        now = self._now()
        alive = [each for each in self._secrets if each.from_ms <= now < (each.until_ms or now + 1)]
        return any(hmac.compare_digest(value.encode(), each.value.encode()) for each in alive)

    def rotate(self, fault: Fault | None) -> None:
        """Make a new secret, start the old one's end, and send the notice as the fault has it."""
        now, name = self._now(), fault.name if fault else ""
        late = round((fault.seconds if fault else 0) * 1000)
        for each in self._secrets:
            each.until_ms = min(each.until_ms or now + OLD_LIVES, now + OLD_LIVES)
        value = f"amzn1.oa2-cs.v1.{secrets.token_hex(32)}"
        begins = now + (late if name == "secret_slow" else 0)
        self._secrets.append(_Secret(value, begins, now + NEW_LIVES))
        self.rotations += 1
        for text in self._texts(name, value, now):
            self._notices.append(_Notice(text, now + (late if name == "notice_late" else 0)))
        self.deliver()

    def deliver(self) -> int:
        """Send the notices that are due; give how many."""
        if self._send is None:
            return 0
        due = [each for each in self._notices if each.due_ms <= self._now()]
        self._notices = [each for each in self._notices if each not in due]
        for each in due:
            self._send(each.text)
        return len(due)

    def _texts(self, fault: str, value: str, now: int) -> list[str]:
        mine = self._text(self._client_id, value, now)
        return {
            "notice_lost": [],
            "notice_twice": [mine, mine],
            "notice_malformed": [mine[: len(mine) // 2], mine],
            "notice_other_application": [self._text("amzn1.application-oa2-client.other", "x", now), mine],
        }.get(fault, [mine])

    def _text(self, client_id: str, value: str, now: int) -> str:
        new: dict[str, Any] = {
            "clientId": client_id,
            "newClientSecret": value,
            "newClientSecretExpiryTime": iso(now + NEW_LIVES),
            "oldClientSecretExpiryTime": iso(now + OLD_LIVES),
        }
        metadata = {
            "applicationId": "amzn1.sp.solution.demo",
            "subscriptionId": str(uuid4()),
            "publishTime": iso(now),
            "notificationId": str(uuid4()),
        }
        whole = {
            "notificationVersion": "1.0",
            "notificationType": NEW_SECRET,
            "payloadVersion": "2023-11-30",
            "eventTime": iso(now),
            "payload": {"applicationOAuthClientNewSecret": new},
            "notificationMetadata": metadata,
        }
        return msgspec.json.encode(whole).decode()


def queue_at(url: str) -> Send:
    """Give what puts a text on a queue of SQS, or of what stands for it on loopback."""
    import boto3  # type: ignore[import-untyped]  # heavy, without types, and only needed with a queue

    parts = urlsplit(url)
    client = boto3.client(
        "sqs",
        endpoint_url=f"{parts.scheme}://{parts.netloc}",
        region_name="eu-west-1",
        aws_access_key_id="stand-in",
        aws_secret_access_key="stand-in",  # noqa: S106  # no secret: what stands for SQS looks at none
    )
    return lambda text: client.send_message(QueueUrl=url, MessageBody=text)
