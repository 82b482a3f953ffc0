"""Every byte that an installation writes is searched for the values of its secrets: none is found."""

import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from custody.bootstrap import House
from custody.credentials.fingerprints import FINGERPRINT_KEY
from custody.credentials.registry import reads
from custody.errors import CredentialRefused, CredentialTaken
from custody.monitoring.records import bring_in
from custody.vault.secret_store import (
    DIGEST_KEY,
    LWA_CLIENT_SECRET,
    SIGNING_KEY,
    refresh_token_of,
)
from custody_local.postgres import PostgresServer

from ..builders import Hands, add_sellers, house_at, stand_in
from .conftest import task

NAMES = (LWA_CLIENT_SECRET, refresh_token_of("seller-0"), refresh_token_of("seller-1"), SIGNING_KEY)
BINARY = (DIGEST_KEY, FINGERPRINT_KEY)


def forms(value: bytes) -> set[bytes]:
    """Give the forms in which a value might have been written."""
    found = {value.strip(), base64.b64encode(value), value.hex().encode()}
    return found | {quote(value).encode()}


def test_no_secret_that_was_used_is_in_any_file_table_or_log(
    database: Any,
    postgres: PostgresServer,
    tmp_path: Path,
    clock: Hands,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    with (
        stand_in(sellers=2) as amazon,
        house_at(tmp_path / "home", database.app_url, clock, amazon) as house,
    ):
        add_sellers(house, amazon)
        del house.client  # the one of production
        with task("ingest_orders"):
            house.pull(["seller-0", "seller-1"])
        _refused(house)
        bring_in(house.engine, house.spool, clock.now)
        house.issuer.publish_log()
        with house.engine.connect() as connection:
            used = {each.credential for each in reads(connection) if each.dag == "ingest_orders"}
        values = [house.secrets._store.read(name) for name in (*NAMES, *BINARY)]
    assert used >= {LWA_CLIENT_SECRET, refresh_token_of("seller-0"), refresh_token_of("seller-1")}
    assert all(len(each) >= 16 for each in values)
    sought = set().union(*map(forms, values))
    written = {str(file): file.read_bytes() for file in sorted(tmp_path.rglob("*")) if file.is_file()} | {
        "logs": caplog.text.encode(),
        "output": "".join(capfd.readouterr()).encode(),
    }
    written |= _tables(postgres, database.name)
    assert len(written) > 20
    assert sum(map(len, written.values())) > 20_000
    assert [
        (where, each[:6]) for where, content in written.items() for each in sought if each in content
    ] == []


def _refused(house: House) -> None:
    """Let readings and writings go wrong, whose messages are written down."""
    with task("purge_orders"), pytest.raises(CredentialRefused):
        house.secrets.read(refresh_token_of("seller-0"))
    with pytest.raises(CredentialTaken):
        house.secrets.write(refresh_token_of("seller-1"), house.secrets.read(refresh_token_of("seller-0")))


def _tables(postgres: PostgresServer, name: str) -> dict[str, bytes]:
    """Give every table as text."""
    found: dict[str, bytes] = {}
    with postgres.connection(name) as connection:
        query = (
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname LIKE 'custody%'"
        )
        for (table,) in connection.execute(query).fetchall():
            content = connection.execute(f"SELECT t::text FROM {table} AS t").fetchall()
            found[table] = "\n".join(row[0] for row in content).encode()
    return found
