"""What Amazon serves about people is in no byte that an installation writes, at no stage of its life."""

import re
from collections.abc import Iterator

import pytest

from .amazon import CLIENT, stand_in
from .conftest import Demos
from .story import STAGES, SURFACES, Story, live

FEWEST_VALUES = 100
# Where a value would lie if it were written there; each must have been searched.
FILES = ["postgres/base/", "postgres/pg_wal/", "airflow/logs/", "logs/scheduler.log", "logs/postgres.log"]
FILES += ["logs/api-server.log", "keys/ring/", "keys/secrets/", "secrets/", "run/", "settings.toml"]
ROWS = ["airflow:public.xcom", "airflow:public.rendered_task_instance_fields", "airflow:public.log"]
ROWS += ["custody:custody.orders", "custody:custody.disclosures", "custody:custody.quarantine"]


@pytest.fixture(scope="module")
def story(demos: Demos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Live the story once, beside two demos; its 60 people belong to three sellers, one in each region."""
    work = tmp_path_factory.mktemp("story")
    with stand_in(60, 3, "--share-pending", "0") as amazon, pytest.MonkeyPatch.context() as patch:
        for name, value in CLIENT.items():
            patch.setenv(name, value)
        yield live(work / "home", work / "dags", amazon, work / "sellers.csv")


@pytest.mark.parametrize("stage", STAGES)
def test_no_personal_value_is_written_anywhere(story: Story, stage: str) -> None:
    found = story.stages[stage]
    assert found.looked_for.total() >= FEWEST_VALUES
    assert found.skipped.total() < found.looked_for.total() / 10, found.skipped
    assert {"name", "address_line_1", "city"} <= found.looked_for.keys()
    wanted = FILES if stage == "end" else FILES + ROWS
    assert not [each for each in wanted if not any(p.startswith(each) for p in found.searched.places)]
    assert found.searched.size > 20_000_000  # an empty cluster of PostgreSQL alone has 40 MB
    assert found.searched.hits == ()


def test_every_stage_had_something_to_leak(story: Story) -> None:
    pulled, worked, purged = (story.stages[name].status for name in ("pull", "work", "purge"))
    assert pulled.orders_sealed > 20
    assert pulled.orders_fulfilled == pulled.orders_purged == 0
    assert worked.orders_fulfilled > 0
    assert worked.orders_purged == 0
    assert purged.orders_purged >= worked.orders_fulfilled
    assert purged.certificates > 0
    assert "tracking_number" in story.stages["end"].looked_for


def test_tasks_failed_in_the_midst_of_personal_data(story: Story) -> None:
    assert story.runs["failed pull"].state == "failed"
    assert {"huge_field", "cut_body", "malformed_json", "500", "secret_expired"} <= story.struck
    assert story.stages["failed pull"].status.orders_sealed > 0
    assert story.runs["bug"].state == "failed"
    assert re.search(r"[1-9]\d* recipients are open; the first is Recipient\(…\)", story.logs["bug"])


def test_the_runs_that_were_to_succeed_did(story: Story) -> None:
    states = {name: run.state for name, run in story.runs.items() if name not in ("failed pull", "bug")}
    assert states == dict.fromkeys(("pull", "print", "work", "purge"), "success"), story.logs


def test_a_seller_who_has_left_is_the_reason_why_a_demo_does_not_complete(story: Story) -> None:
    gone = story.stages["seller gone"].status.sellers
    troubled = [seller for seller in gone if seller.trouble is not None]
    assert len(troubled) == 1
    assert f"{troubled[0].name}: {troubled[0].trouble}" in story.reasons
    assert "invalid_grant" in str(troubled[0].trouble)


@pytest.mark.parametrize("surface", SURFACES)
def test_a_planted_value_is_found(story: Story, surface: str) -> None:
    places = {hit.place for hit in story.planted[surface].hits}
    expected = {
        "file": ["tmp/left_behind.bin"],
        "row": [story.files_of["row"], "postgres/pg_wal/", "custody:public.planted"],
        "log": ["airflow/logs/"],
        "xcom": [story.files_of["xcom"], "postgres/pg_wal/", "airflow:public.xcom"],
    }[surface]
    assert not [each for each in expected if not any(place.startswith(each) for place in places)], places
    assert {hit.kind for hit in story.planted[surface].hits} == {surface}
