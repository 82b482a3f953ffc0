"""Airflow's secrets backends: one that records every reading of those it wraps, and one of our own store.

Airflow makes the backend in each of its processes, before anything else of it works: a module here that could
not be imported would break every one of them. So at the top nothing is imported but what is light and sure,
and the backends that are wrapped are made when they are first read.

Settings, for every component (``[secrets]``) and for tasks and triggers (``[workers]``):

    AIRFLOW__SECRETS__BACKEND=custody_airflow.secrets.AuditedSecretsBackend
    AIRFLOW__SECRETS__BACKEND_KWARGS={"backends": [{"backend": "CLASS", "kwargs": {…}}]}
    AIRFLOW__WORKERS__SECRETS_BACKEND and AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS, the same

What no backend has is looked for by Airflow in the environment and in its database: that is not on record
but as missing here. What is to be on record belongs into a backend.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from airflow.secrets.base_secrets import BaseSecretsBackend

from custody.credentials import access
from custody.credentials.access import Result, Who
from custody.credentials.reader import RECORD, at_work, record_of
from custody.monitoring.spool import RECORDS, Spool

COMPONENT = "airflow secrets"
_PROGRAMS = frozenset(
    {"api-server", "scheduler", "dag-processor", "triggerer", "celery", "tasks", "dags", "db"}
)
_PURPOSES = {
    "connection": "a connection of Airflow",
    "variable": "a variable of Airflow",
    "config": "a setting of Airflow",
}


class AuditedSecretsBackend(BaseSecretsBackend):
    """Gives what the wrapped backends have, the first one first, and writes down who read it.

    A credential of a family of ours is given to the tasks that have business with it, and to nobody else.
    """

    def __init__(
        self,
        backends: Sequence[Mapping[str, Any]] = (),
        records: str | None = None,
        **others: Any,
    ) -> None:
        """Wrap ``backends``, each with its class path and ``kwargs``; ``records`` is where readings go."""
        super().__init__(**others)
        self._wanted = tuple(backends)
        home = Path(os.environ.get("CUSTODY_HOME", ".custody"))
        self._spool = Spool(Path(records) if records else home.absolute() / RECORDS)

    @cached_property
    def _backends(self) -> tuple[Any, ...]:
        return tuple(_made(each) for each in self._wanted)

    @cached_property
    def _fingerprints(self) -> Any:
        """What tells versions apart, where this process can read the installation's key; else None."""
        from custody.credentials.fingerprints import FINGERPRINT_KEY, Fingerprints
        from custody.errors import CustodyError

        with suppress(CustodyError, OSError):
            store = SealedSecretsBackend().store
            if store.exists(FINGERPRINT_KEY):
                return Fingerprints(store)
        return None

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """Give a connection as Airflow writes it; None where no backend has it."""
        return self._read("connection", conn_id, lambda each: each.get_conn_value, team_name)

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        """Give a variable; None where no backend has it."""
        return self._read("variable", key, lambda each: each.get_variable, team_name)

    def get_config(self, key: str) -> str | None:
        """Give a setting of Airflow; None where no backend has it."""
        return self._read("config", key, lambda each: each.get_config, None)

    def _read(
        self, kind: str, key: str, method: Callable[[Any], Callable[..., Any]], team: str | None
    ) -> str | None:
        name = key if access.family(key) in access.READERS else f"{kind}/{key}"
        reader = _reader()
        if name == key and access.objection(name, reader) is not None:
            self._note(kind, name, reader, Result.REFUSED)
            raise _denied(name, reader)
        try:
            value = next(filter(None, (_asked(method(each), key, team) for each in self._backends)), None)
        except Exception:
            self._note(kind, name, reader, Result.FAILED)
            raise
        self._note(kind, name, reader, Result.MISSING if value is None else Result.GIVEN, value)
        return value

    def _note(self, kind: str, name: str, reader: Who, result: Result, value: str | None = None) -> None:
        version = self._fingerprints.version_of(value.encode()) if value and self._fingerprints else ""
        purpose = access.purpose_of(name) or _PURPOSES[kind]
        now = datetime.now(UTC)
        record = record_of(name, reader, result, purpose, version, at=now, component=COMPONENT)
        self._spool.append(RECORD, record)


class SealedSecretsBackend(BaseSecretsBackend):
    """Connections and variables out of Custody's own store, sealed under its root key; for one machine.

    ``custody credential set connection/smtp-default`` stores the one that Airflow calls ``smtp_default``:
    an ``_`` is a ``-`` in the store, and letters are small. What the library reads itself is not given.
    """

    @cached_property
    def store(self) -> Any:
        """The installation's store of secrets."""
        from custody.settings import Settings
        from custody.vault.aws import plain
        from custody.vault.locations import root_key_at, secret_store_at

        settings = Settings.load()
        return secret_store_at(settings.secret_store, root_key_at(settings.root_key, plain), plain)

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """Give a connection, as a URI or as JSON; None where there is none."""
        return self._read("connection", conn_id)

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        """Give a variable; None where there is none."""
        return self._read("variable", key)

    def _read(self, kind: str, key: str) -> str | None:
        from custody.errors import BadInput, KeyUnavailable

        with suppress(BadInput):  # a key that can be no name of a secret is not here
            name = f"{kind}/{key.lower().replace('_', '-')}"
            if self.store.exists(name):
                with suppress(KeyUnavailable):
                    return str(self.store.read(name).decode())
        return None


def _made(wanted: Mapping[str, Any]) -> Any:
    """Make a backend of its class path, as Airflow would."""
    module, _, name = str(wanted["backend"]).rpartition(".")
    return getattr(import_module(module), name)(**wanted.get("kwargs", {}))


def _asked(read: Callable[..., Any], key: str, team: str | None) -> Any:
    """Ask a backend; those of before teams take no name of one."""
    return read(key) if team is None else read(key, team_name=team)


def _reader() -> Who:
    """Give who reads: a task, a person, or the component of Airflow that this process is."""
    reader = at_work()
    if reader.actor != access.UNKNOWN:
        return reader
    words = [each for each in sys.argv[1:3] if each in _PROGRAMS]
    return access.who(f"{access.AIRFLOW}{words[0] if words else 'a process of its own'}", COMPONENT)


def _denied(name: str, reader: Who) -> Exception:
    """Make the error by which Airflow asks no further backend."""
    from airflow.sdk.exceptions import AirflowSecretsBackendAccessDenied

    return AirflowSecretsBackendAccessDenied(f"{name} is not given to {reader.actor}; it is on record.")
