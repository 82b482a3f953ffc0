"""What a person is asked in each phase: the choices, and the fields that go with them.

Rules:
- every question can be answered from what it shows; what has a usual answer is filled in with it;
- a choice says what follows from it;
- what is in force has to be lifted, or the incident stays open: nobody forgets a contract that is frozen.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from custody.incidents.containment import Containment
from custody.incidents.containment_rules import ALL_CONTRACTS, State
from custody.incidents.in_force import WORDS
from custody.incidents.phases import Breach, Known, Phase, Severity
from custody.incidents.record import Incident
from custody.incidents.review import ACTION_FORM


class Choice(StrEnum):
    """What a person can answer; the words are those of the button."""

    TAKE = "I take it"
    JUDGE = "This is my judgment"
    CONTAINED = "It is contained: go on"
    NOT_YET = "Do this, it is not contained yet"
    REMOVED = "The cause is removed: go on"
    RECOVERED = "Work goes on: to the review"
    CLOSE = "Close the incident"
    NOT_CONTAINED = "Back: it is not contained"
    NOT_REMOVED = "Back: the cause is not removed"
    NOT_RECOVERED = "Back: work does not go on"


GOES_TO = {
    Choice.CONTAINED: Phase.ERADICATE,
    Choice.REMOVED: Phase.RECOVER,
    Choice.RECOVERED: Phase.REVIEW,
    Choice.NOT_CONTAINED: Phase.CONTAIN,
    Choice.NOT_REMOVED: Phase.ERADICATE,
    Choice.NOT_RECOVERED: Phase.RECOVER,
}
CHOICES: dict[Phase, tuple[Choice, ...]] = {
    Phase.DETECT: (Choice.TAKE,),
    Phase.TRIAGE: (Choice.JUDGE,),
    Phase.CONTAIN: (Choice.CONTAINED, Choice.NOT_YET),
    Phase.ERADICATE: (Choice.REMOVED, Choice.NOT_CONTAINED),
    Phase.RECOVER: (Choice.RECOVERED, Choice.NOT_CONTAINED, Choice.NOT_REMOVED),
    Phase.REVIEW: (Choice.CLOSE, Choice.NOT_CONTAINED, Choice.NOT_REMOVED, Choice.NOT_RECOVERED),
}
APPROVE, REFUSE, LATER = "approve", "refuse", "later"
LIFT, KEEP = "lift", "keep"
NOT_CHOSEN = "-"
MOST_FIELDS = 8  # containments that are decided one by one; more of them by action


class Field(msgspec.Struct, frozen=True):
    """One field of a question: text, or one of ``options`` (value and words)."""

    name: str
    title: str
    description: str = ""
    options: dict[str, str] | None = None
    default: str | None = ""
    needed: bool = True
    lines: bool = True


def fields_of(incident: Incident, known: Sequence[Containment]) -> tuple[Field, ...]:
    """Give the fields of the question of the phase that an incident is in."""
    if incident.phase is Phase.DETECT:
        return ()
    if incident.phase is Phase.TRIAGE:
        return (*_judgment(incident), Field("said", "What was seen", "In words that name nobody."))
    if incident.phase is Phase.REVIEW:
        return (*_review(), *_lifting(known))
    said = Field("said", "What was done", "Or why it goes back. In words that name nobody.")
    if incident.phase is Phase.CONTAIN:
        return (*_decisions(known), said, *_judgment(incident))
    if incident.phase is Phase.RECOVER:
        return (*_lifting(known), said, *_judgment(incident))
    return (said, *_judgment(incident))


def grouped(known: Sequence[Containment]) -> dict[str, tuple[Containment, ...]]:
    """Give the containments that can be decided on by the field that decides: each, or all of an action."""
    open_ones = [each for each in known if each.state in (State.PROPOSED, State.REFUSED)]
    if len(open_ones) <= MOST_FIELDS:
        return {names_of(each)[0]: (each,) for each in open_ones}
    of_action: dict[str, tuple[Containment, ...]] = {}
    for each in open_ones:
        of_action[names_of(each)[1]] = (*of_action.get(names_of(each)[1], ()), each)
    return of_action


def names_of(each: Containment) -> tuple[str, str]:
    """Name the field that decides on a containment alone, and that for all of its action.

    They are the same when the answer comes, whatever silence has taken since the question was put.
    """
    whose = "ALL" if each.contract_id == ALL_CONTRACTS else each.contract_id  # no contract has capitals
    return f"{each.action}__{whose}", f"{each.action}__each"


def _judgment(incident: Incident) -> tuple[Field, ...]:
    """Ask how bad it is; once it is judged, only for what has changed."""
    changed = "" if incident.severity is None else "Change it only if it has changed."
    return (
        Field("severity", "How bad is it?", changed, _severities(), _chosen(incident.severity)),
        Field("breach", "Is it a breach of personal data?", changed, _breaches(), _chosen(incident.breach)),
        Field(
            "amazon_data",
            "Is Amazon's data affected?",
            changed,
            {Known.YES: "yes", Known.NO: "no", Known.UNKNOWN: "not known, so Amazon is told as if it were"},
            _chosen(incident.amazon_data),
        ),
    )


def _severities() -> dict[str, str]:
    return {
        Severity.CRITICAL: "critical: personal data is, or may be, with somebody who may not have it",
        Severity.HIGH: "high: a promise about personal data is broken",
        Severity.MEDIUM: "medium: a safeguard failed, and another one held",
        Severity.LOW: "low: nothing happened; something should be better",
    }


def _breaches() -> dict[str, str]:
    return {
        Breach.SUSPECTED: "suspected: it may be one",
        Breach.CONFIRMED: "confirmed: it is one, and its sellers are told",
        Breach.HARMLESS: "harmless: it is none; the review follows",
    }


def _chosen(value: StrEnum | None) -> str:
    return NOT_CHOSEN if value is None else str(value)


def _decisions(known: Sequence[Containment]) -> tuple[Field, ...]:
    fields = [
        Field(
            name,
            f"{each[0].action.replace('_', ' ')}: {_whose(each)}",
            f"{WORDS[each[0].action].capitalize()}." + _standing(each[0]),
            {
                APPROVE: "approve: do it now",
                REFUSE: "refuse: do not do it, whatever happens",
                LATER: "leave it: silence does it when its time has come",
            },
            LATER if each[0].state is State.PROPOSED else REFUSE,
        )
        for name, each in grouped(known).items()
    ]
    if fields:
        fields.append(Field("reason", "Why, where you refuse", "Needed for a refusal.", needed=False))
    return tuple(fields)


def _lifting(known: Sequence[Containment]) -> tuple[Field, ...]:
    standing = [each for each in known if each.is_in_force]
    if not standing:
        return ()
    listed = ", ".join(f"{each.action} ({each.contract_id})" for each in standing)
    options = {LIFT: "lift: work goes on as before", KEEP: "keep: for now it stays"}
    return (Field("containment", "What is in force", listed, options, KEEP),)


def _review() -> tuple[Field, ...]:
    close = "Needed to close."
    return (
        Field("root_cause", "Root cause", close, needed=False),
        Field("contributing_factors", "Contributing factors", f"One a line. {close}", needed=False),
        Field("what_worked", "What worked", close, needed=False),
        Field("actions", "Actions", f"One a line, as: {ACTION_FORM}", needed=False),
        Field("no_action", "Why there is no action", "Only where there is none.", needed=False),
        Field("said", "Why it goes back", "Only where it does.", needed=False),
    )


def _whose(each: Sequence[Containment]) -> str:
    if len(each) > 1:
        return f"{len(each)} contracts"
    return "all contracts" if each[0].contract_id == ALL_CONTRACTS else each[0].contract_id


def _standing(each: Containment) -> str:
    if each.state is State.REFUSED:
        return f" Refused by {each.decided_by}."
    return f" By silence at {each.due_at:%Y-%m-%d %H:%M} UTC."
