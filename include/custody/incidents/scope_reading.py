"""Computing a scope from the records of an installation; read-only."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Table, and_, func, select, true

from custody.certificates.audit_batch import RESTORED
from custody.contracts.contract import ContractState
from custody.database.arrays import among
from custody.database.call_tables import outbound_calls
from custody.database.credential_tables import credential_reads
from custody.database.proof_tables import audit_events
from custody.database.tables import contracts, disclosures, orders
from custody.incidents import scope as rules
from custody.incidents.record import Incident
from custody.incidents.scope import MOST_REFS, Narrowed, Scope, Source

# An installation calls Amazon within its first quarter of an hour: a record that begins later began later.
_BEGINS_WITHIN = timedelta(hours=1)
_OVERDUE = frozenset({"purge_unsound", "silent_purge", "termination_overdue", "termination_unsound"})
_EVERY_SELLER = frozenset({"lwa"})  # the family of credentials that open every seller's orders


def scope_of(
    connection: Connection, incident: Incident, now: datetime, *, reach: timedelta | None = None
) -> Scope:
    """Compute what an incident touches, from ``reach`` before its detection until now, or its end."""
    since, until = rules.window(incident, now, reach)
    by = rules.narrowed(incident)
    refs = _Refs(connection, since, until, by)
    sources = [
        refs.disclosed(),
        _kept_since(connection, "reads of credentials", credential_reads, (since, until), by),
        _kept_since(connection, "outbound calls", outbound_calls, (since, until), by),
        _audited(connection, since, until, by),
        refs.named("orders that the incident names", rules.named_refs(incident)),
    ]
    if incident.kind in _OVERDUE:
        sources.append(refs.overdue(until))
    serving = _served(connection, by)
    if serving is not None:
        sources.append(serving)
    unknown = [*_restores(connection, since), *(each for source in sources for each in source.unknown)]
    unknown += [rules.UNSEEN[incident.kind]] if incident.kind in rules.UNSEEN else []
    touched = {each for source in sources if source.name != "audit events" for each in source.contracts}
    return Scope(
        computed_at=now,
        since=since,
        until=until,
        narrowed_to=by.told(),
        contracts=tuple(sorted(touched | set(by.contracts))),
        orders=refs.count,
        order_refs=tuple(sorted(refs.some))[:MOST_REFS],
        sources=tuple(sources),
        unknown=tuple(dict.fromkeys(unknown)),
    )


class _Refs:
    """The orders that a scope names: each counted once, whichever source names it, and some of them kept."""

    def __init__(self, connection: Connection, since: datetime, until: datetime, by: Narrowed) -> None:
        self._connection = connection
        self._opened = and_(_within(disclosures, since, until), _narrows(disclosures, by))
        self._by = by
        self.some: set[str] = set()
        self._others: set[str] = set()
        self.count = 0

    def disclosed(self) -> Source:
        """Tell what was opened; openings are written down before a byte is decrypted, so none is missing."""
        table = disclosures.c
        counts = select(func.count(), func.count(table.order_ref.distinct())).where(self._opened)
        records, self.count = self._connection.execute(counts).one()
        some = select(table.order_ref).where(self._opened).distinct().order_by(table.order_ref)
        self.some |= set(self._connection.execute(some.limit(MOST_REFS)).scalars())
        found = select(table.contract_id).where(self._opened).distinct().order_by(table.contract_id)
        whose = tuple(self._connection.execute(found).scalars())
        return Source("disclosures", records, whose, self.count)

    def named(self, name: str, refs: Sequence[str]) -> Source:
        """Take further orders in, given by their refs."""
        fresh = set(refs) - self._others
        ref = disclosures.c.order_ref
        known = select(ref).where(self._opened, among(ref, fresh)).distinct()
        fresh -= set(self._connection.execute(known).scalars())
        self._others |= fresh
        self.count += len(fresh)
        self.some |= set(sorted(refs)[:MOST_REFS])
        return Source(name, len(refs), orders=len(refs))

    def overdue(self, until: datetime) -> Source:
        """Take the orders in that were due and are still here; those that a hold keeps are among them."""
        mine = among(orders.c.contract_id, self._by.contracts) if self._by.contracts else true()
        due = and_(orders.c.purge_due_at <= until, mine)
        ref, whose = orders.c.order_ref, orders.c.contract_id
        opened = select(disclosures.c.order_ref).where(self._opened)
        fresh = and_(ref.not_in(opened), ~among(ref, self._others))
        counts = select(func.count(), func.count().filter(fresh)).where(due)
        there, added = self._connection.execute(counts).one()
        self.count += added
        self.some |= set(
            self._connection.execute(select(ref).where(due).order_by(ref).limit(MOST_REFS)).scalars()
        )
        of = self._connection.execute(select(whose).where(due).distinct().order_by(whose)).scalars()
        return Source("orders that are due and still here", there, tuple(of), there)


def _kept_since(
    connection: Connection, name: str, table: Table, within: tuple[datetime, datetime], by: Narrowed
) -> Source:
    """Tell what a log says that an older version did not keep, and that is dropped after its time."""
    begun = connection.execute(select(func.min(contracts.c.started_at))).scalar()
    first = connection.execute(select(func.min(table.c.at))).scalar()
    if begun is not None and first is None:
        return Source(name, None, unknown=(f"There is no record of {name} at all.",))
    where = and_(_within(table, *within), _narrows(table, by))
    count = connection.execute(select(func.count()).select_from(table).where(where)).scalar_one()
    column = table.c.contract_id
    found = select(column).where(where, column.is_not(None)).distinct().order_by(column)
    unknown = []
    if begun is not None and first is not None and first > max(within[0], begun) + _BEGINS_WITHIN:
        unknown.append(f"There is no record of {name} before {first:%Y-%m-%d %H:%M} UTC.")
    return Source(name, count, tuple(connection.execute(found).scalars()), unknown=tuple(unknown))


def _audited(connection: Connection, since: datetime, until: datetime, by: Narrowed) -> Source:
    where = and_(_within(audit_events, since, until), _narrows(audit_events, by))
    count = connection.execute(select(func.count()).select_from(audit_events).where(where)).scalar_one()
    column = audit_events.c.contract_id
    found = select(column).where(where, column.is_not(None)).distinct().order_by(column)
    return Source("audit events", count, tuple(connection.execute(found).scalars()))


def _served(connection: Connection, by: Narrowed) -> Source | None:
    """Give the contracts whose orders a credential of the whole installation opens."""
    if by.credential.partition("/")[0] not in _EVERY_SELLER:
        return None
    live = contracts.c.state != ContractState.TERMINATED
    query = select(contracts.c.contract_id).where(live).order_by(contracts.c.contract_id)
    found = tuple(connection.execute(query).scalars())
    return Source("contracts that the credential serves", len(found), found)


def _restores(connection: Connection, since: datetime) -> list[str]:
    """Name the restores after which records of the window are gone."""
    table = audit_events.c
    query = select(table.at, table.details).where(table.action == RESTORED, table.at >= since)
    return [
        f"The database was restored at {at:%Y-%m-%d %H:%M} UTC: disclosures, reads of credentials, calls and "
        f"audit events since {details.get('lost_since') or 'an unknown time before that'} are lost."
        for at, details in connection.execute(query.order_by(table.at))
    ]


def _within(table: Table, since: datetime, until: datetime) -> ColumnElement[bool]:
    return table.c.at.between(since, until)


def _narrows(table: Table, by: Narrowed) -> ColumnElement[bool]:
    """Say which rows of a table an incident is about."""
    wanted: list[ColumnElement[bool]] = []
    if by.contracts:
        wanted.append(among(table.c.contract_id, by.contracts))
    if by.actor:
        wanted.append(table.c.actor == by.actor)
    if by.run:
        wanted.append(table.c.actor.contains(by.run, autoescape=True))
    if by.credential and "credential" in table.c:
        wanted.append(table.c.credential == by.credential)
    return and_(true(), *wanted)
