"""The receipt of a contract key's destruction, signed by another key than the certificate."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from joserfc.jwk import KeySet

from custody import __version__
from custody.certificates.signing import Role
from custody.certificates.token import Invalid, Problem, open_token
from custody.orders.records import ContractId

TYPE = "custody-receipt+jws"
HOW = "every copy in the key ring overwritten and unlinked; there is no backup of contract keys"


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed: which key versions are gone, for which purge, since when, and how.

    ``keys_destroyed`` are named ``CONTRACT/VERSION``, as in the certificate.
    """

    receipt_id: str
    purge_id: str
    contract_id: ContractId
    keys_destroyed: tuple[str, ...]
    destroyed_at: datetime
    how: str
    tool: str


def receipt_for(
    purge_id: str, contract_id: ContractId, keys: Sequence[str], destroyed_at: datetime, *, how: str = HOW
) -> Receipt:
    """Draw up the receipt of a purge; its id follows from the purge's, so there is one of each."""
    return Receipt(
        receipt_id=f"receipt-{purge_id}",
        purge_id=purge_id,
        contract_id=contract_id,
        keys_destroyed=tuple(keys),
        destroyed_at=destroyed_at,
        how=how,
        tool=f"custody {__version__}",
    )


def read_receipt(token: str, keys: KeySet) -> Receipt:
    """Open a receipt that a receipt key has signed; raises Invalid (receipt)."""
    try:
        return msgspec.json.decode(open_token(token, keys, kind=TYPE, role=Role.RECEIPT), type=Receipt)
    except Invalid as invalid:
        raise Invalid(Problem.RECEIPT, f"The receipt of the key's destruction: {invalid}") from None
    except (msgspec.DecodeError, UnicodeError):
        raise Invalid(Problem.RECEIPT, "The receipt of the key's destruction is none.") from None
