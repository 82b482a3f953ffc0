"""Chat by Airflow's notifiers: Slack, SNS and webhooks; for what we tell ourselves, and for nobody else."""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.providers.http.hooks.http import HttpHook
from airflow.providers.http.notifications import HttpNotifier
from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier
from airflow.sdk.exceptions import AirflowException
from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # it has no stubs

from custody.errors import BadInput, Bounced, Unavailable
from custody.notices.channel import Message
from custody.settings import LOOPBACK

PATIENCE = 30  # seconds for a server's answer, as for mail
LATER = frozenset({408, 425, 429})  # of the 4xx, those that ask to come again (RFC 9110 §15.5, RFC 6585 §4)
LONGEST_SUBJECT = 100  # letters of a subject, and ASCII only: SNS API reference, Publish
# What SNS refuses however often it is asked (API reference, Publish); of credentials it says other things.
REFUSED_BY_SNS = frozenset({"NotFound", "NotFoundException", "InvalidParameter", "EndpointDisabled"})
_STATUS = re.compile(r"Status Code: (\d{3})|^(\d{3}):")  # as the hooks of Slack and HTTP write it


class QuietHook(HttpHook):
    """A hook that logs nothing, because a webhook's address may be its secret, and takes no redirection."""

    log = logging.getLogger("custody.quiet")  # type: ignore[assignment]  # a property there

    def check_response(self, response: Any) -> None:
        """Raise what is not a success; the body is not looked at."""
        if not 200 <= response.status_code < 300:
            raise AirflowException(f"{response.status_code}:")


QuietHook.log.disabled = True


def by_slack(message: Message, conn_id: str) -> None:
    """Post a message to the incoming webhook of a Slack connection."""
    notifier = SlackWebhookNotifier(
        slack_webhook_conn_id=conn_id,
        text=_plain_in_slack(f"*{message.subject}*\n\n{message.body}"),
        timeout=PATIENCE,
    )
    _require_tls(notifier.hook.client.url, conn_id)
    _answered(notifier, conn_id)


def by_webhook(message: Message, conn_id: str) -> None:
    """Post a message as JSON to the address of an HTTP connection; its id is there as Idempotency-Key."""
    told = {
        "id": message.message_id.strip("<>").partition("@")[0],
        "kind": message.kind,
        "subject": message.subject,
        "body": message.body,
        "made_at": message.made_at.isoformat(),
    }
    options = {"timeout": PATIENCE, "allow_redirects": False}
    headers = {"Idempotency-Key": message.message_id}
    notifier = HttpNotifier(http_conn_id=conn_id, json=told, headers=headers, extra_options=options)
    notifier.hook = QuietHook(http_conn_id=conn_id)
    session = notifier.hook.get_conn()
    _require_tls(notifier.hook.base_url, conn_id, checked=bool(session.verify))
    _answered(notifier, conn_id)


def by_sns(message: Message, topic: str) -> None:
    """Publish a message to an SNS topic, with the AWS connection ``aws_default`` or boto3's own ways."""
    notifier = SnsNotifier(
        target_arn=topic,
        message=message.body,
        subject=_ascii(message.subject),
        message_attributes={"id": message.message_id, "kind": message.kind},
        region_name=topic.split(":")[3] if topic.count(":") >= 5 else None,
    )
    _require_tls(notifier.hook.get_conn().meta.endpoint_url, topic)
    try:
        notifier.notify({})  # type: ignore[no-untyped-call]  # the provider's
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in REFUSED_BY_SNS:
            raise Bounced(f"SNS refuses it ({code})") from None
        raise Unavailable(f"SNS does not take it yet ({code})") from None


SENDS: Mapping[str, Callable[[Message, str], None]] = {
    "slack": by_slack,
    "sns": by_sns,
    "webhook": by_webhook,
}


def _answered(notifier: Any, where: str) -> None:
    """Tell a refusal from what may succeed later, by the status of the answer."""
    try:
        notifier.notify({})
    except AirflowException as error:
        found = _STATUS.search(str(error))
        status = int(found.group(1) or found.group(2)) if found else 0
        if 300 <= status < 500 and status not in LATER:
            raise Bounced(f"{where} refuses it ({status})") from None
        raise Unavailable(f"{where} does not take it yet ({status or 'no answer'})") from None


def _require_tls(url: str, where: str, *, checked: bool = True) -> None:
    address = urlsplit(url)
    if address.hostname not in LOOPBACK and (address.scheme != "https" or not checked):
        raise BadInput(f"{where} is not reached by checked TLS; correct its connection.")


def _plain_in_slack(text: str) -> str:
    """Write a text so that nothing in it calls people or makes links (Slack, "Formatting text")."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _ascii(subject: str) -> str:
    return subject.encode("ascii", "replace").decode()[:LONGEST_SUBJECT]
