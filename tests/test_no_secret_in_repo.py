"""No secret stands in a file of this repository (policy CM-2), as far as detect-secrets can tell."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.txt", "requirements-dev.txt")  # digests of packages, a thousand each
PLUGINS = (
    "AWSKeyDetector",
    "Base64HighEntropyString",
    "BasicAuthDetector",
    "GitHubTokenDetector",
    "HexHighEntropyString",
    "JwtTokenDetector",
    "KeywordDetector",
    "PrivateKeyDetector",
    "SlackDetector",
)
LIMITS = {"Base64HighEntropyString": 4.5, "HexHighEntropyString": 3.0}  # the tool's own
OURS = re.compile(
    r"Atz[ra]\|[\w+/=-]{40,}|amzn1\.oa2-cs\.v1\.[0-9a-f]{32,}"
)  # of Login with Amazon, facts §2

# What looks like one and is none: where, what it is taken for, and why it is none.
HARMLESS = (
    ("tests/", "Secret Keyword", "invented values, which tests look for where they must not be"),
    ("tests/", "Basic Auth Credentials", "invented values"),
    ("tests/", "Hex High Entropy String", "digests that a test compares with"),
    ("tests/", "Base64 High Entropy String", "samples of signatures and tokens, invented"),
    ("tests/incidents/test_plain_words.py", "AWS Access Key", "Amazon's own example, to be recognized"),
    ("tests/incidents/test_plain_words.py", "Private Key", "a first line alone, to be recognized"),
    ("include/custody/", "Secret Keyword", "names of secrets and of settings, not values"),
    ("include/custody/retention/residue/anchors.py", "Hex High Entropy String", "an alphabet"),
    ("include/custody/retention/residue/anchors.py", "Base64 High Entropy String", "an alphabet"),
    ("include/amazon_simulator/", "Secret Keyword", "names, and messages of Amazon's"),
    ("include/amazon_simulator/", "Base64 High Entropy String", "alphabets that ids are drawn from"),
    ("docker-compose.yaml", "Secret Keyword", "where a secret is mounted, not the secret"),
    ("docs/operating.md", "Secret Keyword", "locations, and the names of secrets in commands"),
    ("deploy/make-secrets", "Basic Auth Credentials", "the form of an address, its password a variable"),
)


def files() -> Iterator[Path]:
    """Give what is, or would be, in the repository."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, listed):
        file = ROOT / name
        if file.is_file() and name not in LOCKS:
            yield file


@pytest.fixture(scope="module", autouse=True)
def detectors() -> Iterator[None]:
    """Set the detectors up once: it costs more than a file."""
    plugins = [
        {"name": name, "limit": LIMITS[name]} if name in LIMITS else {"name": name} for name in PLUGINS
    ]
    with transient_settings({"plugins_used": plugins, "filters_used": []}):
        yield


def found_in(file: Path) -> list[tuple[str, int]]:
    """Give what looks like a secret: its kind and its line."""
    return [(each.type, each.line_number) for each in scan_file(str(file))]


def is_harmless(name: str, kind: str) -> bool:
    return any(name.startswith(where) and kind == what for where, what, _ in HARMLESS)


def test_no_file_of_the_repository_holds_a_secret() -> None:
    looked, suspects = 0, []
    for file in files():
        looked += 1
        name = file.relative_to(ROOT).as_posix()
        suspects += [(name, *each) for each in found_in(file) if not is_harmless(name, each[0])]
        text = file.read_bytes().decode(errors="replace")
        suspects += [(name, "a token of Login with Amazon", found.start()) for found in OURS.finditer(text)]
    assert looked > 500
    assert suspects == [], "Remove it and rotate it; if it is none, say why in HARMLESS."


@pytest.mark.parametrize(
    "planted",
    [
        'password = "hunter2-canary-hunter2"',
        "AWS_KEY = AKIA" + "Q3EXAMPLEKEY7PL2",
        "postgresql://custody_app:" + "s3cr3t-canary@db/custody",
        "-----BEGIN " + "PRIVATE KEY-----",
        "xoxb-" + "123456789012-123456789012-abcdefghijklmnopqrstuvwx",
        'key = "' + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" + '"',
    ],
)
def test_a_planted_secret_is_found(tmp_path: Path, planted: str) -> None:
    file = tmp_path / "settings.py"
    file.write_text(f"{planted}\n")
    assert found_in(file)


@pytest.mark.parametrize("planted", ["Atzr|" + "IwEBIJ" * 9, "amzn1.oa2-cs.v1." + "0123456789abcdef" * 4])
def test_a_planted_token_of_amazon_is_found(planted: str) -> None:
    assert OURS.search(f'token = "{planted}"')


def test_what_is_harmless_in_one_place_is_not_in_another() -> None:
    assert not is_harmless("dags/ingest_orders.py", "Secret Keyword")
    assert not is_harmless("include/custody/parts.py", "AWS Access Key")
