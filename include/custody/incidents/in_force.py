"""What incidents forbid for a contract: read by whoever pulls, opens and asks for tokens."""

from sqlalchemy import Connection, ScalarSelect, select

from custody.database.incident_tables import containments
from custody.errors import Contained
from custody.incidents.containment_rules import ALL_CONTRACTS, IN_FORCE, Action

WORDS = {
    Action.FREEZE_INGEST: "its orders are not pulled",
    Action.STOP_DISCLOSURES: "nothing of it is opened",
    Action.REVOKE_CREDENTIALS: "its authorization is not used",
    Action.ROTATE_CREDENTIALS: "our client secret is being replaced",
}


def forbidden_by(contract_id: str, action: Action) -> ScalarSelect[str]:
    """Select the incident that forbids something for a contract now: one look into an index."""
    row = containments.c
    return (
        select(row.incident_id)
        .where(
            row.contract_id.in_((contract_id, ALL_CONTRACTS)),
            row.action == action,
            row.state.in_(IN_FORCE),
            row.lifted_at.is_(None),
        )
        .limit(1)
        .scalar_subquery()
    )


def in_force(connection: Connection, contract_id: str, action: Action) -> bool:
    """Tell whether an incident forbids something for a contract now."""
    return connection.execute(select(forbidden_by(contract_id, action))).scalar() is not None


def require_free(connection: Connection, contract_id: str, *actions: Action) -> None:
    """Raise Contained when an incident forbids one of these for a contract now."""
    found = connection.execute(select(*(forbidden_by(contract_id, each) for each in actions))).one()
    for action, incident_id in zip(actions, found, strict=True):
        if incident_id is not None:
            raise contained(contract_id, action, incident_id)


def contained(contract_id: str, action: Action, incident_id: str) -> Contained:
    """Say what is forbidden, by which incident, and what to do."""
    return Contained(
        f"Contract {contract_id} is frozen by incident {incident_id}: {WORDS[action]} until that is lifted; "
        f"`custody incident show {incident_id}` says how far it is."
    )
