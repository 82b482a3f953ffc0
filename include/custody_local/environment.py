"""Make the project's ``.venv`` with any supported Python and nothing else: ``make`` runs this file.

1. The mark of a finished environment is taken away, so that an interrupted run is seen as one.
2. An environment without that mark, or of another Python, is made anew; one that only lags behind is kept.
3. uv comes into it by pip, of the version and with the digests of the lock. Where Python was shipped
   without ensurepip (Debian), the pip beside it does that; without one, pip's locked wheel is fetched
   from the package index that PIP_INDEX_URL names.
4. uv installs the lock with digests checked, takes away what is not in it, and adds the project itself.
5. The mark is set.

It runs before anything is installed, so it imports the standard library only.
"""

import hashlib
import os
import re
import subprocess
import sys
import venv
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import urlopen

SUPPORTED = ((3, 11), (3, 13))  # first and last; pyproject.toml, requires-python
_PATIENCE = 60  # seconds for an answer of the index


def main(repository: Path) -> None:
    """Bring the environment of a checkout up to its lock."""
    if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        sys.exit(f"Python {sys.version.split()[0]} is not supported: make PYTHON=python3.12 (3.11 to 3.13).")
    environment = repository / ".venv"
    lock = repository / "requirements-dev.txt"
    mark = environment / mark_name()
    is_whole = mark.exists() and (environment / "bin" / "uv").exists()
    for each in environment.glob(".ready-*"):  # (1)
        each.unlink()
    if not is_whole:
        _say("Making .venv with Python " + sys.version.split()[0])
        _make(environment, lock)  # (2) (3)
    _say("Installing the locked packages; the first time takes a minute or two")
    _install(repository, environment, lock)  # (4)
    mark.touch()  # (5)


def mark_name() -> str:
    """Name the mark after the Python that runs, so that another minor version does not find it."""
    return f".ready-{sys.version_info.major}.{sys.version_info.minor}"


def locked(lock: str, name: str) -> str:
    """Cut one package, with its digests, out of the text of a lock; exits if it is not there."""
    found = re.search(rf"^{re.escape(name)}==.*(?:\n[ ]+--hash=.*)+", lock, re.MULTILINE)
    if found is None:
        sys.exit(f"requirements-dev.txt does not lock {name}: make lock")
    return found.group() + "\n"


def _make(environment: Path, lock: Path) -> None:
    text = lock.read_text()
    pip = _with_own_pip(environment) or _with_system_pip(environment) or _with_fetched_pip(environment, text)
    only_uv = environment / "uv.txt"
    only_uv.write_text(locked(text, "uv"))
    _run(*pip, "install", "--quiet", "--require-hashes", "--only-binary=:all:", "-r", str(only_uv))


def _with_own_pip(environment: Path) -> list[str]:
    try:
        venv.create(environment, clear=True, with_pip=True)
    except subprocess.CalledProcessError:
        venv.create(environment, clear=True, with_pip=False)
        return []
    return [str(environment / "bin" / "python"), "-m", "pip"]


def _with_system_pip(environment: Path) -> list[str]:
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")]
    return [] if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode else pip


def _with_fetched_pip(environment: Path, lock: str) -> list[str]:
    """Fetch the wheel of pip that the lock names; a wheel of pip can be run as it is."""
    entry = locked(lock, "pip")
    wheel = f"pip-{entry.split()[0].removeprefix('pip==')}-py3-none-any.whl"
    index = os.environ.get("PIP_INDEX_URL")
    if not index:
        sys.exit("This Python has no pip: install python3-venv, or set PIP_INDEX_URL to a package index.")
    page = f"{index.rstrip('/')}/pip/"
    with urlopen(page, timeout=_PATIENCE) as answer:
        links = re.findall(rf'href="([^"#]*{re.escape(wheel)})', answer.read().decode())
    if not links:
        sys.exit(f"{page} has no {wheel}: install python3-venv or python3-pip.")
    with urlopen(urljoin(page, links[0]), timeout=_PATIENCE) as answer:
        content = answer.read()
    if f"sha256:{hashlib.sha256(content).hexdigest()}" not in entry:
        sys.exit(f"{wheel} is not the one that requirements-dev.txt locks; nothing was installed.")
    (environment / wheel).write_bytes(content)
    return [str(environment / "bin" / "python"), str(environment / wheel / "pip")]


def _install(repository: Path, environment: Path, lock: Path) -> None:
    uv = [str(environment / "bin" / "uv"), "pip"]
    python = ["--python", str(environment / "bin" / "python")]
    _run(*uv, "sync", "--quiet", *python, "--require-hashes", "--compile-bytecode", str(lock))
    project = ["--no-deps", "--no-build-isolation", "--editable", str(repository)]
    _run(*uv, "install", "--quiet", *python, *project)


def _run(*command: str) -> None:
    code = subprocess.run(command, check=False).returncode
    if code:
        sys.exit(f"{' '.join(command[:4])} … failed with code {code}; `make` begins again where it is safe.")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    try:
        main(Path(__file__).resolve().parents[2])
    except KeyboardInterrupt:
        sys.exit("Interrupted; `make` begins again where it is safe.")
