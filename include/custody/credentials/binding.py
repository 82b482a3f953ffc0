"""A seller's token is for that seller's contract alone: held against the records where it is used.

Rules:
- who asks for a contract's token names the seller, the region and the marketplaces that the contract has;
- the value that is read is the contract's own: one that is another's is never sent to Amazon;
- a value that nobody has entered, as one of before there were fingerprints, is entered at its first use.
"""

import threading

from sqlalchemy import Engine

from custody.amazon.interface import Seller
from custody.contracts import registry
from custody.credentials import registry as credentials
from custody.credentials.reader import at_work
from custody.credentials.recorded import RecordedSecrets
from custody.errors import BadInput, CredentialTaken
from custody.vault.secret_store import refresh_token_of


class Binding:
    """Reads secrets for the Amazon client; safe to share between threads."""

    def __init__(self, engine: Engine, secrets: RecordedSecrets) -> None:
        self._engine = engine
        self._secrets = secrets
        self._guard = threading.Lock()
        # What was found to be right: sellers, and fingerprints of values with their owners.
        self._known: set[Seller | tuple[str, str]] = set()

    def require(self, seller: Seller) -> None:
        """Let a contract's own seller pass; raises CredentialRefused, with an incident, for another."""
        if seller in self._known:
            return
        why = self._mismatch(seller)
        if why is not None:
            raise self._secrets.refuse(refresh_token_of(seller.contract_id), at_work(), why)
        self._remember(seller)

    def read(self, name: str) -> str:
        """Give a secret for Amazon; raises CredentialRefused, with an incident, for another's value."""
        value = self._secrets.read(name)
        owner = credentials.owner_of(name)
        known = (owner or "", self._secrets.fingerprints.of(value))
        if owner is not None and known not in self._known:
            try:
                self._secrets.own(name, value)
            except CredentialTaken:
                why = "the value under that name is another's"
                raise self._secrets.refuse(name, at_work(), why) from None
            self._remember(known)
        return value.decode()

    def _mismatch(self, seller: Seller) -> str | None:
        try:
            with self._engine.connect() as connection:
                contract = registry.get(connection, seller.contract_id)
        except BadInput:
            return "there is no such contract"
        if (seller.seller_id, seller.region.value) != (contract.seller_id, contract.region):
            return f"it was asked for to call Amazon for {seller.seller_id}/{seller.region.value}"
        if not contract.marketplace_ids >= set(seller.marketplace_ids):
            return "it was asked for a marketplace that is not the contract's"
        return None

    def _remember(self, found: Seller | tuple[str, str]) -> None:
        with self._guard:
            self._known.add(found)
