"""What is left to do on an order: pure rules over its facts and its finished tasks."""

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from custody.contracts.contract import TaskName
from custody.retention.clock import ENDED

AMAZON = "AMAZON"  # Amazon ships it: such orders are read-only for sellers (facts §1.1)
SHIPPED = "SHIPPED"
READY = frozenset({"UNSHIPPED", "PARTIALLY_SHIPPED"})  # paid, with an address, to be shipped
SHIPPED_BY_AMAZON_LABEL = "FBM_SHIP_PLUS"  # Amazon confirms these itself and refuses our confirmation
NO_ADDRESS = "Amazon gave no address: role, fulfillment channel or status"
DENIED = "Amazon denies access to this seller's shipments: a role or the authorization is missing"
ASKED_AGAIN = "it was refused, and is tried again with the next run"


class TaskState(StrEnum):
    """Where a task stands on one order; a task without a state has not been started."""

    WAITING = "waiting"  # cannot be done yet; the reason says why
    SENT = "sent"  # told to Amazon, not read back yet
    FAILED = "failed"  # Amazon refuses it; a person has to look, and may let it be tried again
    DONE = "done"


class Progress(NamedTuple):
    """The state of one task and since when."""

    state: TaskState
    since: datetime


def tasks_left(
    tasks: Collection[TaskName],
    *,
    status: str,
    fulfilled_by: str,
    programs: Collection[str],
    progress: Mapping[TaskName, Progress],
) -> frozenset[TaskName]:
    """Give the contracted tasks that an order still needs.

    An order that Amazon ships, or that has ended, needs none. One that somebody else has
    shipped needs only what we have already told Amazon, until it is read back.
    """
    if fulfilled_by == AMAZON or status in ENDED:
        return frozenset()
    left = {task for task in tasks if task not in progress or progress[task].state is not TaskState.DONE}
    if SHIPPED_BY_AMAZON_LABEL in programs:
        left.discard(TaskName.CONFIRM_SHIPMENT)
    if status == SHIPPED:
        return frozenset(task for task in left if task in progress and progress[task].state is TaskState.SENT)
    return frozenset(left)


def completed_at(
    tasks: Collection[TaskName],
    *,
    status: str,
    fulfilled_by: str,
    programs: Collection[str],
    last_updated_at: datetime,
    progress: Mapping[TaskName, Progress],
) -> datetime | None:
    """Give when the last contracted task of an order was done; None while something is left.

    Where nothing had to be done, it was complete at Amazon's last update.
    """
    if tasks_left(tasks, status=status, fulfilled_by=fulfilled_by, programs=programs, progress=progress):
        return None
    done = [each.since for each in progress.values() if each.state is TaskState.DONE]
    return max(done, default=last_updated_at)
