"""A question that a second person answers: whoever triggered the run is not heard."""

from collections.abc import Mapping
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.exceptions import TaskAwaitingInput

from custody_airflow.watching import watch

APPROVE = "Approve"
REJECT = "Reject: it is the wrong contract"


class SecondPersonApproval(HITLOperator):
    """Ask until somebody other than the requester answers, or until the deadline has decided.

    Rules:
    - what counts is on record in Custody: marking this task as a success by hand approves nothing;
    - a time-out rejects nothing: it escalates, and asks again or, at the deadline, goes on;
    - an answer of the requester is written down, and the question is asked again.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(options=[APPROVE, REJECT], **arguments)

    def execute(self, context: Any) -> str:
        """Ask, unless it has been decided; the wait ends at the next moment at which something follows."""
        from custody_airflow import terminating

        asked = terminating.question()
        if asked is None:
            return "decided"
        self.body, self.response_timeout = asked
        super().execute(context)
        raise AssertionError("a question parks its task")

    def execute_complete(self, context: Any, event: dict[str, Any]) -> str:
        """Take the answer, or the end of the wait."""
        from custody_airflow import terminating

        if event.get("error_type") == "timeout":
            watch()
            asked = terminating.question()
            if asked is None:
                return "decided"
            # Put again, it would lose an answer that came in since; see custody_airflow.gate.
            raise TaskAwaitingInput(method_name="execute_complete", timeout=asked[1])
        if "error" in event:
            self.process_trigger_event_error(event)
        person: Mapping[str, str] = event["responded_by_user"] or {}
        approve = event["chosen_options"] == [APPROVE]
        outcome = terminating.answer(person.get("name", ""), approve=approve)
        if outcome == "same_person":
            self.log.warning("The person who asks may not answer; it is asked again.")
            return self.execute(context)
        self.log.info("The answer: %s", outcome)
        return outcome
