"""The residue scan of one purge, before anything is erased: no other copy may be found.

(1) The personal values of the batch are opened in memory, in groups of 10,000, and never handed on.
(2) Each group is searched for, together with a random canary, in every place.
(3) Every form of the canary must be found in a stream, and the canary itself in each place by the way
    of that place, or the scan was not performed.
(4) What is also a name of the installation or of its goods is ordinary, and no hit.

It may be repeated at will; it leaves nothing but the disclosures of what it opened.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from os import urandom

from sqlalchemy import Engine, func, select, union_all
from sqlalchemy.exc import OperationalError

from custody.contracts.contract import Contract
from custody.database.tables import orders, purge_orders, purge_reductions
from custody.errors import CustodyError, ScanNotPerformed
from custody.orders.records import OrderRef
from custody.retention.residue.forms import forms_of
from custody.retention.residue.interface import Place, Reading, Unit
from custody.retention.residue.ordinary import ordinary_texts
from custody.retention.residue.places import places_of
from custody.retention.residue.records import IN_THE_STREAM, PLANTED, Hit, ResidueScan, Surface
from custody.retention.residue.search import Found, Search
from custody.retention.residue.values import sought
from custody.settings import Settings
from custody.vault.vault import Vault

VALUES = 10_000  # searched for in one pass: some 150 MB in Hyperscan
ORDERS = 1_000  # opened at a time
HITS_LISTED = 100
TOLD = 3  # of one value in one place
# Before the first of the batch came in nothing could hold it. An hour: clocks of two machines may differ.
MARGIN = timedelta(hours=1)


@dataclass(slots=True)
class _Traces:
    """Where values were found, before it is known which are ordinary: all counted, a few of each told."""

    count: Counter[tuple[str, int]] = field(default_factory=Counter)
    told: list[tuple[str, str, int, str]] = field(default_factory=list)

    def note(self, place: str, unit: str, value: int, form: str) -> None:
        self.count[place, value] += 1
        if self.count[place, value] <= TOLD:
            self.told.append((place, unit, value, form))


@dataclass(slots=True)
class _Tally:
    """What the passes over all places came to."""

    readings: dict[str, list[Reading]] = field(default_factory=dict)
    found: Counter[str] = field(default_factory=Counter)
    hits: list[Hit] = field(default_factory=list)
    values: int = 0
    ordinary: int = 0
    too_short: int = 0
    closed: int = 0

    def surfaces(self) -> tuple[Surface, ...]:
        return tuple(
            Surface(
                name,
                min(each.units for each in readings),
                min(each.size for each in readings),
                max(each.unchanged for each in readings),
                self.found[name],
                IN_THE_STREAM if any(each.self_test == IN_THE_STREAM for each in readings) else PLANTED,
            )
            for name, readings in self.readings.items()
        )

    def not_visible(self) -> Iterator[str]:
        for name, readings in self.readings.items():
            reasons: Counter[str] = Counter()
            for each in readings:
                reasons |= each.not_visible  # the most that any pass could not see
            yield from (f"{count} {reason} ({name})" for reason, count in sorted(reasons.items()))
        if self.closed:
            yield f"{self.closed} sealed records that did not open"


class Scanner:
    """Scans for the copies of what is about to be erased."""

    def __init__(
        self,
        engine: Engine,
        vault: Vault,
        settings: Settings,
        *,
        places: Sequence[Place] | None = None,
        values: int = VALUES,
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._known = (settings.processor, settings.processor_contact)
        named, self._unseen = places_of(settings, engine)
        self._places = named if places is None else tuple(places)
        self._values = values

    def scan(self, contract: Contract, purge_id: str, *, actor: str, now: datetime) -> ResidueScan:
        """Search for the values of a purge's orders; raises ScanNotPerformed when the scan proves nothing.

        Whatever breaks a scan off is told by its kind alone, since its words may quote what was read.
        """
        try:
            return self._scan(contract, purge_id, actor, now)
        except (CustodyError, OperationalError):  # the second: our own database is gone, and all has to wait
            raise
        except Exception as error:  # else it would hold up the erasure, for as long as its cause lasts
            raise ScanNotPerformed(
                f"Residue scan of {purge_id}: it broke off ({type(error).__name__}); look at the places that "
                "residue_surfaces and airflow_metadata_url name."
            ) from None

    def _scan(self, contract: Contract, purge_id: str, actor: str, now: datetime) -> ResidueScan:
        refs, since = self._batch(purge_id)
        tally = _Tally()
        for group in self._groups(contract, refs, tally, actor, now):
            self._search(contract, group, since, tally)
        not_visible = [*tally.not_visible(), *self._unseen]
        not_visible += [limit for place in self._places for limit in place.limits]
        return ResidueScan(
            now,
            len(refs),
            tally.values,
            tally.too_short,
            tally.ordinary,
            tally.surfaces(),
            tuple(not_visible),
            self_tested=bool(tally.values),
            hits=tuple(tally.hits),
        )

    def _batch(self, purge_id: str) -> tuple[list[OrderRef], datetime]:
        mine = purge_orders.c.purge_id == purge_id
        whole = select(purge_orders.c.order_ref).where(mine)
        cut_down = select(purge_reductions.c.order_ref).where(purge_reductions.c.purge_id == purge_id)
        planned = union_all(whole, cut_down).subquery()
        with self._engine.connect() as connection:
            refs = connection.execute(select(planned.c.order_ref).order_by(planned.c.order_ref)).scalars()
            batch = [OrderRef(ref) for ref in refs]
            earliest = connection.execute(
                select(func.min(orders.c.pulled_at)).join(planned, planned.c.order_ref == orders.c.order_ref)
            ).scalar()
        return batch, (earliest or datetime(1970, 1, 2, tzinfo=UTC)) - MARGIN

    def _groups(
        self, contract: Contract, refs: Sequence[OrderRef], tally: _Tally, actor: str, now: datetime
    ) -> Iterator[dict[str, OrderRef]]:
        """Open the orders and give their values, each with the order that it is of."""
        group: dict[str, OrderRef] = {}
        for start in range(0, len(refs), ORDERS):
            part = refs[start : start + ORDERS]
            opened, closed = self._vault.open_for_scan(contract, part, actor=actor, now=now)
            tally.closed += closed
            for ref, each in opened.items():
                chosen = sought(each.recipient, each.shipments)
                tally.too_short += chosen.too_short
                group.update((text, ref) for text in chosen.texts if text not in group)
                if len(group) >= self._values:
                    yield group
                    group = {}
        if group:
            yield group

    def _search(self, contract: Contract, group: dict[str, OrderRef], since: datetime, tally: _Tally) -> None:
        canary = f"canary-{urandom(16).hex()}"
        texts = [*group, canary]
        search = Search(texts)
        _prove(search, canary)
        traces = _Traces()
        for place in self._places:
            reading = _pass_over(place, search, texts, since, traces)
            tally.readings.setdefault(place.name, []).append(reading)
        ordinary = self._ordinary(contract, search) if traces.told else set()
        tally.values += len(group)
        tally.ordinary += len({value for _, value in traces.count} & ordinary)
        for (name, value), count in traces.count.items():
            tally.found[name] += count if value not in ordinary else 0
        for name, unit, value, form in traces.told:
            if value not in ordinary and len(tally.hits) < HITS_LISTED:
                tally.hits.append(Hit(name, unit, group[texts[value]], form))

    def _ordinary(self, contract: Contract, search: Search) -> set[int]:
        with self._engine.connect() as connection:
            texts = ordinary_texts(connection, contract.contract_id, self._known)
            return {each.value for each in search.found_in(f"{text}\n".encode() for text in texts)}


def _prove(search: Search, canary: str) -> None:
    """Search for each form of the canary by itself."""
    for form in forms_of(canary):
        if not search.found_in([b"\n", form.written, b"\n"]):
            raise ScanNotPerformed(
                f"Residue scan: the form {form.name} of a canary was not found; check the search library."
            )


def _pass_over(
    place: Place, search: Search, texts: Sequence[str], since: datetime, traces: _Traces
) -> Reading:
    """Search one place; raises ScanNotPerformed when the canary in it was missed."""
    canary, seen = len(texts) - 1, False
    with place.open(texts[canary], since) as current:
        for unit in current.units():
            found = _forms(search.found_in(unit.blocks))
            seen |= found.pop(canary, None) is not None
            if found:
                for name, value, form in _located(unit, search, found):
                    if value != canary:
                        traces.note(place.name, name, value, form)
        reading = current.reading
    if not seen:
        raise ScanNotPerformed(
            f"Residue scan: the canary in {place.name} was not found, so nothing there can be ruled out; "
            "check what may be read there."
        )
    return reading


def _located(unit: Unit, search: Search, found: dict[int, str]) -> Iterator[tuple[str, int, str]]:
    """Say in which bits of a unit values are; a name that holds a value itself is not told."""
    located = set()
    for part in unit.parts():
        if not search.found_in(content for _, content in part.columns):
            continue
        key = "(its key holds a value)" if search.found_in([part.key.encode()]) else part.key
        for name, content in part.columns:
            for value, form in _forms(search.found_in([content])).items():
                located.add(value)
                yield f"{name} where {key}", value, form
    name = unit.alias if search.found_in([unit.name.encode()]) else unit.name
    yield from ((name, value, form) for value, form in found.items() if value not in located)


def _forms(found: set[Found]) -> dict[int, str]:
    """Give each value with one of the forms that it was found in."""
    return dict(sorted(found, reverse=True))
