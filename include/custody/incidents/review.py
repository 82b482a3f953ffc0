"""The review that ends an incident: why it happened, what worked, and who does what by when (policy IM-3)."""

from collections.abc import Iterator
from datetime import date, datetime

import msgspec

from custody.errors import BadInput
from custody.incidents.plain_words import MOST, plain

ACTION_FORM = "what; who; YYYY-MM-DD"
LONGEST_NAME = 100


class Action(msgspec.Struct, frozen=True):
    """Something that will be done: what, by whom, and by which day."""

    what: str
    owner: str
    by: date


class Review(msgspec.Struct, frozen=True):
    """What is written down before an incident is closed; without an action, ``no_action`` says why."""

    root_cause: str
    contributing_factors: tuple[str, ...]
    what_worked: str
    actions: tuple[Action, ...]
    no_action: str = ""


def complete(review: Review, now: datetime) -> Review:
    """Give a review without stray space; raises BadInput that names all that it lacks, and quotes nothing."""
    lacks = tuple(_lacks(review, now))
    if lacks:
        raise BadInput(f"The review is not complete, and the incident stays open: {' '.join(lacks)}")
    return msgspec.structs.replace(
        review,
        root_cause=review.root_cause.strip(),
        contributing_factors=tuple(each.strip() for each in review.contributing_factors),
        what_worked=review.what_worked.strip(),
        actions=tuple(
            Action(each.what.strip(), " ".join(each.owner.split()), each.by) for each in review.actions
        ),
        no_action=review.no_action.strip(),
    )


def action_of(line: str) -> Action:
    """Read one action from a line of a form; raises BadInput that says how it is written."""
    parts = [each.strip() for each in line.split(";")]
    try:
        what, owner, by = parts
        return Action(what, owner, date.fromisoformat(by))
    except ValueError:
        raise BadInput(f"Each action is one line, written as: {ACTION_FORM}.") from None


def lines_of(text: str) -> tuple[str, ...]:
    """Give the lines of a form's text that are not empty."""
    return tuple(each.strip() for each in text.splitlines() if each.strip())


def _lacks(review: Review, now: datetime) -> Iterator[str]:
    yield from _said(review.root_cause, "The root cause")
    if not review.contributing_factors:
        yield "At least one contributing factor is needed."
    for number, factor in enumerate(review.contributing_factors, 1):
        yield from _said(factor, f"Contributing factor {number}")
    yield from _said(review.what_worked, "What worked")
    for number, action in enumerate(review.actions, 1):
        yield from _said(action.what, f"Action {number}")
        yield from _said(action.owner, f"The owner of action {number}", LONGEST_NAME)
        if action.by <= now.date():
            yield f"Action {number} has to be due after today."
    if not review.actions and not review.no_action.strip():
        yield "At least one action is needed, or the reason why there is none."
    if review.no_action.strip():
        if review.actions:
            yield "There are actions, and a reason why there are none; leave one of them out."
        yield from _said(review.no_action, "The reason for no action")


def _said(text: str, what: str, most: int = MOST) -> Iterator[str]:
    try:
        plain(text, what=what, most=most)
    except BadInput as wrong:
        yield str(wrong)
