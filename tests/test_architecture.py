"""Imports go one way, each third party has one room, and no module is a hall."""

import ast
import sys
from pathlib import Path

import pytest

import custody

INCLUDE = Path(custody.__file__).parents[1]
OURS = ("custody", "custody_airflow", "custody_local", "amazon_simulator")
MOST_LINES = 300  # style A1

# The tiers of the design's §6, lowest first; a module may import its own tier and those before.
TIERS = (
    ("errors, records and rules", (
        "errors", "settings", "orders.records", "contracts.contract", "contracts.terms", "retention.clock",
        "retention.records", "retention.residue.records", "retention.residue.forms",
        "retention.residue.anchors", "retention.residue.values", "retention.residue.interface",
        "fulfillment.work", "fulfillment.interface", "fulfillment.address", "fulfillment.lettering",
        "fulfillment.wording", "certificates.certificate", "certificates.sections", "certificates.wording",
        "certificates.log_entry",
        "certificates.log_faults", "certificates.merkle", "certificates.order_proof",
        "certificates.confirmation", "orders.wire",
        "orders.minimize", "amazon.interface", "amazon.marketplaces", "incidents.kinds", "credentials.access",
        "credentials.rotation_due", "credentials.notification", "incidents.phases",
        "incidents.plain_words", "incidents.review", "incidents.countdown", "monitoring.rules",
        "incidents.containment_rules", "incidents.escalation", "notices.notice", "notices.channel",
    )),
    ("stores and edges", (
        "amazon", "vault", "database", "contracts.audit", "contracts.registry", "certificates.signing",
        "certificates.verify", "certificates.verify_confirmation",
        "certificates.checkpoint", "certificates.log", "certificates.log_check",
        "certificates.log_mirror", "certificates.log_proof", "certificates.log_store",
        "certificates.log_witness", "certificates.audit_batch", "certificates.growth",
        "certificates.public_keys", "certificates.receipt", "certificates.receipt_store",
        "certificates.timestamp", "certificates.token",
        "incidents.in_force", "orders.cursor", "orders.known", "orders.quarantine", "orders.store",
        "orders.life",
        "fulfillment.ledger", "fulfillment.ready", "fulfillment.slip",
        "incidents.record", "incidents.timeline", "notices.record", "notices.mail",
        "credentials.fingerprints", "credentials.registry", "credentials.reader",
        "monitoring.acting", "monitoring.spool", "monitoring.shipping", "monitoring.calls",
        "monitoring.partitions",
    )),
    ("steps", (
        "orders", "fulfillment", "retention", "certificates", "contracts", "incidents", "notices",
        "credentials", "monitoring", "status",
    )),
    ("bootstrap", ("foundations", "rotating", "parts", "bootstrap")),
    ("command line", ("commands", "cli")),
)  # fmt: skip


def module_of(file: Path) -> str:
    parts = file.relative_to(INCLUDE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(file): file for package in OURS for file in (INCLUDE / package).rglob("*.py")}
TREES = {module: ast.parse(file.read_text()) for module, file in FILES.items()}


def imports(module: str) -> set[str]:
    """List the modules that a module imports, also inside functions; names of ours to the last module."""
    found: set[str] = set()
    package = module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = (
                ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            )
            name = ".".join(each for each in (base, node.module) if each)
            whole = [f"{name}.{alias.name}" for alias in node.names]
            found |= {each if each in FILES else name for each in whole}
    return found


IMPORTS = {module: imports(module) for module in FILES}
LIBRARY = sorted(module for module in FILES if module.split(".")[0] == "custody")


def tier(module: str) -> int:
    """Give the place of a module of the library among the tiers, by its longest name in them."""
    name = module.removeprefix("custody").removeprefix(".")
    found = [
        (len(each), number)
        for number, (_, members) in enumerate(TIERS)
        for each in members
        if name == each or name.startswith(f"{each}.")
    ]
    assert found, f"{module} has no tier"
    return max(found)[1]


def test_there_is_a_library_to_judge() -> None:
    assert len(LIBRARY) > 50
    assert "custody.vault.envelope" in IMPORTS["custody.vault.vault"] | IMPORTS["custody.retention.check"]


