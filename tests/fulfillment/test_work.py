"""The rules of what is left to do on an order, as pure functions."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.contracts.contract import TaskName
from custody.fulfillment.work import Progress, TaskState, completed_at, tasks_left

from ..builders import ALL_TASKS, NOW

PICK, SLIP, CONFIRM = TaskName.PICK_LIST, TaskName.PACKING_SLIP, TaskName.CONFIRM_SHIPMENT
HOUR = timedelta(hours=1)


def left(progress: dict[TaskName, TaskState] | None = None, **changes: Any) -> frozenset[TaskName]:
    order = {"status": "UNSHIPPED", "fulfilled_by": "MERCHANT", "programs": ()} | changes
    states = {task: Progress(state, NOW) for task, state in (progress or {}).items()}
    return tasks_left(ALL_TASKS, progress=states, **order)


def completed(progress: dict[TaskName, Progress], **changes: Any) -> Any:
    order = {
        "status": "UNSHIPPED",
        "fulfilled_by": "MERCHANT",
        "programs": (),
        "last_updated_at": NOW,
    } | changes
    return completed_at(ALL_TASKS, progress=progress, **order)


def test_a_fresh_order_needs_every_contracted_task() -> None:
    assert left() == ALL_TASKS


def test_what_is_done_is_not_needed_again_and_what_waits_is() -> None:
    assert left({PICK: TaskState.DONE, SLIP: TaskState.WAITING}) == {SLIP, CONFIRM}


@pytest.mark.parametrize(
    "changes", [{"fulfilled_by": "AMAZON"}, {"status": "CANCELLED"}, {"status": "UNFULFILLABLE"}]
)
def test_an_order_that_is_not_ours_to_ship_needs_nothing(changes: dict[str, str]) -> None:
    assert left(**changes) == frozenset()
    assert completed({}, **changes) == NOW


def test_a_label_that_amazon_sold_needs_no_confirmation() -> None:
    assert left(programs=("PRIME", "FBM_SHIP_PLUS")) == {PICK, SLIP}


def test_an_order_that_somebody_else_shipped_needs_only_what_amazon_was_told() -> None:
    assert left(status="SHIPPED") == frozenset()
    assert left({CONFIRM: TaskState.SENT}, status="SHIPPED") == {CONFIRM}
    assert left({CONFIRM: TaskState.FAILED}, status="SHIPPED") == frozenset()


def test_an_order_is_complete_when_its_last_task_was_done() -> None:
    done = {
        task: Progress(TaskState.DONE, NOW + hours * HOUR) for hours, task in enumerate((PICK, SLIP, CONFIRM))
    }
    assert completed(done) == NOW + 2 * HOUR
    assert completed(done | {SLIP: Progress(TaskState.FAILED, NOW)}) is None


states = st.sampled_from(list(TaskState)).map(lambda state: Progress(state, NOW))


@given(
    st.frozensets(st.sampled_from(list(TaskName))),
    st.dictionaries(st.sampled_from(list(TaskName)), states),
    st.sampled_from(["PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "NEW_STATUS"]),
)
def test_an_order_at_work_is_complete_only_when_every_contracted_task_is_done(
    tasks: frozenset[TaskName], progress: dict[TaskName, Progress], status: str
) -> None:
    moment = completed_at(
        tasks, status=status, fulfilled_by="MERCHANT", programs=(), last_updated_at=NOW, progress=progress
    )
    all_done = all(task in progress and progress[task].state is TaskState.DONE for task in tasks)
    assert (moment is not None) is all_done
