"""What follows on what: inside each DAG, and from one DAG to the next."""

from typing import Any


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
    }
    assert dags["purge_orders"]["tasks"]["count_again"]["trigger_rule"] == "all_done"


def test_tasks_are_mapped_over_batches_of_contracts(dags: dict[str, Any]) -> None:
    assert {dag_id: mapped(dag) for dag_id, dag in dags.items()} == {
        "ingest_orders": {"pull"},
        "fulfill_orders": {"pick_list", "packing_slip", "confirm_shipment"},
        "purge_orders": {"purge"},
    }


def test_sealed_orders_wake_the_work_and_completed_orders_wake_the_purge(dags: dict[str, Any]) -> None:
    assert {dag_id: dag["schedule_assets"] for dag_id, dag in dags.items()} == {
        "ingest_orders": [],
        "fulfill_orders": ["sealed_orders"],
        "purge_orders": ["completed_orders"],
    }


def test_only_the_last_task_of_a_dag_emits_its_asset(dags: dict[str, Any]) -> None:
    assert {dag_id: outlets(dag) for dag_id, dag in dags.items()} == {
        "ingest_orders": {"announce": ["sealed_orders"]},
        "fulfill_orders": {"announce": ["completed_orders"]},
        "purge_orders": {},
    }
