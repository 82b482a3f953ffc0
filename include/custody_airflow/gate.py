"""The gate of a phase: a question to a person that the record, and nothing else, opens."""

from collections.abc import Mapping
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

RETRIES = 1000  # a minute apart: a database that is away for hours must not end a response


class PhaseGate(HITLOperator):
    """Ask for what a phase owes, until the record is past it.

    Rules:
    - a phase that is over on record passes at once, whoever answered it, and wherever;
    - a time-out answers nothing: what follows by itself is seen to, and the question stands;
    - an answer that lacks something, or goes back, ends this pass; the next one asks, with the reason.
    """

    def __init__(self, *, phase: str, **arguments: Any) -> None:
        super().__init__(
            subject=f"The phase {phase} of an incident",
            options=["Answer"],
            **{**arguments, "task_id": "gate", "retries": RETRIES},
        )
        self.phase = phase

    def execute(self, context: Any) -> str:
        """Ask, unless it is over; the wait ends at the next moment at which something follows."""
        from custody_airflow import responding

        asked = responding.question(self.phase)
        if asked is None:
            return "over"
        self.subject, self.body, self.options = asked.subject, asked.body, asked.choices
        self.params = ParamsDict({each.name: _param(each) for each in asked.fields})
        self.response_timeout = asked.wait
        super().execute(context)
        raise AssertionError("a question parks its task")

    def execute_complete(self, context: Any, event: dict[str, Any]) -> str:
        """Take the answer, or the end of the wait."""
        from custody_airflow import responding

        if event.get("error_type") == "timeout":
            responding.look()
            return self._ask_on()
        if "error" in event:
            self.process_trigger_event_error(event)
        person: Mapping[str, str] = event["responded_by_user"] or {}
        (choice, *_) = event["chosen_options"]
        outcome = responding.answer(
            self.phase, choice, event["params_input"] or {}, person.get("name") or person.get("id", "")
        )
        self.log.info("%s", outcome)
        return outcome

    def _ask_on(self) -> str:
        """Let the question stand, unless it is over.

        It is not put again: that would take away an answer that came in since the wait has ended. Airflow
        goes on at once with one that is there when its task parks.
        """
        from custody_airflow import responding

        asked = responding.question(self.phase)
        if asked is None:
            return "over"
        raise TaskAwaitingInput(method_name="execute_complete", timeout=asked.wait)


class NextPass(TriggerDagRunOperator):
    """Go on with an incident that is still open at the end of its run, in another run."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(
            trigger_dag_id="respond_to_incident",
            skip_when_already_exists=True,
            openlineage_inject_parent_info=False,
            **arguments,
        )

    def execute(self, context: Any) -> None:
        """Trigger the next run; skipped when the incident is closed, or another run responds to it."""
        from custody_airflow import responding

        following = responding.next_pass()
        if following is None:
            raise AirflowSkipException("Nothing is left to ask here.")
        self.trigger_run_id, self.conf = following
        super().execute(context)


def _param(field: Any) -> Param:
    """Lay a field out as Airflow's form does; what is typed is checked when it is taken, not here."""
    title, description = field.title, field.description or None
    if field.options is not None:
        chosen = field.default or next(iter(field.options))
        shown = field.options if chosen in field.options else {chosen: "choose", **field.options}
        return Param(chosen, description, type="string", title=title, enum=list(shown), values_display=shown)
    if field.needed:
        return Param("", description, type="string", title=title, minLength=1, format="multiline")
    return Param(None, description, type=["null", "string"], title=title, format="multiline")
