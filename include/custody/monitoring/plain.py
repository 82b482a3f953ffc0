"""Calls that are not what is allowed: each rule looks at one way in which calls went.

What is known beforehand is compared exactly; only machines, hosts of other services and TLS versions are
compared with the weeks before, and only when there are weeks before.
"""

import ipaddress
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from custody.amazon.interface import Operation, Region
from custody.contracts.contract import GRANTED_BY, ContractState, TaskName
from custody.incidents.containment_rules import Action
from custody.monitoring import rules
from custody.monitoring.actors import is_off_schedule, is_ours, parsed
from custody.monitoring.found import Found
from custody.monitoring.known_work import ASKS, OPERATIONS, hosts_of, is_local, template
from custody.monitoring.rules import AMAZON, MACHINES_MOST, YOUNG, Plain
from custody.monitoring.ways import Ban, Past, Run, Standing, Way, forbids
from custody.orders.records import Purpose
from custody.settings import Settings

# What is under way when a contract ends, or an incident stops it, may still come to its end.
UNDER_WAY = timedelta(minutes=30)
_TLS_SEEN = AMAZON | {"timestamp", "heartbeat"}  # whose connection is always seen
_OLD_TLS = frozenset({"SSLv3", "TLSv1", "TLSv1.1"})
_CONFIRM, _SEARCH = template(Operation.CONFIRM_SHIPMENT), template(Operation.SEARCH_ORDERS)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a way is compared with."""

    settings: Settings
    past: Past
    standings: dict[str, Standing]
    bans: Collection[Ban]
    hosts: dict[str, frozenset[str]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", hosts_of(self.settings))


Check = Callable[[Way, Knowledge], str | None]


def found_in(ways: Iterable[Way], knowledge: Knowledge) -> Iterator[Found]:
    """Give what is found, like calls of one rule, contract, operation and subject as one finding."""
    together: dict[tuple[str, str | None, str | None, str], Found] = {}
    for way in ways:
        for rule, columns, check in CHECKS:
            subject = check(way, knowledge)
            if subject is None:
                continue
            found = _found(rule, columns, way, subject)
            before = together.get(found.key)
            together[found.key] = found if before is None else _joined(before, found)
    yield from together.values()


def off_schedule(runs: Iterable[Run]) -> Iterator[Found]:
    """Give the runs by time that name a time at which their DAG has none."""
    for run in runs:
        actor = parsed(run.actor)
        if is_off_schedule(actor, run.first_at, run.last_at):
            yield Found(
                rule=rules.OFF_SCHEDULE.name,
                said=rules.OFF_SCHEDULE.says.format(subject=f"{actor.short}, run {actor.run}"),
                promise=rules.OFF_SCHEDULE.promise,
                subject=actor.dag,
                starts_at=run.first_at,
                ends_at=run.last_at,
                measure=run.calls,
                where={"actor": run.actor},
            )


def _found(rule: Plain, columns: tuple[str, ...], way: Way, subject: str) -> Found:
    where = {name: getattr(way, name) if name == "pii" else getattr(way, name) or None for name in columns}
    alone = "contract_id" not in columns
    return Found(
        rule=rule.name,
        said=rule.says.format(subject=subject),
        promise=rule.promise,
        contract_id=None if alone else way.contract_id or None,
        operation=way.operation if "operation" in columns else None,
        subject=subject,
        starts_at=way.first_at,
        ends_at=way.last_at,
        measure=way.calls,
        where=where,
    )


def _joined(one: Found, other: Found) -> Found:
    """Make one finding of two: what their rows have in common is what selects them."""
    where = {name: value for name, value in one.where.items() if other.where.get(name) == value}
    return Found(
        rule=one.rule,
        said=one.said,
        promise=one.promise,
        contract_id=one.contract_id,
        operation=one.operation,
        subject=one.subject,
        starts_at=min(one.starts_at, other.starts_at),
        ends_at=max(one.ends_at, other.ends_at),
        measure=one.measure + other.measure,
        where=where,
    )


def _unknown_actor(way: Way, _: Knowledge) -> str | None:
    return None if is_ours(parsed(way.actor)) else way.actor[:80]


def _not_its_work(way: Way, _: Knowledge) -> str | None:
    actor = parsed(way.actor)
    if way.service not in AMAZON or way.operation not in OPERATIONS:
        return None
    if actor.kind == "person" or not is_ours(actor):
        return None
    return None if way.operation in ASKS.get(actor.dag, frozenset()) else actor.short


def _unknown_host(way: Way, knowledge: Knowledge) -> str | None:
    if way.service == "aws" and not is_local(way.host):
        return None if way.host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")) else way.host
    allowed = knowledge.hosts.get(way.service)
    return way.host if allowed is not None and way.host not in allowed else None


def _new_host(way: Way, knowledge: Knowledge) -> str | None:
    if way.service in knowledge.hosts or not _is_known(
        knowledge.past.services.get(way.service), way.first_at
    ):
        return None
    return way.host if (way.service, way.host) not in knowledge.past.hosts else None


def _unknown_operation(way: Way, _: Knowledge) -> str | None:
    return way.operation if way.service in AMAZON and way.operation not in OPERATIONS else None


def _weak_tls(way: Way, _: Knowledge) -> str | None:
    if way.tls in _OLD_TLS:
        return way.tls
    clear = not way.tls and way.answered and way.service in _TLS_SEEN and not is_local(way.host)
    return "no TLS at all" if clear else None


def _tls_fell(way: Way, knowledge: Knowledge) -> str | None:
    before = knowledge.past.tls.get(way.host)
    fell = before is not None and way.tls and way.tls < before and way.tls not in _OLD_TLS
    return way.host if fell and _is_known(knowledge.past.since, way.first_at) else None


def _strange_peer(way: Way, _: Knowledge) -> str | None:
    if way.service not in AMAZON or not way.peer or is_local(way.host):
        return None
    try:
        return None if ipaddress.ip_address(way.peer).is_global else way.peer
    except ValueError:
        return way.peer


def _strange_egress(way: Way, knowledge: Knowledge) -> str | None:
    declared = knowledge.settings.egress_addresses
    if not declared or is_local(way.host) or not (way.origin or way.machine):
        return None
    within = way.machine in declared or any(_is_in(way.origin, each) for each in declared)
    return None if within else way.origin or way.machine


def _new_machine(way: Way, knowledge: Knowledge) -> str | None:
    past = knowledge.past
    if knowledge.settings.egress_addresses or not _is_known(past.since, way.first_at):
        return None
    return way.machine if way.machine not in past.machines and len(past.machines) <= MACHINES_MOST else None


def _not_contracted(way: Way, knowledge: Knowledge) -> str | None:
    standing = knowledge.standings.get(way.contract_id)
    if standing is None or way.service != "sp-api":
        return None
    purposes = {each for task in standing.tasks for each in GRANTED_BY[TaskName(task)]}
    if way.pii and Purpose.PACKING_SLIP not in purposes:
        return "personal data sets"
    if way.operation == _CONFIRM and TaskName.CONFIRM_SHIPMENT not in standing.tasks:
        return "confirming shipments"
    return None


def _no_contract(way: Way, knowledge: Knowledge) -> str | None:
    if way.service not in AMAZON or not way.contract_id:
        return None
    standing = knowledge.standings.get(way.contract_id)
    if standing is None:
        return "not known"
    if standing.ended_at is not None and way.last_at > standing.ended_at + UNDER_WAY:
        return "ended"
    ending = standing.state == ContractState.TERMINATING and standing.requested_at is not None
    if ending and standing.requested_at is not None and way.last_at > standing.requested_at + UNDER_WAY:
        return "ending"
    return None


def _contained(way: Way, knowledge: Knowledge) -> str | None:
    if way.service not in AMAZON or not way.contract_id:
        return None
    for ban in knowledge.bans:
        about = forbids(ban, way.contract_id) and (
            ban.action == Action.REVOKE_CREDENTIALS or way.operation == _SEARCH
        )
        after = way.last_at > ban.taken_at + UNDER_WAY
        if about and after and (ban.lifted_at is None or way.first_at < ban.lifted_at):
            return str(ban.action)
    return None


def _wrong_region(way: Way, knowledge: Knowledge) -> str | None:
    standing = knowledge.standings.get(way.contract_id)
    amazon = frozenset(region.host for region in Region)
    if standing is None or way.service != "sp-api" or way.host not in amazon:
        return None
    return None if way.host == Region(standing.region).host else way.host


def _pii_by_person(way: Way, _: Knowledge) -> str | None:
    actor = parsed(way.actor)
    return actor.short if actor.kind == "person" and way.pii else None


def _is_known(since: datetime | None, now: datetime) -> bool:
    """Tell whether there is enough before to call something new."""
    return since is not None and since <= now - YOUNG


def _is_in(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


_WHO = ("actor",)
_WHERE = ("service", "host")
_WHAT = ("contract_id", "operation", "service")
CHECKS: tuple[tuple[Plain, tuple[str, ...], Check], ...] = (
    (rules.UNKNOWN_ACTOR, _WHO, _unknown_actor),
    (rules.NOT_ITS_WORK, (*_WHO, "operation"), _not_its_work),
    (rules.UNKNOWN_HOST, _WHERE, _unknown_host),
    (rules.NEW_HOST, _WHERE, _new_host),
    (rules.UNKNOWN_OPERATION, _WHAT, _unknown_operation),
    (rules.WEAK_TLS, (*_WHERE, "tls"), _weak_tls),
    (rules.TLS_FELL, (*_WHERE, "tls"), _tls_fell),
    (rules.STRANGE_PEER, (*_WHERE, "peer"), _strange_peer),
    (rules.STRANGE_EGRESS, ("origin", "machine"), _strange_egress),
    (rules.NEW_MACHINE, ("machine",), _new_machine),
    (rules.NOT_CONTRACTED, (*_WHAT, "pii"), _not_contracted),
    (rules.NO_CONTRACT, ("contract_id",), _no_contract),
    (rules.CONTAINED, ("contract_id",), _contained),
    (rules.WRONG_REGION, ("contract_id", "host"), _wrong_region),
    (rules.PII_BY_PERSON, ("actor", "pii"), _pii_by_person),
)
