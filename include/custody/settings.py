"""One frozen description of an installation, built once and checked when built.

Values come from ``CUSTODY_…`` variables, or from ``settings.toml`` in ``CUSTODY_HOME``;
the variable wins. Secrets are given as locations, never as values.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from math import inf
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from custody.errors import BadInput

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and how long they may take.

    ``database_url`` carries no password; it is read from ``database_password_file``.
    ``root_key``, ``key_ring`` and ``secret_store`` are locations such as ``file:/path``.
    ``amazon_stand_in`` (``http://127.0.0.1:PORT``) replaces Amazon's hosts, on loopback only.
    """

    home: Path
    database_url: str = "postgresql+psycopg://custody_app@127.0.0.1:5432/custody"
    database_password_file: Path | None = None
    root_key: str = ""
    key_ring: str = ""
    secret_store: str = ""
    certificates: Path = field(default=Path())
    amazon_stand_in: str | None = None
    quota_scale: float = 1.0
    processor: str = "Custody demo installation"
    processor_contact: str = "privacy@example.invalid"
    first_pull_reach: timedelta = timedelta(days=30)
    window_overlap: timedelta = timedelta(minutes=5)  # late and repeated updates: facts §8.8
    connect_timeout: timedelta = timedelta(seconds=5)
    read_timeout: timedelta = timedelta(seconds=30)
    longest_quota_wait: timedelta = timedelta(minutes=2)
    confirm_again_after: timedelta = timedelta(hours=1)  # accepted, yet nothing changed: facts §8.11
    completed_grace: timedelta = timedelta(0)  # design §4, "task complete"
    contracts_per_task: int = 25
    calls_at_once: int = 8

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Build the settings of this process; raises BadInput naming the wrong value."""
        variables = os.environ if environment is None else environment
        home = Path(variables.get("CUSTODY_HOME", ".custody")).absolute()
        file = home / "settings.toml"
        try:
            given: dict[str, object] = dict(tomllib.loads(file.read_text())) if file.exists() else {}
        except (OSError, ValueError):  # the decoder's errors are ValueErrors, and would quote the file
            raise BadInput(f"{file} is no TOML that can be read; correct it.") from None
        unknown = given.keys() - {each.name for each in fields(cls)}
        if unknown:
            raise BadInput(f"{file}: unknown settings {sorted(unknown)}; remove them.")
        for each in fields(cls):
            value = variables.get(f"CUSTODY_{each.name.upper()}")
            if value is not None:
                given[each.name] = value
        typed: dict[str, Any] = {name: _typed(name, value) for name, value in given.items()}
        return cls(**{**typed, "home": home})

    def __post_init__(self) -> None:
        defaults: dict[str, object] = {
            "root_key": f"file:{self.home}/keys/root",
            "key_ring": f"file:{self.home}/keys/ring",
            "secret_store": f"file:{self.home}/keys/secrets",
        }
        for name, value in defaults.items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)
        if self.certificates == Path():
            object.__setattr__(self, "certificates", self.home / "certificates")
        if self.amazon_stand_in is not None and _host(self.amazon_stand_in) not in LOOPBACK:
            raise BadInput("amazon_stand_in must be on loopback; for Amazon itself leave it out.")
        if self.quota_scale != 1.0 and self.amazon_stand_in is None:
            raise BadInput("quota_scale is for a stand-in only; Amazon's quotas are what they are.")
        if not 0 < self.quota_scale < inf or self.contracts_per_task < 1 or self.calls_at_once < 1:
            raise BadInput("quota_scale, contracts_per_task and calls_at_once must be positive.")
        negative = [name for name in sorted(_DURATIONS) if getattr(self, name) < timedelta(0)]
        if negative:
            raise BadInput(f"Settings {', '.join(negative)} are below zero; give seconds.")


_DURATIONS = frozenset(each.name for each in fields(Settings) if each.type is timedelta)
_PATHS = frozenset({"certificates", "database_password_file"})


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _typed(name: str, value: object) -> object:
    try:
        if name in _DURATIONS:
            return timedelta(seconds=float(str(value)))
        if name in _PATHS:
            return Path(str(value))
        if name == "quota_scale":
            return float(str(value))
        if name in {"contracts_per_task", "calls_at_once"}:
            return int(str(value))
    except (ValueError, OverflowError):
        raise BadInput(f"Setting {name} is not a number; give seconds or a count.") from None
    return str(value)
