"""Rotating credentials: what is due by age, what a person asks for, and at once on suspicion.

One run goes through the steps in order, and finds what an earlier one has left:
(1) due: what is old enough is requested; (2) request: signing keys are rotated whole, and Amazon is asked for
a new client secret; (3) receive; (4) verify; (5) promote; (6) clean: copies that have served, suspensions
that are over, warnings, incidents. The states are in ``rotation_record``; every step may be killed,
repeated, and run twice at once.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Engine

from custody.credentials import ages, rotation_late, rotation_record, suspension
from custody.credentials.ageing import warn
from custody.credentials.arrivals import Arrivals
from custody.credentials.inbox import LONGEST_POLL
from custody.credentials.recorded import RecordedSecrets
from custody.credentials.rotation_due import LWA_SECRET, is_due, kind_of
from custody.credentials.rotation_keys import ROLES, rotate_key
from custody.credentials.rotation_keys import Tools as KeyTools
from custody.credentials.rotation_late import ACTOR
from custody.credentials.rotation_lwa import LwaRotation
from custody.credentials.rotation_record import Cause, State, Wanted
from custody.credentials.suspension import Tools as SuspensionTools
from custody.errors import BadInput, TryLater
from custody.orders.records import ContractId
from custody.vault.secret_store import refresh_token_of

ROTATED = (LWA_SECRET, *ROLES)
"""What is rotated without a seller; the rest is changed by who issued it."""
Counts = dict[str, int]


class Tools(NamedTuple):
    """What rotations work with; without ``arrivals`` no queue is configured."""

    engine: Engine
    secrets: RecordedSecrets
    client_secret: LwaRotation
    arrivals: Arrivals | None
    keys: KeyTools
    suspensions: SuspensionTools
    contact: str
    secret_age: timedelta
    clock: Callable[[], datetime]
    wait: timedelta = LONGEST_POLL  # for a secret that Amazon was asked for


class Rotator:
    """Rotates the credentials of one installation."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    def start(self, credential: str, *, reason: str, actor: str, cause: Cause = Cause.ASKED) -> str:
        """Request a rotation, and give its id; the id of the one under way when there is one.

        Raises BadInput for what is not rotated here, or cannot be without a queue.
        """
        if credential not in ROTATED:
            raise BadInput(
                f"{credential} is not rotated here: only {', '.join(ROTATED)}. Change it where it is issued, "
                "then store it with `custody credential set`."
            )
        if credential == LWA_SECRET and self.tools.arrivals is None:
            raise BadInput(
                "Amazon sends a new client secret to a queue, and none is configured: set rotation_queue. "
                f"Without one, rotate it in the console and store it: `custody credential set {LWA_SECRET}`."
            )
        with self.tools.engine.begin() as connection:
            wanted = Wanted(credential, cause, reason, actor)
            return rotation_record.request(connection, wanted, self.tools.clock())[0]

    def suspect(self, contract_id: str | None, reason: str, *, actor: str) -> tuple[str, ...]:
        """Act on a suspicion at once: for one seller's token and contract key, or for our own client secret.

        Repeated, it is the same rotation. Amazon's answer is not waited for: the steps take it up.
        """
        if contract_id is not None:
            return (suspension.suspend(self.tools.suspensions, ContractId(contract_id), reason, actor),)
        rotation_id = self.start(LWA_SECRET, reason=reason, actor=actor, cause=Cause.SUSPICION)
        self.tools.client_secret.ask()
        return (rotation_id,)

    def lift(self, contract_id: str, *, actor: str) -> bool:
        """Put a seller's suspended token back in use; False when none is suspended."""
        return suspension.lift(self.tools.suspensions, ContractId(contract_id), actor)

    def due(self) -> Counts:
        """(1) Request what is old enough; what cannot be rotated here is told by warnings instead."""
        now, requested = self.tools.clock(), 0
        with self.tools.engine.begin() as connection:
            for age in ages.every(connection):
                possible = age.credential in ROLES or self.tools.arrivals is not None
                if kind_of(age.credential) is None or age.credential not in ROTATED or not possible:
                    continue
                if is_due(age, now, secret_age=self.tools.secret_age):
                    reason = f"stored on {age.made_at:%Y-%m-%d}"
                    wanted = Wanted(age.credential, Cause.AGE, reason, ACTOR)
                    requested += rotation_record.request(connection, wanted, now)[1]
        return {"requested": requested}

    def request(self) -> Counts:
        """(2) Rotate the signing keys that are requested, and ask Amazon for a client secret."""
        keys = sum(rotate_key(self.tools.keys, credential) for credential in ROLES)
        return {"keys": keys, "asked": int(self.tools.client_secret.ask())}

    def receive(self) -> Counts:
        """(3) Take what is on the queue; waits 20 s at most, and only for what Amazon was asked for.

        Raises TryLater when that has not come yet: the incident of one that is late is opened first.
        """
        arrivals, now = self.tools.arrivals, self.tools.clock()
        if arrivals is None:
            return {}
        counts = arrivals.take_all(now, wait=self.tools.wait if self._is_awaited() else timedelta(0))
        with self.tools.engine.begin() as connection:
            rotation_late.look(connection, now)
            rotation = rotation_record.under_way(connection, LWA_SECRET)
        if rotation is not None and rotation.state is State.REQUESTED:
            why = rotation.trouble or "the new client secret has not come yet"
            raise TryLater(f"Rotation {rotation.rotation_id}: {why}; it is looked for again later.")
        return {str(outcome): count for outcome, count in counts.items()}

    def verify(self) -> Counts:
        """(4) Have Amazon take what was received; raises TryLater while it does not."""
        return {"verified": int(self.tools.client_secret.verify())}

    def promote(self) -> Counts:
        """(5) Put what is verified in use."""
        return {"promoted": int(self.tools.client_secret.promote())}

    def clean(self) -> Counts:
        """(6) Destroy what has served, end suspensions, warn of age, and open incidents for what is late."""
        cleaned = self.tools.client_secret.clean() + suspension.settle(self.tools.suspensions)
        now = self.tools.clock()
        with self.tools.engine.begin() as connection:
            warned = warn(connection, self.tools.contact, now)
            late = rotation_late.look(connection, now)
        return {"cleaned": cleaned, "warned": warned, "late": late}

    def watch(self) -> int:
        """Open incidents for rotations that are late; a cheap look for whoever comes by often."""
        with self.tools.engine.begin() as connection:
            return rotation_late.look(connection, self.tools.clock())

    def is_suspended(self, contract_id: str) -> bool:
        """Tell whether a seller's token is out of use."""
        with self.tools.engine.connect() as connection:
            return rotation_record.under_way(connection, refresh_token_of(contract_id)) is not None

    def _is_awaited(self) -> bool:
        with self.tools.engine.connect() as connection:
            rotation = rotation_record.under_way(connection, LWA_SECRET)
        return (
            rotation is not None and rotation.state is State.REQUESTED and rotation.attempted_at is not None
        )
