"""An installation that rotates: a stand-in for Amazon, a queue on loopback, and the hands of both clocks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from amazon_simulator.testing import Running
from custody.bootstrap import House
from custody.credentials import rotation_record
from custody.credentials.rotation import Rotator
from custody.credentials.rotation_record import Rotation
from custody.errors import TryLater
from custody.vault.secret_store import LWA_CLIENT_SECRET, LWA_FORMER_SECRET

from ..aws import Aws
from ..builders import Hands, add_sellers, house_at, stand_in

STEPS = ("due", "request", "receive", "verify", "promote", "clean")


@dataclass(frozen=True)
class Rotating:
    """What a test of rotations works with."""

    house: House
    amazon: Running
    aws: Aws
    clock: Hands
    queue: str

    @property
    def rotator(self) -> Rotator:
        return self.house.rotator

    def run(self) -> list[str]:
        """Take all steps once, as the DAG does; name those that are to be tried again later."""
        later = []
        for step in STEPS:
            try:
                getattr(self.rotator, step)()
            except TryLater:
                later.append(step)
        return later

    def start(self, reason: str = "a test") -> Rotation:
        self.rotator.start(LWA_CLIENT_SECRET, reason=reason, actor="command line, ada")
        return self.rotation()

    def rotation(self) -> Rotation:
        """Give the latest rotation."""
        return self.rotations()[0]

    def rotations(self) -> tuple[Rotation, ...]:
        with self.house.engine.connect() as connection:
            return rotation_record.every(connection)

    def forward(self, **span: float) -> None:
        """Move both clocks on."""
        self.clock.forward(**span)
        self.amazon.world.clock.advance(timedelta(**span).total_seconds())

    def secret(self, name: str = LWA_CLIENT_SECRET) -> str:
        return self.house.secrets.read(name).decode()

    def former(self) -> str | None:
        return self.secret(LWA_FORMER_SECRET) if self.house.secrets.exists(LWA_FORMER_SECRET) else None

    def newest(self) -> str:
        """Give the newest secret as Amazon knows it."""
        return self.amazon.world.secrets._secrets[-1].value

    def send(self, text: str) -> None:
        self.aws.clients("sqs", None).send_message(QueueUrl=self.queue, MessageBody=text)

    def left(self) -> int:
        """Count what is on the queue, hidden or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        sqs = self.aws.clients("sqs", None)
        found = sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def notice(self, secret: str, now: datetime, **changes: Any) -> str:
        """Write a notice of a new secret as Amazon does."""
        new = {
            "clientId": self.amazon.client_id,
            "newClientSecret": secret,
            "newClientSecretExpiryTime": (now + timedelta(days=180)).isoformat(),
            "oldClientSecretExpiryTime": (now + timedelta(days=7)).isoformat(),
        }
        named = {"notificationId": changes.pop("notification_id", f"notice-of-{secret[-6:]}")}
        return json.dumps(
            {
                "notificationType": "APPLICATION_OAUTH_CLIENT_NEW_SECRET",
                "payload": {"applicationOAuthClientNewSecret": new | changes},
                "notificationMetadata": {**named, "publishTime": now.isoformat()},
            }
        )


@contextmanager
def rotating(
    home: Path, url: str, clock: Hands, aws: Aws, *, queue: str | None = None, **config: Any
) -> Iterator[Rotating]:
    """Build a house with sellers, a stand-in that sends to a queue, and no waiting for messages."""
    queue = queue or aws.queue()
    with (
        stand_in(rotation_queue=queue, **config) as amazon,
        house_at(home, url, clock, amazon, aws=aws.clients, rotation_queue=queue) as house,
    ):
        add_sellers(house, amazon)
        house.rotator.tools = house.rotator.tools._replace(wait=timedelta(0))
        yield Rotating(house, amazon, aws, clock, queue)
