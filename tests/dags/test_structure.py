"""What follows on what: inside each DAG, and from one DAG to the next."""

from typing import Any

from custody.incidents.kinds import DECLARED

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


def test_an_incident_goes_through_a_gate_for_each_phase_and_its_notices_hold_up_none(
    dags: dict[str, Any],
) -> None:
    found = upstream(dags["respond_to_incident"])
    line = ["open_incident", "detect.gate", "triage.gate", "contain.propose", "contain.gate", "contain.take"]
    line += ["eradicate.gate", "recover.gate", "review.gate", "go_on"]
    notices = {each for each in found if each.startswith("notices.")}
    assert found == {
        **{each: [before] if before else [] for before, each in zip([None, *line], line, strict=False)},
        **{each: ["triage.gate"] for each in notices},
    }
    assert len(notices) == 3
    assert dags["respond_to_incident"]["tasks"]["go_on"]["trigger_rule"] == "none_failed"


def test_the_form_offers_every_kind_that_people_declare(dags: dict[str, Any]) -> None:
    assert dags["respond_to_incident"]["form"]["kind"]["enum"] == list(DECLARED)


def test_a_gate_is_tried_for_as_long_as_a_database_may_be_away(dags: dict[str, Any]) -> None:
    tasks = dags["respond_to_incident"]["tasks"]
    gates = [task for task_id, task in tasks.items() if task_id.endswith(".gate")]
    assert len(gates) == 6
    assert {task["retries"] for task in gates} == {1000}


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


def test_the_watch_waits_then_escalates_and_starts_what_is_missing_beside_it(dags: dict[str, Any]) -> None:
    watch = dags["watch_incidents"]
    assert watch["schedule"] == "@continuous"
    assert upstream(watch) == {
        "wait": [],
        "escalate": ["wait"],
        "list_unanswered": ["wait"],
        "start_responses": ["list_unanswered"],
    }
    assert mapped(watch) == {"start_responses"}


def test_a_credential_is_verified_before_it_is_in_use_and_cleaning_is_done_whatever_came_of_it(
    dags: dict[str, Any],
) -> None:
    steps = ["due", "request", "receive", "verify", "promote", "clean"]
    found = dags["rotate_credentials"]
    assert upstream(found) == {
        each: [before] if before else [] for before, each in zip([None, *steps], steps, strict=False)
    }
    assert found["tasks"]["clean"]["trigger_rule"] == "all_done"
    # Ten minutes between them: past the hour after which a secret that does not come is an incident.
    assert [found["tasks"][each]["retries"] for each in ("receive", "verify")] == [8, 8]


def test_calls_are_watched_by_one_task_every_hour(dags: dict[str, Any]) -> None:
    assert upstream(dags["monitor_calls"]) == {"look": []}
    assert dags["monitor_calls"]["schedule"] == "29 * * * *"
