"""The terms of a contract as a person gives them, each accepted or refused with what is wrong."""

import re
from collections.abc import Iterable
from datetime import datetime

from custody.amazon.interface import Region
from custody.amazon.marketplaces import marketplace
from custody.contracts.contract import Contract, ContractState, TaskName
from custody.errors import BadInput
from custody.orders.records import ContractId

LONGEST_NAME = 200  # ours: it stands on slips and certificates
LONGEST_ADDRESS = 254  # RFC 5321 §4.5.3.1.3, without the angle brackets
_WORD = r"[^@\s\x00-\x1f\x7f<>(),;:\\\"]+"  # no line break and no separator: it goes into a mail's header
_ADDRESS = re.compile(rf"{_WORD}@{_WORD}\.{_WORD}")


def contract_of(
    *,
    seller_id: str,
    name: str,
    region: str,
    marketplace_ids: Iterable[str],
    tasks: Iterable[str],
    now: datetime,
    contacts: Iterable[str] = (),
) -> Contract:
    """Make a contract of what a person gave; raises BadInput saying what is wrong with it."""
    seller, place = seller_id.strip(), region.strip().lower()
    contract_id = contract_id_of(seller, place)
    if not seller.isalnum() or not seller.isascii() or place not in set(Region):
        raise BadInput(
            "A contract needs a seller id of letters and digits, as in Seller Central, "
            f"and a region ({', '.join(Region)}); correct them."
        )
    return Contract(
        contract_id=contract_id,
        seller_id=seller,
        name=named(name),
        region=place,
        marketplace_ids=marketplaces_in(place, marketplace_ids),
        tasks=granted(tasks),
        state=ContractState.ACTIVE,
        started_at=now,
        contacts=addresses(contacts),
    )


def contract_id_of(seller_id: str, region: str) -> ContractId:
    """Derive a contract's id, of a-z, 0-9 and -, from its seller and region."""
    return ContractId(re.sub(r"[^a-z0-9]+", "-", f"{seller_id.strip().lower()}-{region}").strip("-")[:63])


def named(name: str) -> str:
    """Give a seller's name; raises BadInput for one that is empty, too long or not printable."""
    text = name.strip()
    if not text or len(text) > LONGEST_NAME or not text.isprintable():
        raise BadInput(f"The seller's name has 1 to {LONGEST_NAME} printable characters; correct it.")
    return text


def granted(tasks: Iterable[str]) -> frozenset[TaskName]:
    """Give the tasks that are named; raises BadInput for none, and for one that is not known."""
    try:
        found = frozenset(TaskName(each.strip()) for each in tasks)
    except ValueError:
        raise BadInput(f"A task is not known; known are {', '.join(TaskName)}.") from None
    if not found:
        raise BadInput(f"A contract grants at least one task; known are {', '.join(TaskName)}.")
    return found


def marketplaces_in(region: str, marketplace_ids: Iterable[str]) -> frozenset[str]:
    """Give the marketplaces that are named; raises BadInput for none, and for one of another region."""
    found = frozenset(each.strip() for each in marketplace_ids if each.strip())
    if not found:
        raise BadInput("A contract names at least one marketplace id; add it.")
    for each in sorted(found):
        if marketplace(each).region != region:
            raise BadInput(
                f"Marketplace {each} is not in region {region}; another region is another contract."
            )
    return found


def addresses(contacts: Iterable[str]) -> tuple[str, ...]:
    """Give e-mail addresses, each once; raises BadInput naming a wrong one by its place alone."""
    found = [each.strip() for each in contacts if each.strip()]
    for place, each in enumerate(found, 1):
        if len(each) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(each):
            raise BadInput(f"Contact {place} is not an e-mail address; correct it.")
    return tuple(dict.fromkeys(found))
