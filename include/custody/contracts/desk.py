"""What people do with contracts and holds, whether they type a command or fill in a form.

Each act is one transaction with its audit event, and is then noted in the journal of erasures, so that
a restored database does not forget it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine, select

from custody.contracts import changes, registry
from custody.contracts.changes import Change
from custody.contracts.contract import Contract
from custody.database.tables import contracts
from custody.errors import BadInput
from custody.orders.records import ContractId
from custody.retention import holds
from custody.retention.holds import Release
from custody.retention.journal import Journal
from custody.vault.key_ring import KeyRing
from custody.vault.secret_store import FileSecretStore, refresh_token_of


class Desk:
    """Takes what people want of contracts and holds; ``actor`` is who wants it."""

    def __init__(
        self,
        engine: Engine,
        key_ring: KeyRing,
        secrets: FileSecretStore,
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

    def _note(self, contract_id: ContractId) -> None:
        with self._engine.connect() as connection:
            self._journal.note_rows(connection, contract_id)
