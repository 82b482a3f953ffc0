"""What follows on what: inside each DAG, and from one DAG to the next."""

from typing import Any

MAIN = ("ingest_orders", "fulfill_orders", "purge_orders")  # an order's life, from one to the next


def upstream(dag: dict[str, Any]) -> dict[str, list[str]]:
    return {task_id: task["upstream"] for task_id, task in dag["tasks"].items()}


def mapped(dag: dict[str, Any]) -> set[str]:
    return {task_id for task_id, task in dag["tasks"].items() if task["mapped"]}


def outlets(dag: dict[str, Any]) -> dict[str, list[str]]:
    return {task_id: task["outlets"] for task_id, task in dag["tasks"].items() if task["outlets"]}


def test_orders_are_pulled_before_they_are_announced(dags: dict[str, Any]) -> None:
    assert upstream(dags["ingest_orders"]) == {
        "list_contracts": [],
        "pull": ["list_contracts"],
        "announce": ["pull"],
    }


def test_orders_are_picked_then_packed_then_confirmed(dags: dict[str, Any]) -> None:
    found = upstream(dags["fulfill_orders"])
    assert found.keys() == {"list_contracts", "pick_list", "packing_slip", "confirm_shipment", "announce"}
    assert "pick_list" in found["packing_slip"]
    assert "packing_slip" in found["confirm_shipment"]
    assert found["announce"] == ["confirm_shipment"]


def test_what_is_due_is_counted_again_after_the_purge_even_when_the_purge_failed(
    dags: dict[str, Any],
) -> None:
    assert upstream(dags["purge_orders"]) == {
        "list_contracts": [],
        "purge": ["list_contracts"],
        "count_again": ["purge"],
        "end_contracts": ["purge"],
    }
    for task_id in ("count_again", "end_contracts"):
        assert dags["purge_orders"]["tasks"][task_id]["trigger_rule"] == "all_done"


def test_a_contract_ends_step_by_step_after_its_approval(dags: dict[str, Any]) -> None:
    found = dags["terminate_contract"]
    steps = ["freeze", "approval", "purge", "destroy_key", "revoke_credentials", "verify", "certify"]
    steps.append("tell_seller")
    assert upstream(found) == {
        each: [before] if before else [] for before, each in zip([None, *steps], steps, strict=False)
    }
    rules = {task_id: task["trigger_rule"] for task_id, task in found["tasks"].items()}
    assert rules == {**dict.fromkeys(steps, "all_success"), "revoke_credentials": "none_failed"}


def test_tasks_are_mapped_over_batches_of_contracts(dags: dict[str, Any]) -> None:
    assert {dag_id: mapped(dag) for dag_id, dag in dags.items() if dag_id in MAIN} == {
        "ingest_orders": {"pull"},
        "fulfill_orders": {"pick_list", "packing_slip", "confirm_shipment"},
        "purge_orders": {"purge"},
    }


def test_sealed_orders_wake_the_work_and_completed_orders_wake_the_purge(dags: dict[str, Any]) -> None:
    assert {dag_id: dag["schedule_assets"] for dag_id, dag in dags.items() if dag_id in MAIN} == {
        "ingest_orders": [],
        "fulfill_orders": ["sealed_orders"],
        "purge_orders": ["completed_orders"],
    }


def test_work_and_purge_also_run_by_time_each_at_minutes_of_its_own(dags: dict[str, Any]) -> None:
    assert {dag_id: dag["schedule"] for dag_id, dag in dags.items() if dag_id in MAIN} == {
        "ingest_orders": "*/15 * * * *",
        "fulfill_orders": "Asset or 7-59/15 * * * *",
        "purge_orders": "Asset or 17 * * * *",
    }


def test_only_the_last_task_of_a_dag_emits_its_asset(dags: dict[str, Any]) -> None:
    assert {dag_id: outlets(dag) for dag_id, dag in dags.items() if dag_id in MAIN} == {
        "ingest_orders": {"announce": ["sealed_orders"]},
        "fulfill_orders": {"announce": ["completed_orders"]},
        "purge_orders": {},
    }
