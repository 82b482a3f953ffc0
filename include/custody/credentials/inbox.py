"""The queue on which Amazon sends new secrets: read in small bites, deleted from last of all.

Use a standard queue of SQS; Amazon's account 437568002678 sends to it, and nobody else should be able to.
Give it a redrive policy: what cannot be read stays in it until SQS drops it.
"""

import re
from dataclasses import dataclass, field
from datetime import timedelta

from custody.errors import BadInput
from custody.vault.aws import Client, Clients

_HOST = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?/")
_NO_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
_OLD_RECEIPT = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"})
AT_ONCE = 10  # the most that SQS gives
HIDDEN = 120  # seconds in which a message is ours alone: to seal it and commit takes under one
LONGEST_POLL = timedelta(seconds=20)  # the most that SQS waits


@dataclass(frozen=True, slots=True)
class Message:
    """One message; its text holds a secret and never shows in ``repr``."""

    message_id: str
    text: str = field(repr=False)
    receipt: str = field(repr=False)


class Inbox:
    """One queue, by its URL."""

    def __init__(self, queue_url: str, clients: Clients) -> None:
        found = _HOST.match(queue_url)
        self._url = queue_url
        self._sqs = Client(clients, "sqs", found[1] if found else None)

    def receive(self, wait: timedelta) -> list[Message]:
        """Give the messages that are there, ten at most, waiting so long for the first one."""
        answer = self._sqs.ask(
            "Rotation queue",
            "receive_message",
            none_for=_NO_QUEUE,
            QueueUrl=self._url,
            MaxNumberOfMessages=AT_ONCE,
            VisibilityTimeout=HIDDEN,
            WaitTimeSeconds=int(min(wait, LONGEST_POLL).total_seconds()),
        )
        if answer is None:
            raise BadInput("The rotation queue does not exist; correct rotation_queue.")
        return [
            Message(each["MessageId"], each["Body"], each["ReceiptHandle"])
            for each in answer.get("Messages", ())
        ]

    def delete(self, message: Message) -> None:
        """Take a message off the queue; one that is gone, or was given to another since, is left to it."""
        self._sqs.ask(
            "Rotation queue",
            "delete_message",
            none_for=_NO_QUEUE | _OLD_RECEIPT,
            QueueUrl=self._url,
            ReceiptHandle=message.receipt,
        )
