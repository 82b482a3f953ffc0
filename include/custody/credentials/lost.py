"""A seller's grant that Amazon no longer takes: suspected, confirmed, and restored by a new one.

Rules:
- one refusal says nothing: Login with Amazon refuses good grants now and then (facts §8.12). A grant is lost
  when it was refused three times over an hour or more, and never taken in between;
- trouble with our own client id or secret is no seller leaving: it starts every suspicion anew;
- where every seller is refused at once, the cause is more likely ours: it is confirmed after a day only,
  since silence keeps no data, and an incident says so in the meantime;
- once it is lost, nothing is pulled or worked on; the data falls due by the rule ``authorization_lost``;
- a new grant, or the old one taken again, ends it: what is still there gets the clock that it had.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Update,
    delete,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from custody.contracts import audit, changes, registry
from custody.contracts.contract import Contract, ContractState
from custody.credentials.access import contract_of
from custody.database.credential_tables import lost_authorizations
from custody.database.incident_tables import incidents
from custody.database.tables import contracts, orders
from custody.errors import CustodyError, OwnCredentialBroken, SellerGone
from custody.incidents.kinds import Kind
from custody.incidents.phases import Phase
from custody.incidents.record import open_incident
from custody.incidents.timeline import note
from custody.monitoring.acting import current as current_actor
from custody.retention.clock import Rule
from custody.settings import Settings
from custody.vault.secret_store import refresh_token_of

DETECTOR = "custody, ingest_orders"
KIND, OWN_KIND = Kind.LOST_AUTHORIZATION, Kind.OWN_CREDENTIAL_BROKEN
LEAST_REFUSALS = 3  # ours: two can meet one outage
EVERYBODY_LOST = timedelta(hours=24)  # ours: a day for a person to look at our own credentials
GONE_BY = timedelta(days=30)  # DPP §1.7: gone within 30 days after access has ended


class Loss(msgspec.Struct, frozen=True):
    """What is known of a grant that was refused."""

    contract_id: str
    first_refused_at: datetime
    last_refused_at: datetime
    refusals: int
    confirmed_at: datetime | None
    data_due_at: datetime | None
    deadline_at: datetime | None
    restored_at: datetime | None


class Authorizations:
    """Keeps account of the sellers' grants as pulls meet them, in the caller's transactions."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock

    def note(self, connection: Connection, contract_id: str, error: CustodyError | None) -> None:
        """Take how a contract's pull went; no error says that Amazon took the grant."""
        now = self._clock()
        if isinstance(error, SellerGone):
            self._refused(connection, contract_id, now)
        elif isinstance(error, OwnCredentialBroken):
            connection.execute(delete(lost_authorizations).where(_open(), ~_confirmed()))
        elif error is None:
            self.restored(connection, contract_id, actor=DETECTOR, why="Amazon took the grant")

    def restored(self, connection: Connection, contract_id: str, *, actor: str, why: str) -> bool:
        """End a loss, or a suspicion of one; True when orders have their clocks back."""
        found = current(connection, contract_id)
        mine = (_open(), lost_authorizations.c.contract_id == contract_id)
        if found is None or found.confirmed_at is None:
            if found is not None:
                connection.execute(delete(lost_authorizations).where(*mine, ~_confirmed()))
            return False
        now = self._clock()
        contract = registry.get(connection, contract_id, lock=True)  # before the loss, always
        ended = update(lost_authorizations).where(*mine).values(restored_at=now)
        row = connection.execute(ended.returning(lost_authorizations)).mappings().first()
        if row is None:
            return False
        _due_from(connection, contract_id, None)
        if contract.state is ContractState.ACTIVE:
            contract = msgspec.structs.replace(contract, lost_data_due=None)
            changes.reckon_all(connection, contract, self._settings.completed_grace)
        audit.record(
            connection, actor, "authorization.restore", contract.contract_id, contract_id, {"why": why}, now
        )
        _tell(connection, row, why, actor, now)
        return True

    def renewed(self, connection: Connection, name: str) -> None:
        """Take a new value of a credential: a seller's new token is a new authorization."""
        contract_id = contract_of(name)
        if contract_id is not None and name == refresh_token_of(contract_id):
            why = "a new token was stored"
            self.restored(connection, contract_id, actor=current_actor().actor, why=why)

    def _refused(self, connection: Connection, contract_id: str, now: datetime) -> None:
        contract = registry.get(connection, contract_id, lock=True)
        if contract.state is not ContractState.ACTIVE:
            return
        row = {"contract_id": contract_id, "first_refused_at": now, "last_refused_at": now, "refusals": 1}
        table = lost_authorizations.c
        statement = insert(lost_authorizations).values(row)
        counted = statement.on_conflict_do_update(
            index_elements=[table.contract_id],
            index_where=table.restored_at.is_(None),
            set_={
                "last_refused_at": func.greatest(table.last_refused_at, now),
                "refusals": table.refusals + 1,
            },
        )
        loss = _loss(connection.execute(counted.returning(lost_authorizations)).mappings().one())
        lasted = loss.last_refused_at - loss.first_refused_at
        if (
            loss.confirmed_at is None
            and loss.refusals >= LEAST_REFUSALS
            and lasted >= self._settings.authorization_debounce
        ):
            self._judge(connection, contract, loss, lasted, now)

    def _judge(
        self, connection: Connection, contract: Contract, loss: Loss, lasted: timedelta, now: datetime
    ) -> None:
        others, healthy = _others(connection, contract.contract_id)
        if others and not healthy and lasted < EVERYBODY_LOST:
            open_incident(
                connection,
                cause=f"{OWN_KIND}|every seller|{loss.first_refused_at:%Y-%m-%d}",
                kind=OWN_KIND,
                summary="Amazon takes no seller's grant: look at our LWA client id and application first. "
                f"After {EVERYBODY_LOST / timedelta(hours=1):.0f} hours they count as lost.",
                details={"sellers": others + 1},
                detected_by=DETECTOR,
                now=now,
            )
            return
        self._confirm(connection, contract, loss, now)

    def _confirm(self, connection: Connection, contract: Contract, loss: Loss, now: datetime) -> None:
        due = min(now + self._settings.authorization_lost_kept, loss.first_refused_at + GONE_BY)
        values = {"confirmed_at": now, "data_due_at": due, "deadline_at": loss.first_refused_at + GONE_BY}
        table = lost_authorizations.c
        mine = (table.contract_id == loss.contract_id, table.first_refused_at == loss.first_refused_at)
        connection.execute(update(lost_authorizations).where(*mine).values(values))
        made_due = _due_from(connection, loss.contract_id, due)
        told: dict[str, audit.Detail] = {"refusals": loss.refusals, "orders_made_due": made_due}
        subject = contract.contract_id
        audit.record(connection, DETECTOR, "authorization.lose", subject, subject, told, now)
        open_incident(
            connection,
            cause=_cause(loss),
            kind=KIND,
            summary=f"Amazon has refused the grant of contract {subject} since "
            f"{loss.first_refused_at:%Y-%m-%d %H:%M} UTC. Nothing is pulled; from {due:%Y-%m-%d} its orders "
            f"are purged, unless `custody credential set refresh-token/{subject}` stores a new grant.",
            contract_id=subject,
            details={
                "refusals": loss.refusals,
                "orders": made_due,
                "deadline": f"{loss.first_refused_at + GONE_BY:%Y-%m-%d %H:%M} UTC",
            },
            detected_by=DETECTOR,
            now=now,
            detected_at=now,
        )


