"""The breaches that a drill injects, each in a contract that belongs to it alone, and taking them away.

Rules:
- nothing of a real contract is touched: a drill's contract, order and buyer are invented, and its contract is
  never active to anybody else, so no schedule pulls, works or purges it;
- a folder is made for it first: by that, whatever a killed drill has left is found and taken away.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from os import urandom
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    create_engine,
    delete,
    insert,
    select,
    text,
    update,
)

from custody.contracts import registry
from custody.contracts.contract import Contract, ContractState, TaskName
from custody.database.call_tables import outbound_calls
from custody.database.tables import (
    contracts,
    ingest_cursors,
    metadata,
    purge_orders,
    purge_probes,
    purge_reductions,
    purges,
)
from custody.errors import BadInput
from custody.incidents.record import DRILL
from custody.orders.minimize import MinimizedPage
from custody.orders.records import ContractId, Item, MinimizedOrder, OrderFacts, OrderId, Recipient
from custody.orders.store import take_in
from custody.settings import Settings
from custody.vault.key_ring import KeyRing
from custody.vault.vault import Vault

ACTOR = "drill"
ELSEWHERE = "203.0.113.66"  # RFC 5737: an address that nobody has
CALLS = 60  # of a thief in a few minutes: well above what any rule on volume lets pass
_UNITED_KINGDOM = "A1F83G8C2ARO7P"
_NAMED = re.compile(rf"{DRILL}[0-9a-f]{{8}}")
_CLEARED = ("orders", "order_keys", "task_states", "artifacts", "shipments", "pick_lists", "quarantine")
_SWALLOW = """
CREATE OR REPLACE FUNCTION custody.drill_swallows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER drill_swallows BEFORE DELETE ON custody.orders
FOR EACH ROW WHEN (OLD.contract_id LIKE 'drill-%') EXECUTE FUNCTION custody.drill_swallows();
"""
_SPIT_OUT = """
DROP TRIGGER IF EXISTS drill_swallows ON custody.orders;
DROP FUNCTION IF EXISTS custody.drill_swallows();
"""
# What the application may not remove, and what would be counted, or found odd again, after the drill.
_FORGET = """
DELETE FROM custody.outbound_calls WHERE contract_id LIKE 'drill-%';
DELETE FROM custody.tombstones WHERE contract_id LIKE 'drill-%';
"""


class Breach(StrEnum):
    """What is injected."""

    STOLEN_TOKEN = "stolen_token"  # calls with a seller's token, from elsewhere and by nobody of ours
    IDLE_PURGE = "idle_purge"  # a purge whose deletions do nothing
    LEAKED_CANARY = "leaked_canary"  # an invented buyer's name and street in a log


class Ground(Protocol):
    """What an injection works on; a house is one."""

    @property
    def engine(self) -> Engine: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def key_ring(self) -> KeyRing: ...


def require_local(settings: Settings) -> None:
    """Raise BadInput where an installation could be a real one: a drill is for a local stand only."""
    host = re.search(r"@([^:/]+)", settings.database_url)
    if settings.amazon_stand_in is None or host is None or host[1] not in {"127.0.0.1", "localhost"}:
        raise BadInput(
            "A drill injects a breach, and is for a local stand only: amazon_stand_in has to be set, and the "
            "database on this machine. Nothing was injected."
        )


def folder_of(settings: Settings, contract_id: str) -> Path:
    """Say where a drill keeps what is its own, and by which it is found again."""
    return settings.home / "drill" / contract_id


def new_contract(ground: Ground, now: datetime) -> Contract:
    """Make a drill's contract with one cancelled order, which is due at once, of an invented buyer."""
    contract = Contract(
        ContractId(f"{DRILL}{urandom(4).hex()}"),
        "ADRILL",
        "Drill, an invented seller",
        "eu",
        frozenset({_UNITED_KINGDOM}),
        frozenset({TaskName.PACKING_SLIP}),
        ContractState.ACTIVE,
        now,
    )
    folder_of(ground.settings, contract.contract_id).mkdir(mode=0o700, parents=True)
    with ground.engine.begin() as connection:
        registry.add(connection, ground.key_ring, contract, first_pull_from=now, actor=ACTOR)
        order = MinimizedOrder(_facts(now), buyer_of(contract.contract_id))
        take_in(connection, ground.vault, contract, MinimizedPage((order,)), now)
        ended = {"state": ContractState.TERMINATED, "ended_at": now}
        connection.execute(update(contracts).where(_mine(contract.contract_id)).values(**ended))
    return contract


def buyer_of(contract_id: str) -> Recipient:
    """Invent a buyer whose values occur nowhere else."""
    sign = contract_id.removeprefix(DRILL)
    return Recipient(
        name=f"Drillane Canaryworth {sign}",
        address_line_1=f"{sign} Drillcanary Crescent",
        city=f"Canarymoor {sign}",
        postal_code=f"DR1 {sign[:3].upper()}",
        country_code="GB",
    )


