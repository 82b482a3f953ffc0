"""What a run has come to, told in a way that two runs with other keys, salts and ids can be compared by."""

import csv
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, select

from amazon_simulator.book import Parcel
from amazon_simulator.world import World
from custody.bootstrap import House
from custody.certificates.signing import read_keys
from custody.certificates.verify import verify
from custody.database.tables import (
    artifacts,
    certificates,
    contracts,
    disclosures,
    ingest_cursors,
    order_keys,
    orders,
    pick_lists,
    purge_orders,
    purge_probes,
    purges,
    quarantine,
    shipments,
    task_states,
    tombstones,
)
from custody.orders.records import ContractId, OrderRef
from custody.retention.count import count_due
from custody.vault import envelope
from custody.vault.envelope import RECIPIENT, Wrapper
from custody.vault.files import path_of
from custody.vault.secret_store import DIGEST_KEY, LWA_CLIENT_ID, LWA_CLIENT_SECRET, refresh_token_of
from custody.vault.vault import SHIPMENT, SLIP
from tests.faults.steps import SELLERS

Outcome = dict[str, Any]


def read_outcome(house: House, world: World, now: datetime) -> Outcome:
    """Read all that a run has to agree on with an undisturbed one; what is sealed is opened and digested."""
    with house.engine.connect() as connection:
        opened = _Opened(house, connection)
        found: Outcome = {
            "contracts": _rows(connection, contracts),
            "cursors": _rows(connection, ingest_cursors, "pagination_token", "token_at"),
            "orders": _rows(connection, orders, "sealed"),
            "task states": _rows(connection, task_states, "attempts"),
            "shipments": _rows(connection, shipments, "sealed"),
            "artifacts": _rows(connection, artifacts, "sealed"),
            "pick lists": _rows(connection, pick_lists, "pick_list_id"),
            "quarantine": _rows(connection, quarantine, "attempts"),
            "tombstones": _rows(connection, tombstones, "purge_id"),
            "disclosed": sorted({row[1:] for row in read_disclosures(connection)}),
            "purges": _purges(connection),
            "probes left": len(_rows(connection, purge_probes)),
            "due": count_due(connection, now),
            "sealed": opened.everything(connection),
            "keys": opened.keys,
            "leftovers of keys": _leftovers(house, connection),
            "certificates": _certificates(house, connection),
        }
    found["secrets"] = _secrets(house)
    found["parcels at Amazon"] = _parcels(world)
    return found


def read_disclosures(connection: Connection) -> set[tuple[Any, ...]]:
    """Give all that was ever disclosed, each with its number first."""
    table = disclosures.c
    query = select(table.disclosure_id, table.order_ref, table.purpose, table.fields)
    return {(row[0], row[1], row[2], tuple(row[3])) for row in connection.execute(query)}


def differences(found: Outcome, wanted: Outcome) -> list[str]:
    """Name the parts in which two outcomes differ, and how much; never a value."""
    return [f"{part}: {_extent(found[part], wanted[part])}" for part in wanted if found[part] != wanted[part]]


def _extent(found: object, wanted: object) -> str:
    if isinstance(found, list) and isinstance(wanted, list):
        mine, its = Counter(map(repr, found)), Counter(map(repr, wanted))
        return f"{(mine - its).total()} too many, {(its - mine).total()} missing"
    return "not the same"


class _Opened:
    """Opens what is sealed by the keys in the ring, without the vault's record of disclosures."""

    def __init__(self, house: House, connection: Connection) -> None:
        query = select(contracts.c.contract_id, contracts.c.key_version)
        in_use = dict(connection.execute(query).tuples().all())
        ring = house.key_ring
        self._wrappers = {
            (each, version): Wrapper(ContractId(each), version, ring.read(ContractId(each), version))
            for each in in_use
            for version in ring.versions(ContractId(each))
        }
        self.keys = sorted((each, version, in_use[each] == version) for each, version in self._wrappers)
        self._order_keys: dict[str, bytes] = {}

    def everything(self, connection: Connection) -> list[tuple[str, str, str]]:
        """Digest each sealed record of each order; whatever does not open raises."""
        for row in connection.execute(select(order_keys)):
            wrapper = self._wrappers[row.contract_id, row.key_version]
            self._order_keys[row.order_ref] = wrapper.unwrap(OrderRef(row.order_ref), row.wrapped)
        found = [(ref, "key", "opens") for ref in self._order_keys]
        found += self._digests(connection, orders, lambda row: RECIPIENT)
        found += self._digests(connection, artifacts, lambda row: SLIP)
        found += self._digests(connection, shipments, lambda row: f"{SHIPMENT}/{row.package_reference_id}")
        return sorted(found)

    def _digests(self, connection: Connection, table: Table, kind_of: Any) -> list[tuple[str, str, str]]:
        found = []
        for row in connection.execute(select(table).where(table.c.sealed.is_not(None))):
            kind, key = kind_of(row), self._order_keys[row.order_ref]
            plain = envelope.unseal(key, row.contract_id, OrderRef(row.order_ref), kind, row.sealed)
            found.append((row.order_ref, kind, sha256(plain).hexdigest()))
        return found


