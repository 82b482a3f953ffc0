"""What Amazon, sellers and controllers are told of an incident: in references, counts and dates."""

from datetime import datetime

import msgspec

from custody.contracts.contract import Contract
from custody.incidents.announcing_rules import AUTHORITY_WITHIN, amazon_due_at
from custody.incidents.kinds import said_of
from custody.incidents.phases import Breach
from custody.incidents.plain_words import objection_to
from custody.incidents.record import Incident

_AMAZON = """\
{processor} reports a security incident that {affects} data of the Selling Partner API
(Data Protection Policy 1.6: within 24 hours of detection).

Incident:             {incident}
What happened:        {what}
Said of it:           {summary}
Detected:             {detected}
To be reported by:    {due}
Phase:                {phase}
Severity:             {severity}
Breach:               {breach}
SP-API data affected: {amazon_data}
Sellers affected:     {contracts}
Orders affected:      {orders}

Done to contain it:
{containment}

Not known:
{unknown}

Contact: {contact}
This message holds no personal data of buyers. We answer questions, and tell more as we learn it.
"""
_SELLER = """\
{processor} processes order data for you under contract {contract}.
On {confirmed} we confirmed a security incident that affects it.

Incident:             {incident}
What happened:        {what}
Detected:             {detected}
Confirmed:            {confirmed}
Severity:             {severity}
Your orders affected: {orders}
Data of your buyers:  {fields}

Done to contain it:
{containment}

Not known:
{unknown}

Where the GDPR applies to you, you are the controller: Art. 33(1) gives you 72 hours from when you know of
it to tell your data-protection authority, and Art. 34 may ask that you tell the people concerned.
We count those hours from our confirmation, to be safe: they end on {authority}.

Contact: {contact}
This message holds no personal data of your buyers, and nothing of any other seller.
"""
_AUTHORITY = """\
A reminder: where the GDPR applies to you, the 72 hours of Art. 33(1) end on {authority},
counted from when we confirmed incident {incident}: {confirmed}.
We tell no authority in your place. What Art. 33(3) asks for, as far as we know it of contract {contract}:

(a) Nature of the breach:  {what}
    Whose data:            buyers of your orders; about as many people as orders
    Orders concerned:      {orders}; of each: {fields}
(b) Contact point with us: {contact}; your own data-protection officer is yours to name
(c) Likely consequences:   whoever has a name and an address can use them to deceive; no payment data is here
(d) Measures taken:
{containment}

Not known:
{unknown}

This message holds no personal data of your buyers, and nothing of any other seller.
"""


class Facts(msgspec.Struct, frozen=True):
    """What is told; ``orders`` and ``contracts`` are counts, and None where they are not known."""

    incident: Incident
    processor: str
    contact: str
    contracts: int | None
    orders: int | None
    containment: tuple[str, ...]
    unknown: tuple[str, ...]
    confirmed_at: datetime | None = None
    contract: Contract | None = None


def to_amazon(facts: Facts) -> tuple[str, str]:
    """Write subject and body for Amazon."""
    incident = facts.incident
    is_certain = incident.breach is Breach.CONFIRMED and incident.amazon_data == "yes"
    body = _AMAZON.format(
        **_of_all(facts),
        affects="affects" if is_certain else "may affect",
        summary="withheld" if objection_to(incident.summary) else incident.summary,
        due=_at(amazon_due_at(incident)),
        phase=incident.phase,
        breach=incident.breach or "not judged yet",
        amazon_data=incident.amazon_data or "not judged yet; taken as yes",
        contracts=_count(facts.contracts),
    )
    return f"Security incident {incident.incident_id}", body


def to_seller(facts: Facts) -> tuple[str, str]:
    """Write subject and body for one seller, with that seller's facts only."""
    return f"Security incident {facts.incident.incident_id}: your data is affected", _of_seller(
        _SELLER, facts
    )


def of_authority(facts: Facts) -> tuple[str, str]:
    """Write subject and body of the reminder of the authority's clock, for one seller."""
    subject = f"Security incident {facts.incident.incident_id}: the 72 hours of GDPR Art. 33(1)"
    return subject, _of_seller(_AUTHORITY, facts)


def _of_seller(template: str, facts: Facts) -> str:
    confirmed, contract = facts.confirmed_at, facts.contract
    if confirmed is None or contract is None:
        raise ValueError("a seller is told of a confirmed breach of a contract")
    fields = "name and delivery address" if contract.needs_recipients else "none is kept for your tasks"
    return template.format(
        **_of_all(facts),
        contract=contract.contract_id,
        confirmed=_at(confirmed),
        authority=_at(confirmed + AUTHORITY_WITHIN),
        fields=fields,
    )


def _of_all(facts: Facts) -> dict[str, object]:
    return {
        "processor": facts.processor,
        "contact": facts.contact,
        "incident": facts.incident.incident_id,
        "what": said_of(facts.incident.kind),
        "detected": _at(facts.incident.detected_at),
        "severity": facts.incident.severity or "not judged yet",
        "orders": _count(facts.orders),
        "containment": _listed(facts.containment, "nothing yet"),
        "unknown": _listed(facts.unknown, "nothing that we know of"),
    }


def _listed(lines: tuple[str, ...], otherwise: str) -> str:
    return "\n".join(f"- {each}" for each in lines or (otherwise,))


def _count(number: int | None) -> str:
    return "not known" if number is None else f"{number} on record"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
