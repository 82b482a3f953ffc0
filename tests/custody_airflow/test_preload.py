"""What is imported once for all tasks: only where tasks are forked, in both shapes of an installation."""

import importlib.util
import re
from pathlib import Path

import pytest

from custody_airflow.preload import WANTED, forks_tasks
from custody_local.airflow_configuration import write_airflow_home
from custody_local.layout import Layout

REPOSITORY = Path(__file__).resolve().parents[2]
LINE = re.compile(r"^import custody_airflow\.preload\b")


@pytest.mark.parametrize(
    ("command", "executor", "expected"),
    [
        ("airflow scheduler --skip-serve-logs", "LocalExecutor", True),
        ("airflow scheduler --skip-serve-logs", "CeleryExecutor", False),
        ("airflow scheduler", None, False),
        ("airflow celery worker --skip-serve-logs", "CeleryExecutor", True),
        ("airflow celery flower", "CeleryExecutor", False),
        ("airflow dag-processor", "LocalExecutor", False),
        ("airflow tasks list scheduler", "LocalExecutor", False),
        ("pytest", None, False),
    ],
)
def test_only_a_process_that_forks_tasks_imports_for_them(
    command: str, executor: str | None, expected: bool
) -> None:
    assert forks_tasks(command.split(), executor) is expected


@pytest.mark.parametrize("name", WANTED)
def test_what_is_imported_is_there(name: str) -> None:
    package = name.partition(".")[0]
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.submodule_search_locations is not None
    home = Path(next(iter(found.submodule_search_locations))).parent
    module = home.joinpath(*name.split("."))
    assert module.is_dir() or module.with_suffix(".py").exists()


def test_the_image_lets_airflow_import_it() -> None:
    text = (REPOSITORY / "Dockerfile").read_text()
    (line,) = re.findall(r'echo "(.+)" > /opt/airflow/config/airflow_local_settings\.py', text)
    assert LINE.match(line)


def test_a_local_run_lets_airflow_import_it(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "home")
    layout.create()
    write_airflow_home(layout)
    assert LINE.match((layout.airflow / "config" / "airflow_local_settings.py").read_text())
