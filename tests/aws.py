"""AWS on loopback: moto's server, clients that speak to it, and faults between the two."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"
_numbers = itertools.count(1)


class Killed(BaseException):
    """The process died here; no handler of errors catches it."""


@dataclass
class Aws:
    """A server that stands for AWS, and what has been asked of it; each test takes names of its own."""

    address: str
    asked: list[str] = field(default_factory=list)
    before: Callable[[str, dict[str, Any]], Any] | None = None  # an answer in place of AWS's, or None
    after: Callable[[str, dict[str, Any], Any], Any] | None = None

    def clients(self, service: str, region: str | None) -> Any:
        """Make a client, as a factory of the house's."""
        made = boto3.client(
            service,
            region_name=region or REGION,
            endpoint_url=self.address,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=20),
        )
        return _Between(self, made)

    def prefix(self) -> str:
        """Name a place that no other test uses."""
        return f"custody-{next(_numbers)}"

    def key(self) -> str:
        """Make a key of KMS, and give its id."""
        made = self.clients("kms", None).create_key()
        return str(made["KeyMetadata"]["KeyId"])

    def queue(self) -> str:
        """Make a queue, and give its URL."""
        made = self.clients("sqs", None).create_queue(QueueName=f"rotation-{next(_numbers)}")
        return str(made["QueueUrl"])

    def fresh(self) -> None:
        """Forget faults and what was asked."""
        self.asked.clear()
        self.before = self.after = None


class _Between:
    """A client whose calls are written down, and fail when a test says so."""

    def __init__(self, aws: Aws, client: Any) -> None:
        self._aws, self._client = aws, client
        self.meta = client.meta

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)

        def call(**arguments: Any) -> Any:
            self._aws.asked.append(name)
            instead = self._aws.before(name, arguments) if self._aws.before else None
            answer = operation(**arguments) if instead is None else instead
            return self._aws.after(name, arguments, answer) if self._aws.after else answer

        return call


def refusal(code: str, operation: str = "Operation", status: int = 400) -> ClientError:
    """Build an error as botocore raises it; its message quotes what must not be shown."""
    meta = {"RequestId": "request-1", "HTTPStatusCode": status}
    return ClientError(
        {"Error": {"Code": code, "Message": "canary-message"}, "ResponseMetadata": meta}, operation
    )  # type: ignore[typeddict-item]  # fewer members than AWS's


@contextmanager
def serving() -> Iterator[Aws]:
    """Serve AWS on a free loopback port until the block ends."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield Aws(f"http://{host}:{port}")
    finally:
        server.stop()
