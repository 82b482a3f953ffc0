"""A seller's refresh token under suspicion: out of use at once, until the seller authorizes anew.

Only the seller can renew it, in Seller Central. Until then it lies aside under another name, so that whatever
asks for it finds none, and a false alarm can be lifted. Its rotation is requested as long as that lasts.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine

from custody.contracts import registry
from custody.contracts.contract import ContractState
from custody.credentials import rotation_record
from custody.credentials.recorded import RecordedSecrets
from custody.credentials.rotation_late import ACTOR
from custody.credentials.rotation_record import Cause, Rotation, State, Wanted
from custody.database.rotation_tables import rotations
from custody.errors import KeyUnavailable
from custody.monitoring.acting import for_contract
from custody.orders.records import ContractId
from custody.vault.secret_store import refresh_token_of, suspended_token_of


class Tools(NamedTuple):
    """What a suspension works with; ``forget`` drops access tokens, ``rekey`` changes a contract's key."""

    engine: Engine
    secrets: RecordedSecrets
    forget: Callable[[ContractId], None]
    rekey: Callable[[ContractId], None]
    clock: Callable[[], datetime]


def suspend(tools: Tools, contract_id: ContractId, reason: str, actor: str) -> str:
    """Take a seller's token out of use and change its contract's key; give the rotation's id.

    Repeated while it lasts, it is the same rotation, and what was cut off is completed. It has lasted when
    the seller has authorized anew.
    """
    name = refresh_token_of(contract_id)
    wanted = Wanted(name, Cause.SUSPICION, reason, actor, contract_id)
    with tools.engine.connect() as connection:
        registry.get(connection, contract_id)
        before = rotation_record.under_way(connection, name)
    if before is not None and before.attempted_at is not None and tools.secrets.exists(name):
        _settle(tools, before)  # authorized anew in the meantime: then the new token is what is suspected
    with tools.engine.begin() as connection:
        rotation_id, _ = rotation_record.request(connection, wanted, tools.clock())
        rotation = rotation_record.find(connection, rotation_id)
    if rotation.attempted_at is None:
        with for_contract(contract_id):
            _move(tools, name, suspended_token_of(contract_id))
        tools.forget(contract_id)
        tools.rekey(contract_id)
        trouble = f"Suspended until the seller authorizes anew: `custody credential set {name}`."
        with tools.engine.begin() as connection:
            now = tools.clock()
            rotation_record.note(connection, rotation, attempted_at=now, trouble=trouble)
            registry.note_trouble(connection, contract_id, trouble, now)
    return rotation_id


def settle(tools: Tools) -> int:
    """End the suspensions whose seller has authorized anew, or whose contract has ended; give how many."""
    tokens = rotations.c.credential.startswith(refresh_token_of(""), autoescape=True)
    with tools.engine.connect() as connection:
        waiting = rotation_record.every(connection, tokens, rotations.c.state == State.REQUESTED)
    return sum(_settle(tools, each) for each in waiting)


def lift(tools: Tools, contract_id: ContractId, actor: str) -> bool:
    """Put a suspended token back in use: it was a false alarm; False when none is suspended.

    Raises KeyUnavailable while it cannot be read; it stays aside then.
    """
    name, aside = refresh_token_of(contract_id), suspended_token_of(contract_id)
    with tools.engine.connect() as connection:
        rotation = rotation_record.under_way(connection, name)
    if rotation is None:
        return False
    with for_contract(contract_id):
        if not tools.secrets.exists(name) and tools.secrets.exists(aside):
            # Raises KeyUnavailable for one that cannot be read now: it may be the only copy, and stays.
            tools.secrets.write(name, tools.secrets.read(aside))
        tools.secrets.destroy(aside)
    _end(tools, rotation, State.FAILED, actor=actor, trouble=f"lifted by {actor}")
    return True


def _settle(tools: Tools, rotation: Rotation) -> bool:
    contract_id = ContractId(rotation.contract_id or "")
    name, aside = rotation.credential, suspended_token_of(contract_id)
    with tools.engine.connect() as connection:
        ended = registry.get(connection, contract_id).state is ContractState.TERMINATED
    if not ended and (rotation.attempted_at is None or not tools.secrets.exists(name)):
        return False
    with for_contract(contract_id):
        same = not ended and _alike(tools.secrets, name, aside)
        tools.secrets.destroy(aside)
    if ended:
        return _end(tools, rotation, State.FAILED, actor=ACTOR, trouble="the contract has ended")
    if same:
        return _end(tools, rotation, State.FAILED, actor=ACTOR, trouble="the same token was stored again")
    return _end(tools, rotation, State.PROMOTED, actor=ACTOR, trouble=None)


def _alike(secrets: RecordedSecrets, one: str, other: str) -> bool:
    try:
        return secrets.read(one) == secrets.read(other)
    except KeyUnavailable:
        return False


def _move(tools: Tools, source: str, target: str) -> None:
    """Store a secret under another name, then destroy it under its own; what a kill left is found."""
    try:
        value = tools.secrets.read(source)
    except KeyUnavailable:  # there is none, or it was moved before
        return
    tools.secrets.write(target, value)
    tools.secrets.destroy(source)


def _end(tools: Tools, rotation: Rotation, state: State, *, actor: str, trouble: str | None) -> bool:
    with tools.engine.begin() as connection:
        known = rotation_record.under_way(connection, rotation.credential, lock=True)
        if known is None or known.rotation_id != rotation.rotation_id:
            return False
        now = tools.clock()
        if state is State.PROMOTED:
            known = rotation_record.reach(
                connection, known, state, actor=actor, now=now, promoted_at=now, trouble=trouble
            )
            state = State.OLD_EXPIRED
        rotation_record.reach(connection, known, state, actor=actor, now=now, ended_at=now, trouble=trouble)
    return True
