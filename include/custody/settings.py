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
from custody.incidents.escalation import Role, names_somebody

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and how long they may take.

    ``database_url`` carries no password; it is read from ``database_password_file``.
    ``root_key``, ``key_ring`` and ``secret_store`` are locations such as ``file:/path``.
    ``residue_surfaces`` are directories that a residue scan searches as well, each as ``name=/path``;
    a variable separates them by ``|``. ``airflow_metadata_url`` and ``postgres_data`` (the data directory of
    the server of ``database_url``) are searched where they are given; a reading role is enough.
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
    # From the request for a contract's end; all has to be gone at 30 days (PR-3). Ours, to leave time to act.
    termination_unanswered: timedelta = timedelta(days=3)
    termination_early_alert: timedelta = timedelta(days=20)
    termination_late_alert: timedelta = timedelta(days=27)
    termination_goes_on: timedelta = timedelta(days=28)  # unanswered: two days are left to purge
    # How long Amazon refuses a seller's grant before it counts as lost: LWA flaps (facts §8.12).
    authorization_debounce: timedelta = timedelta(hours=1)
    # From then on until the purge; ours, so that a lapsed grant can be renewed. DPP §1.7: 30 days at most.
    authorization_lost_kept: timedelta = timedelta(days=7)
    incident_log_kept: timedelta = timedelta(days=395)  # 13 months; IM-5 asks for twelve
    # The rotation of our own credentials: credentials.rotation_due and credentials.rotation say it in words.
    rotation_queue: str | None = None  # the URL of the queue on which Amazon sends new client secrets
    application_region: str = "na"  # na, eu or fe: where the application is registered
    rotation_age: timedelta = timedelta(days=90)  # of the client secret; half of its life
    aws_connection: str | None = None  # Airflow's connection for AWS; without it, as boto3 finds its way
    smtp_url: str | None = None  # smtp://HOST:PORT or smtps://USER@HOST:PORT; the secret is smtp/password
    # Further channels of notices, by connections that Airflow holds: smtp:ID, slack:ID, webhook:ID, sns:ARN.
    notice_channels: tuple[str, ...] = ()
    amazon_security_contact: str = ""  # security@amazon.com where it is left out; with a stand-in nobody
    seller_notice_within: timedelta = timedelta(hours=24)  # "promptly" (IM-2), from confirmation; ours
    notice_head_start: timedelta = timedelta(
        hours=1
    )  # left of a clock when an unanswered notice goes out; ours
    # What is out of the ordinary for a purge, and halts it: retention.fuse.Limits says it in words.
    fuse_orders: int = 50
    fuse_share: float = 0.5
    fuse_factor: float = 2.0
    fuse_history: timedelta = timedelta(weeks=4)
    fuse_purges: int = 8
    residue_surfaces: tuple[str, ...] = ()
    airflow_metadata_url: str | None = None
    airflow_metadata_password_file: Path | None = None
    postgres_data: Path | None = None
    timestamp_authority: str | None = None  # the URL of an RFC 3161 authority, for the log's checkpoints
    timestamp_roots: Path | None = None  # the certificates that it is trusted by, PEM
    incident_contacts: tuple[str, ...] = ()  # role=address,address; other roles: processor_contact
    incident_poll: timedelta = timedelta(seconds=30)  # between two looks at open incidents
    heartbeat_url: str | None = None  # an outside service that misses the watch's beats when they stop
    call_log_kept: timedelta = timedelta(days=396)  # 13 months; DPP 2.6 wants 12 at least
    egress_addresses: tuple[
        str, ...
    ] = ()  # addresses from which calls go out (NP-3); empty: as they were so far
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
        self._name_amazon()
        if self.quota_scale != 1.0 and self.amazon_stand_in is None:
            raise BadInput("quota_scale is for a stand-in only; Amazon's quotas are what they are.")
        if not 0 < self.quota_scale < inf or self.contracts_per_task < 1 or self.calls_at_once < 1:
            raise BadInput("quota_scale, contracts_per_task and calls_at_once must be positive.")
        if not 0 <= self.fuse_share <= 1 or not 1 <= self.fuse_factor < inf:
            raise BadInput("fuse_share is a share from 0 to 1, and fuse_factor is 1 or more; correct them.")
        if self.fuse_orders < 0 or self.fuse_purges < 1:
            raise BadInput("fuse_orders is 0 or more, and fuse_purges 1 or more; correct them.")
        if self.termination_goes_on >= timedelta(days=30):
            raise BadInput("termination_goes_on must be below 30 days, by which all has to be gone (PR-3).")
        if self.authorization_debounce < timedelta(hours=1):
            raise BadInput("authorization_debounce is an hour at least: Amazon's login refuses good grants.")
        if self.authorization_lost_kept > timedelta(days=29):
            raise BadInput("authorization_lost_kept is 29 days at most: all has to be gone at 30 (DPP 1.7).")
        if self.incident_log_kept < timedelta(days=365):
            raise BadInput("incident_log_kept must be 365 days or more, in seconds (IM-5).")
        if (self.timestamp_authority is None) != (self.timestamp_roots is None):
            raise BadInput("timestamp_authority and timestamp_roots go together; give both or none.")
        if not _private_way(self.timestamp_authority):
            raise BadInput("timestamp_authority must be an https:// address; http:// is for loopback only.")
        if not _private_way(self.heartbeat_url):
            raise BadInput("heartbeat_url must be an https:// address; http:// is for loopback only.")
        if self.call_log_kept < timedelta(days=366):
            raise BadInput("call_log_kept must be 366 days or more: logs are kept for 12 months (NP-5).")
        if self.incident_poll <= timedelta(0):
            raise BadInput("incident_poll must be above 0; correct it.")
        if not all(names_somebody(each) for each in self.incident_contacts):
            raise BadInput(f"Each of incident_contacts is ROLE=ADDRESS,...; roles are {', '.join(Role)}.")
        if self.application_region not in {"na", "eu", "fe"}:
            raise BadInput("application_region is na, eu or fe; correct it.")
        if not timedelta(days=1) <= self.rotation_age < timedelta(days=180):
            raise BadInput("rotation_age is from one day to below 180 days, when a client secret ends.")
        if not all("=/" in each for each in self.residue_surfaces):
            raise BadInput("Each of residue_surfaces is name=/absolute/path; correct them.")
        if not all(
            each.partition(":")[0] in _CHANNELS and each.partition(":")[2] for each in self.notice_channels
        ):
            raise BadInput(
                "Each of notice_channels is smtp:ID, slack:ID, webhook:ID or sns:ARN; correct them."
            )
        negative = [name for name in sorted(_DURATIONS) if getattr(self, name) < timedelta(0)]
        if negative:
            raise BadInput(f"Settings {', '.join(negative)} are below zero; give seconds.")

    def _name_amazon(self) -> None:
        """Give Amazon's address for incidents (IM-4); an installation with a stand-in never writes there."""
        if not self.amazon_security_contact:
            chosen = AMAZON_SECURITY if self.amazon_stand_in is None else "amazon-security@example.invalid"
            object.__setattr__(self, "amazon_security_contact", chosen)
        if self.amazon_stand_in is not None and is_amazons(self.amazon_security_contact):
            raise BadInput("amazon_security_contact is not Amazon's with a stand-in; leave it out.")