def _leftovers(house: House, connection: Connection) -> list[str]:
    """List the files in the key ring, drafts included, that are of a version no longer in use."""
    query = select(contracts.c.contract_id, contracts.c.key_version)
    in_use = dict(connection.execute(query).tuples().all())
    files = [file for file in path_of(house.settings.key_ring).glob("*/*") if file.is_file()]
    if not files:
        raise AssertionError("The key ring is empty or elsewhere.")
    return [file.name for file in files if f"{in_use[file.parent.name]}.key" not in file.name]


def _rows(connection: Connection, table: Table, *left_out: str) -> list[str]:
    columns = [column for column in table.columns if column.name not in left_out]
    return sorted(repr(tuple(row)) for row in connection.execute(select(*columns)))


def _purges(connection: Connection) -> list[tuple[Any, ...]]:
    """Give each purge's state, how often it was certified, and its orders."""
    certified = Counter(connection.execute(select(certificates.c.certificate_id)).scalars())
    found = []
    for row in connection.execute(select(purges.c.purge_id, purges.c.contract_id, purges.c.state)):
        of_purge = purge_orders.c.purge_id == row.purge_id
        refs = sorted(connection.execute(select(purge_orders.c.order_ref).where(of_purge)).scalars())
        buried = select(tombstones.c.order_ref).where(tombstones.c.purge_id == row.purge_id)
        same = refs == sorted(connection.execute(buried).scalars())
        found.append((row.contract_id, row.state, certified.pop(row.purge_id, 0), same, refs))
    return [*sorted(found), *certified]


def _certificates(house: House, connection: Connection) -> list[tuple[str, str]]:
    """Judge each certificate as anyone would, by its file; give what it says but for its ids and salts."""
    directory = house.settings.certificates
    stored = dict(
        connection.execute(select(certificates.c.certificate_id, certificates.c.document)).tuples().all()
    )
    files = {file.stem: file.read_bytes() for file in directory.glob("*.json") if file.name != "jwks.json"}
    found = []
    for name in stored.keys() | files.keys():
        if name not in stored or name not in files or _jws(files[name]) != _jws(stored[name]):
            found.append(("not the stored one, or not there", ""))
            continue
        verdict = verify(files[name], read_keys((directory / "jwks.json").read_bytes()))
        if verdict.certificate is None:
            found.append((f"not valid: {verdict.problem}", ""))
            continue
        said = msgspec.to_builtins(verdict.certificate)
        said["what"].pop("merkle_root")
        scan = said["verification"].pop("residue_scan")  # its bytes are those of logs and files at the time
        said["scan"] = (scan["performed"], scan["hits"], scan["values"], scan["self_tested"])
        found.append(("valid", repr({**said, "certificate_id": ""})))
    return sorted(found)


def _jws(document: str | bytes) -> str:
    return str(msgspec.json.decode(document)["jws"])


def _secrets(house: House) -> list[str]:
    with (house.settings.home / SELLERS).open() as stream:
        sellers = [f"{row['seller_id']}-{row['region']}".lower() for row in csv.DictReader(stream)]
    names = [LWA_CLIENT_ID, LWA_CLIENT_SECRET, *map(refresh_token_of, sellers)]
    given = [sha256(house.secrets.read(name)).hexdigest() for name in names]
    return [*given, str(len(house.secrets.read(DIGEST_KEY)))]


def _parcels(world: World) -> dict[str, list[Any]]:
    """Give each seller's confirmed orders with all of their parcels."""

    def shown(parcels: Iterable[Parcel]) -> list[Any]:
        return sorted((each.reference, each.tracking, sorted(each.items.items())) for each in parcels)

    return {
        book.seller.seller_id: sorted(
            (index, shown(touched.parcels.values())) for index, touched in book.touched.items()
        )
        for book in world.books
    }
