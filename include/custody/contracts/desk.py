"""What people do with contracts, their ends and holds, whether they type a command or fill in a form.

Each act is one transaction with its audit event, and is then noted in the journal of erasures, so that
a restored database does not forget it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine, select

from custody.contracts import changes, registry, termination_request
from custody.contracts.changes import Change
from custody.contracts.contract import Contract
from custody.contracts.termination_record import Termination, require_going_on
from custody.contracts.termination_request import Answer
from custody.database.tables import contracts
from custody.errors import BadInput
from custody.orders.records import ContractId
from custody.retention import holds
from custody.retention.holds import Release
from custody.retention.journal import Journal
from custody.vault.key_ring import KeyRing
from custody.vault.secret_store import SecretStore, refresh_token_of


class Desk:
    """Takes what people want of contracts, their ends and holds; ``actor`` is who wants it."""

    def __init__(
        self,
        engine: Engine,
        key_ring: KeyRing,
        secrets: SecretStore,
        journal: Journal,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._key_ring = key_ring
        self._secrets = secrets
        self._journal = journal
        self._clock = clock

    def add(self, contract: Contract, token: str | None, *, reach: timedelta, actor: str) -> None:
        """Register a contract whose first pull reaches back that far; raises BadInput if it is there.

        Without a token it is in trouble, and says so, until ``custody credential set`` has stored one.
        """
        name, now = refresh_token_of(contract.contract_id), self._clock()
        query = select(contracts.c.contract_id).where(contracts.c.contract_id == contract.contract_id)
        with self._engine.connect() as connection:
            known = connection.execute(query).first() is not None
        if not known and token is not None:
            self._secrets.write(name, token.encode())
        with self._engine.begin() as connection:
            added = not known and registry.add(
                connection, self._key_ring, contract, first_pull_from=now - reach, actor=actor
            )
            if added and token is None:
                trouble = f"No refresh token yet; store it with `custody credential set {name}`."
                registry.note_trouble(connection, contract.contract_id, trouble, now)
        if not added:
            raise BadInput(
                f"Contract {contract.contract_id} is there already; `custody contract set` changes it, and "
                f"`custody credential set {name}` its token."
            )
        self._note(contract.contract_id)

    def take(self, contract: Contract, token: str, *, reach: timedelta, actor: str) -> bool:
        """Register a contract of a sellers' file; for one that is there only its token, and False.

        Raises ContractFrozen for one whose end is decided.
        """
        with self._engine.begin() as connection:
            require_going_on(connection, contract.contract_id)
            self._secrets.write(refresh_token_of(contract.contract_id), token.encode())
            first = self._clock() - reach
            added = registry.add(connection, self._key_ring, contract, first_pull_from=first, actor=actor)
        self._note(contract.contract_id)
        return added

    def change(self, contract_id: str, wanted: Change, *, actor: str, grace: timedelta) -> Contract:
        """Change a contract's terms, and give it as it is then."""
        now = self._clock()
        with self._engine.begin() as connection:
            changed = changes.change(connection, contract_id, wanted, actor=actor, now=now, grace=grace)
        self._note(changed.contract_id)
        return changed

    def place(
        self,
        contract_id: str,
        order_ref: str | None,
        fields: Sequence[str],
        *,
        basis: str,
        authority: str,
        expires_at: datetime | None,
        actor: str,
        request: str | None = None,
    ) -> str:
        """Place a legal hold and give its id; the same ``request`` again is the same hold."""
        grounds = (basis, authority, expires_at, actor, self._clock())
        with self._engine.begin() as connection:
            hold_id = holds.place(connection, contract_id, order_ref, fields, *grounds, request=request)
        self._note(ContractId(contract_id))
        return hold_id

    def release(self, hold_id: str, *, actor: str) -> Release:
        """End a legal hold; what it kept and is due goes with the next purge."""
        with self._engine.begin() as connection:
            done = holds.release(connection, hold_id, actor, self._clock())
            contract_id = holds.get(connection, hold_id).contract_id
        self._note(contract_id)
        return done

    def ask_for_end(self, contract_id: str, *, reason: str, actor: str, run: str) -> Termination:
        """Ask for a contract's end by ``termination_request.freeze``, with its 30 days on record outside."""
        now = self._clock()
        with self._engine.begin() as connection:
            asked = termination_request.freeze(
                connection, contract_id, reason=reason, actor=actor, run=run, now=now
            )
        self._note(asked.contract_id)
        return asked

    def answer_end(self, contract_id: str, *, approve: bool, actor: str) -> Answer:
        """Answer the request for a contract's end, by ``termination_request.answer``."""
        known, now = ContractId(contract_id), self._clock()
        with self._engine.begin() as connection:
            said = termination_request.answer(connection, known, approve=approve, actor=actor, now=now)
            if said is Answer.REJECTED:  # a note that outlives its row would bring the request back
                self._journal.note_rows(connection, known)
        self._note(known)
        return said

    def _note(self, contract_id: ContractId) -> None:
        with self._engine.connect() as connection:
            self._journal.note_rows(connection, contract_id)