AMAZON_SECURITY = "security@amazon.com"  # Data Protection Policy 1.6
_CHANNELS = frozenset({"smtp", "slack", "sns", "webhook"})
_DURATIONS = frozenset(each.name for each in fields(Settings) if each.type is timedelta)
_FRACTIONS = frozenset(each.name for each in fields(Settings) if each.type is float)
_COUNTS = frozenset(each.name for each in fields(Settings) if each.type is int)
_LISTS = frozenset(each.name for each in fields(Settings) if each.type == tuple[str, ...])
_PATHS = frozenset(
    {
        "certificates",
        "database_password_file",
        "airflow_metadata_password_file",
        "postgres_data",
        "timestamp_roots",
    }
)


def is_amazons(address: str) -> bool:
    """Tell whether a mail address is one of Amazon's."""
    labels = address.rpartition("@")[2].strip("> .").casefold().split(".")
    return "amazon" in labels[:-1]


def _private_way(address: str | None) -> bool:
    """Tell whether an address is spoken to by TLS, or is on this machine (NP-1)."""
    if address is None or address.startswith("https://"):
        return True
    return address.startswith("http://") and _host(address) in LOOPBACK


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
        if name in _FRACTIONS:
            return float(str(value))
        if name in _COUNTS:
            return int(str(value))
        if name in _LISTS:
            return tuple(str(each) for each in (value if isinstance(value, list) else str(value).split("|")))
    except (ValueError, OverflowError):
        raise BadInput(f"Setting {name} is not a number; give seconds or a count.") from None
    return str(value)
