"""The gate of notices: a person lets an incident's drafts go out, or decides against them with a reason."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, get_current_context
from airflow.sdk.exceptions import TaskAwaitingInput

SEND, KEEP = "Send", "Do not send"
LONGEST_WAIT = timedelta(minutes=15)  # a decision on the command line is seen by then
RETRIES = 1000  # a minute apart, as for the gates of phases
REASON = Param(
    None,
    "Needed to decide against; kept on record. Naming nobody.",
    type=["null", "string"],
    title="Reason",
    format="multiline",
)


class NoticeGate(HITLOperator):
    """Ask about the drafts of one kind until none waits for a decision.

    Rules:
    - what counts is on record in Custody: marking this task as a success sends nothing and stops nothing;
    - silence sends what is obliged when its time has come, and escalates what is not;
    - of two who answer at once the second is told, and nothing changes.
    """

    def __init__(self, *, kind: str, **arguments: Any) -> None:
        super().__init__(
            subject="Notices of an incident",
            options=[SEND, KEEP],
            **{**arguments, "params": {"reason": REASON}, "retries": RETRIES},  # arguments have the DAG's
        )
        self.kind = kind

    def execute(self, context: Any) -> str:
        """Ask, unless nothing waits; the wait ends at the next moment at which something follows."""
        from custody_airflow.responding import is_asked_already

        if is_asked_already(self.task_id, _incident_id()):
            return "asked by an earlier run of this incident"
        asked = question(self.kind)
        if asked is None:
            return "decided"
        self.subject, self.body, self.response_timeout = asked
        super().execute(context)
        raise AssertionError("a question parks its task")

    def execute_complete(self, context: Any, event: dict[str, Any]) -> str:
        """Take the answer, or the end of the wait; then ask about what still waits."""
        if event.get("error_type") == "timeout":
            look()
            asked = question(self.kind)
            if asked is None:
                return "decided"
            # Put again, it would lose an answer that came in since; see custody_airflow.gate.
            raise TaskAwaitingInput(method_name="execute_complete", timeout=asked[2])
        if "error" in event:
            self.process_trigger_event_error(event)
        person: Mapping[str, str] = event["responded_by_user"] or {}
        told = answer(
            self.kind,
            send=event["chosen_options"] == [SEND],
            reason=(event["params_input"] or {}).get("reason") or "",
            who=person.get("name") or person.get("id", ""),
        )
        self.log.info("%s", told)
        return self.execute(context)


def question(kind: str) -> tuple[str, str, timedelta] | None:
    """Give subject, body and how long to wait; None when nothing waits for a decision."""
    from custody.notices.question import question_of, wait
    from custody_airflow.channels import house
    from custody_airflow.failures import told_to_airflow

    wanted = _incident_id()
    with told_to_airflow(), house() as here:
        here.announcer.look(here.clock(), only=wanted)
        with here.engine.connect() as connection:
            asked = question_of(connection, wanted, kind, here.settings)
        if asked is None:
            return None
        return asked.subject, asked.body, wait(asked, here.clock(), LONGEST_WAIT)


def answer(kind: str, *, send: bool, reason: str, who: str) -> str:
    """Take an answer and send what it lets go; gives what came of it, without the reason."""
    from custody.errors import BadInput, TryLater
    from custody.notices import question as asking
    from custody_airflow.channels import house
    from custody_airflow.failures import told_to_airflow

    wanted = _incident_id()
    with told_to_airflow(), house() as here:
        try:
            with here.engine.begin() as connection:
                counted = asking.answer(
                    connection,
                    wanted,
                    kind,
                    send=send,
                    reason=reason,
                    actor=f"airflow, {who}",
                    now=here.clock(),
                )
        except BadInput as refused:
            return f"Not taken: {refused} It is asked again."
        try:
            here.sender.send_owed(only=wanted)
        except TryLater as delayed:  # on record; the watch tries again
            return f"{counted} decided. {delayed}"
        return f"{counted} decided."


def look() -> None:
    """Let follow what follows of this incident's notices when nobody answers."""
    from custody.errors import TryLater
    from custody_airflow.channels import house
    from custody_airflow.failures import told_to_airflow

    wanted = _incident_id()
    with told_to_airflow(), house() as here:
        here.announcer.look(here.clock(), only=wanted)
        try:
            here.sender.send_owed(only=wanted)
        except TryLater:
            return  # on record; the watch tries again


def _incident_id() -> str:
    """Give the incident that this run opened or took up: a later run may have taken it over since."""
    context: Any = get_current_context()
    return str(context["ti"].xcom_pull(task_ids="open_incident"))