def swallow_deletions(owner: URL) -> None:
    """Let the database pass over every deletion of a drill's orders, as a broken purge would."""
    _as_owner(owner, _SPIT_OUT + _SWALLOW)


def leak(settings: Settings, contract_id: str) -> Path:
    """Write the invented buyer into a log where a residue scan looks, and give the file."""
    directory = next(_searched(settings))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = directory / f"custody-{contract_id}.log"
    buyer = buyer_of(contract_id)
    file.write_text(f"INFO delivering to {buyer.name}, {buyer.address_line_1}, {buyer.city}\n")
    return file


def use_from_elsewhere(connection: Connection, settings: Settings, contract_id: str, now: datetime) -> None:
    """Write down the calls of a thief: a seller's token, another machine, personal data sets, in minutes."""
    pace, amazon = timedelta(minutes=5) / CALLS, urlsplit(settings.amazon_stand_in or "").hostname
    rows = [
        {
            "call_id": uuid4(),
            "at": now - pace * (CALLS - number),
            "actor": f"a stranger, {contract_id}",  # its own, so that its finding hides no real one
            "component": "",
            "service": "sp-api",
            "contract_id": contract_id,
            "operation": "GET /orders/2026-01-01/orders",
            "host": amazon,
            "origin": ELSEWHERE,
            "machine": f"elsewhere-{contract_id}",
            "tls": "TLSv1.3",
            "status": 200,
            "duration_ms": 180.0,
            "bytes_out": 600,
            "bytes_in": 48_000,
            "retry": 0,
            "repeats": 0,
            "pii": True,
        }
        for number in range(CALLS)
    ]
    connection.execute(insert(outbound_calls), rows)


def take_away(ground: Ground, owner: URL) -> tuple[str, ...]:
    """Remove all that drills have injected, and name their contracts; what they did is on record."""
    with ground.engine.connect() as connection:
        known = select(contracts.c.contract_id).where(contracts.c.contract_id.startswith(DRILL))
        found = set(connection.execute(known).scalars())
    found |= {each.name for each in (ground.settings.home / "drill").glob(f"{DRILL}*")}
    mine = sorted(each for each in found if _NAMED.fullmatch(each))
    if mine:
        _as_owner(owner, _SPIT_OUT + _FORGET)
    for contract_id in mine:
        _clear(ground, ContractId(contract_id))
    return tuple(mine)


def _clear(ground: Ground, contract_id: ContractId) -> None:
    for directory in _searched(ground.settings):
        (directory / f"custody-{contract_id}.log").unlink(missing_ok=True)
    for note in (ground.settings.home / "journal" / "rows").glob(f"*.{contract_id}.note"):
        note.unlink()  # before its row: a note without one looks like a restored database
    with ground.engine.begin() as connection:
        mine = select(purges.c.purge_id).where(purges.c.contract_id == contract_id)
        for table in (purge_orders, purge_probes, purge_reductions):
            connection.execute(delete(table).where(table.c.purge_id.in_(mine)))
        for name in _CLEARED:
            table = metadata.tables[f"custody.{name}"]
            connection.execute(delete(table).where(table.c.contract_id == contract_id))
        for table in (purges, ingest_cursors, contracts):
            connection.execute(delete(table).where(table.c.contract_id == contract_id))
    for version in ground.key_ring.versions(contract_id):
        ground.key_ring.destroy(contract_id, version)
    _remove(folder_of(ground.settings, contract_id))


def _searched(settings: Settings) -> Iterator[Path]:
    """Give directories that a residue scan searches, as an installation's logs are; one there always is."""
    yield from (Path(each.partition("=")[2]) for each in settings.residue_surfaces)
    yield settings.home / "notices"


def _mine(contract_id: str) -> ColumnElement[bool]:
    return contracts.c.contract_id == contract_id


def _remove(folder: Path) -> None:
    if folder.is_dir():
        for each in sorted(folder.rglob("*"), reverse=True):
            each.rmdir() if each.is_dir() else each.unlink()
        folder.rmdir()


def _facts(now: datetime) -> OrderFacts:
    number = int.from_bytes(urandom(5)) % 10**10
    return OrderFacts(
        OrderId(f"999-{number // 10**3:07}-{number % 10**7:07}"),
        _UNITED_KINGDOM,
        "CANCELLED",
        "MERCHANT",
        (),
        now - timedelta(days=1),
        now,
        None,
        (Item("1", "DRILL", "Nothing, for a drill", 1),),
        (),
    )


def _as_owner(owner: URL, statements: str) -> None:
    engine = create_engine(owner, hide_parameters=True)
    try:
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))  # nobody waits long behind a drill
            connection.execute(text(statements))
    finally:
        engine.dispose()