def current(connection: Connection, contract_id: str) -> Loss | None:
    """Give the loss, or the suspicion of one, that a contract is under."""
    query = select(lost_authorizations).where(_open(), lost_authorizations.c.contract_id == contract_id)
    row = connection.execute(query).mappings().first()
    return _loss(row) if row is not None else None


def _others(connection: Connection, contract_id: str) -> tuple[int, int]:
    """Count the other active contracts, and those among them whose last pull went well."""
    refused = select(lost_authorizations.c.contract_id).where(_open())
    well = contracts.c.trouble.is_(None) & contracts.c.contract_id.not_in(refused)
    query = select(func.count(), func.count().filter(well)).where(
        contracts.c.state == ContractState.ACTIVE, contracts.c.contract_id != contract_id
    )
    others, healthy = connection.execute(query).one()
    return others, healthy


def _due_from(connection: Connection, contract_id: str, due: datetime | None) -> int:
    """Set from when a contract's data is due for want of a grant; give how many orders fall due by it."""
    known = contracts.c.contract_id == contract_id
    connection.execute(update(contracts).where(known).values(lost_data_due=due))
    if due is None:
        return 0
    return connection.execute(_make_due(contract_id, due)).rowcount


def _make_due(contract_id: str, due: datetime) -> Update:
    at = func.greatest(literal(due), orders.c.pulled_at)
    return (
        update(orders)
        .where(orders.c.contract_id == contract_id, orders.c.purge_due_at > at)
        .values(purge_due_at=at, purge_rule=Rule.AUTHORIZATION_LOST)
    )


def _tell(connection: Connection, row: RowMapping, why: str, actor: str, now: datetime) -> None:
    """Say on the incident's timeline that the grant is back; it is closed by a person."""
    query = select(incidents.c.incident_id, incidents.c.phase).where(incidents.c.cause == _cause(_loss(row)))
    found = connection.execute(query).first()
    if found is not None:
        phase = Phase(found.phase)
        details = {"why": why}
        note(
            connection,
            found.incident_id,
            "authorization_restored",
            phase=phase,
            actor=actor,
            now=now,
            details=details,
        )


def _cause(loss: Loss) -> str:
    return f"{KIND}|{loss.contract_id}|{loss.first_refused_at:%Y-%m-%dT%H:%M:%S}"


def _loss(row: RowMapping) -> Loss:
    return Loss(**row)


def _open() -> ColumnElement[bool]:
    return lost_authorizations.c.restored_at.is_(None)


def _confirmed() -> ColumnElement[bool]:
    return lost_authorizations.c.confirmed_at.is_not(None)