@pytest.mark.parametrize("module", [each for each in LIBRARY if FILES[each].name != "__init__.py"])
def test_a_module_imports_only_its_tier_and_those_below(module: str) -> None:
    if "migrations" in module:
        return
    above = {
        each
        for each in IMPORTS[module]
        if each.startswith("custody.") and FILES[each].name != "__init__.py" and tier(each) > tier(module)
    }
    assert above == set()


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {
        module: {each for each in IMPORTS[module] if each in FILES and each != module} for module in FILES
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join((*path, module))
        if module not in done:
            for each in sorted(graph[module]):
                visit(each, (*path, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())
    assert len(done) == len(FILES)


def users_of(*parties: str) -> set[str]:
    """Name the rooms of the library whose modules import a third party."""
    return {
        ".".join(module.split(".")[:2])
        for module in LIBRARY
        for each in IMPORTS[module]
        if any(each == party or each.startswith(f"{party}.") for party in parties)
    }


@pytest.mark.parametrize(
    ("parties", "rooms"),
    [
        (("cryptography",), {"custody.vault", "custody.certificates"}),  # the second: a time stamp's roots
        (
            ("httpx", "httpcore", "requests", "urllib.request", "urllib3", "aiohttp", "http.client"),
            # The second asks a time-stamping authority; the third tells an outside service that we live.
            {"custody.amazon", "custody.certificates", "custody.incidents"},
        ),
        (("rfc3161_client",), {"custody.certificates"}),
        (("boto3", "botocore"), {"custody.vault"}),
        (("tenacity",), {"custody.amazon"}),
        (("smtplib",), {"custody.notices"}),
        (("joserfc",), {"custody.certificates"}),
        (("typst",), {"custody.fulfillment", "custody.certificates"}),
        (("pandas",), {"custody.fulfillment", "custody.monitoring"}),
        (("hyperscan",), {"custody.retention"}),
        (("typer", "rich"), {"custody.cli", "custody.commands"}),
        (("alembic",), {"custody.database"}),
    ],
)
def test_a_third_party_has_one_room(parties: tuple[str, ...], rooms: set[str]) -> None:
    assert users_of(*parties) == rooms


def test_the_library_knows_nothing_of_airflow_the_stand_in_or_the_local_run() -> None:
    assert users_of("airflow", "amazon_simulator", "custody_local", "custody_airflow", "psutil") == set()


def test_the_stand_in_knows_nothing_of_custody() -> None:
    mine = [module for module in FILES if module.startswith("amazon_simulator")]
    assert len(mine) > 20
    assert not [(module, each) for module in mine for each in IMPORTS[module] if each.startswith("custody")]


def test_only_the_local_run_starts_the_stand_in() -> None:
    users = {
        module.split(".")[0]
        for module in FILES
        if any(e.startswith("amazon_simulator") for e in IMPORTS[module])
    }
    assert users <= {"amazon_simulator", "custody_local"}


def test_nothing_is_ever_imported_as_include_custody() -> None:
    root = INCLUDE.parent
    files = [
        each
        for folder in ("include", "dags", "plugins", "tests", "benchmarks")
        for each in (root / folder).rglob("*.py")
    ]
    assert len(files) > 100
    wrong = "include" + ".custody"
    assert [each for each in files if wrong in each.read_text() and each != Path(__file__)] == []


@pytest.mark.parametrize("module", sorted(FILES))
def test_no_module_is_longer_than_300_lines(module: str) -> None:
    assert len(FILES[module].read_text().splitlines()) <= MOST_LINES


def test_every_module_says_what_it_is_for() -> None:
    assert [module for module, tree in TREES.items() if not ast.get_docstring(tree)] == []


def test_the_base_error_is_never_raised() -> None:
    raised = [
        module
        for module in LIBRARY
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Raise) and "CustodyError(" in ast.unparse(node)
    ]
    assert raised == []


RULES = [module for module in LIBRARY if FILES[module].name != "__init__.py" and "migrations" not in module]


@pytest.mark.parametrize("module", [each for each in RULES if tier(each) == 0])
def test_no_rule_reads_the_clock(module: str) -> None:
    text = FILES[module].read_text()
    assert not [each for each in ("datetime.now(", "time.time(", "utcnow(", "date.today(") if each in text]


def test_no_module_reads_the_environment_when_it_is_imported() -> None:
    wrong = []
    for module in LIBRARY:
        inside = {
            id(inner)
            for node in ast.walk(TREES[module])
            if isinstance(node, ast.FunctionDef | ast.Lambda)
            for inner in ast.walk(node)
        }
        wrong += [
            module
            for node in ast.walk(TREES[module])
            if isinstance(node, ast.Attribute)
            and node.attr in {"environ", "getenv"}
            and id(node) not in inside
        ]
    assert wrong == []


def test_names_that_mean_nothing_are_not_used() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "manager", "service", "base", "misc"}
    assert [module for module in FILES if module.rpartition(".")[2] in empty] == []
    assert sys.version_info >= (3, 11)
