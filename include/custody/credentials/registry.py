"""What credentials there are, and whose each is; values are known by their fingerprints only.

Rules:
- a value of a seller or of the application has one owner for ever: a contract, or the application itself;
- the same value for the same owner is harmless, under whatever name;
- each new value under a name is a version; the one before is replaced, and kept on record.
"""

from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from custody.credentials import access
from custody.database.credential_tables import credential_owners, credential_reads, credentials
from custody.database.tables import contracts
from custody.errors import CredentialTaken

APPLICATION = "lwa"  # the owner of what is ours with Login with Amazon
ACTIVE, REPLACED, DESTROYED = "active", "replaced", "destroyed"
_KINDS = {"refresh-token": "refresh_token", "suspended": "refresh_token", "lwa": "client_secret"}
_INSTALLATION = ("signing-key", "receipt-key", "log-key", "digest-key", "fingerprint-key")


class Credential(msgspec.Struct, frozen=True):
    """One version of a credential, without its value."""

    name: str
    version: int
    kind: str
    contract_id: str | None
    seller_id: str | None
    fingerprint: str
    stored_at: datetime
    stored_by: str
    state: str


class Entry(NamedTuple):
    """The version that a value was entered as; ``is_new``: it never stood under that name before."""

    version: int
    is_new: bool


def kind_of(name: str) -> str:
    """Say what kind of credential a name stands for."""
    if name == "lwa/client-id":
        return "client_id"
    if access.family(name) in _INSTALLATION:
        return "installation_key"
    return _KINDS.get(access.family(name), "other")


def owner_of(name: str) -> str | None:
    """Give who alone may have the value under a name; None where values may be alike."""
    if access.family(name) == APPLICATION:
        return APPLICATION
    return access.contract_of(name)


def claim(connection: Connection, name: str, fingerprint: str, now: datetime) -> None:
    """Write down whose a value is, in the caller's transaction.

    Raises CredentialTaken when it is another's. Of two that claim it at once, the second waits for the first.
    """
    owner = owner_of(name)
    if owner is None:
        return
    row = {"fingerprint": fingerprint, "owner": owner, "kind": kind_of(name), "since": now}
    connection.execute(insert(credential_owners).values(row).on_conflict_do_nothing())
    table = credential_owners.c
    found = connection.execute(select(table.owner, table.kind).where(table.fingerprint == fingerprint)).one()
    if found.owner != owner:
        raise CredentialTaken(
            f"{name} was not stored: that value is {_whose(found.owner, found.kind)} already. "
            "Each seller has a credential of its own; give the one of this seller."
        )


def enter(connection: Connection, name: str, fingerprint: str, *, actor: str, now: datetime) -> Entry | None:
    """Enter a value under its name, in the caller's transaction.

    None when the value in use is entered again. Raises CredentialTaken as ``claim`` does.
    """
    claim(connection, name, fingerprint, now)
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"credential|{name}", 0))))
    before = versions(connection, name)
    last = before[0] if before else None
    if last is not None and last.state == ACTIVE and last.fingerprint == fingerprint:
        return None
    _end(connection, name, REPLACED)
    version = last.version + 1 if last is not None else 1
    contract_id = access.contract_of(name)
    seller = select(contracts.c.seller_id).where(contracts.c.contract_id == contract_id)
    entered = Credential(
        name,
        version,
        kind_of(name),
        contract_id,
        connection.execute(seller).scalar() if contract_id else None,
        fingerprint,
        stored_at=now,
        stored_by=actor,
        state=ACTIVE,
    )
    connection.execute(insert(credentials).values(msgspec.structs.asdict(entered)))
    return Entry(version, fingerprint not in {each.fingerprint for each in before})


def destroyed(connection: Connection, name: str) -> None:
    """Write down that a credential is gone."""
    _end(connection, name, DESTROYED)


def every(connection: Connection, *, contract_id: str | None = None) -> tuple[Credential, ...]:
    """Give the newest version of each credential, by name; of one contract, if given."""
    table = credentials.c
    others = [each for each in table if each is not table.seller_id]
    seller = func.coalesce(table.seller_id, contracts.c.seller_id).label("seller_id")  # stored before it was
    joined = credentials.outerjoin(contracts, contracts.c.contract_id == table.contract_id)
    query = select(*others, seller).select_from(joined).distinct(table.name)
    if contract_id is not None:
        query = query.where(table.contract_id == contract_id)
    query = query.order_by(table.name, table.version.desc())
    return tuple(Credential(**row) for row in connection.execute(query).mappings())


def versions(connection: Connection, name: str) -> tuple[Credential, ...]:
    """Give all versions of a credential, the newest first."""
    query = select(credentials).where(credentials.c.name == name).order_by(credentials.c.version.desc())
    return tuple(Credential(**row) for row in connection.execute(query).mappings())


def reads(
    connection: Connection,
    *,
    name: str | None = None,
    contract_id: str | None = None,
    since: datetime | None = None,
    most: int = 100,
) -> tuple[access.AccessRecord, ...]:
    """Give who read what, the latest first."""
    table = credential_reads.c
    query = select(*(table[each] for each in access.AccessRecord.__struct_fields__))
    for condition in (
        table.credential == name if name is not None else None,
        table.contract_id == contract_id if contract_id is not None else None,
        table.at >= since if since is not None else None,
    ):
        if condition is not None:
            query = query.where(condition)
    rows = connection.execute(query.order_by(table.at.desc(), table.read_id).limit(most)).mappings()
    return tuple(access.AccessRecord(**row) for row in rows)


def last_reads(connection: Connection) -> dict[str, datetime]:
    """Give when each credential was given last."""
    table = credential_reads.c
    given = table.result == access.Result.GIVEN
    query = select(table.credential, func.max(table.at)).where(given).group_by(table.credential)
    return dict(connection.execute(query).tuples().all())


def _end(connection: Connection, name: str, state: str) -> None:
    table = credentials.c
    active = (table.name == name, table.state == ACTIVE)
    connection.execute(update(credentials).where(*active).values(state=state))


def _whose(owner: str, kind: str) -> str:
    if owner == APPLICATION:
        return f"our own LWA {kind.replace('_', ' ')}"
    return f"the refresh token of contract {owner}"
