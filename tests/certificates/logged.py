"""A log with something in it: appending, and changing it as somebody with the database's password could."""

from hashlib import sha256
from typing import Any

from sqlalchemy import Executable, create_engine, insert

from custody.bootstrap import House
from custody.certificates import merkle
from custody.certificates.certificate import canonical, digest_of, render
from custody.certificates.log_entry import Kind, LogEntry, leaf
from custody.certificates.log_store import append, entries
from custody.certificates.receipt import receipt_for
from custody.certificates.receipt_store import issue_receipt
from custody.certificates.signing import Signer
from custody.database.tables import certificates

from ..builders import NOW, make_contract


def digest(number: int) -> str:
    """Make a digest of a number."""
    return f"sha256:{sha256(str(number).encode()).hexdigest()}"


def log(house: House, *numbers: int, kind: Kind = Kind.AUDIT_BATCH) -> list[LogEntry]:
    """Append entries, a transaction each."""
    made = []
    for each in numbers:
        with house.engine.begin() as connection:
            made.append(append(connection, kind, f"batch-{each}", digest(each), house.clock()))
    return made


def all_entries(house: House) -> list[LogEntry]:
    """Read the whole log."""
    with house.engine.connect() as connection:
        return list(entries(connection))


def root_of(house: House, count: int) -> bytes:
    """Compute the root of the first entries from nothing but themselves."""
    return merkle.Tree([merkle.leaf_hash(leaf(each)) for each in all_entries(house)[:count]]).root()


def as_owner(database: Any, *statements: Executable) -> None:
    """Change what the application may not."""
    engine = create_engine(database.owner_url)
    with engine.begin() as connection:
        for each in statements:
            connection.execute(each)
    engine.dispose()


def certify(house: House, number: int, *, logged: bool = True) -> str:
    """Store something signed in the place of a certificate, with its receipt and its entries in the log."""
    name = f"purge-{number}"
    payload = canonical({"certificate_id": name})
    document = render(payload, house.signer.token(payload, "custody-certificate+jws"))
    row = {
        "certificate_id": name,
        "contract_id": "acme-eu",
        "digest": digest_of(payload),
        "orders": 1,
        "document": document,
        "issued_at": NOW,
    }
    with house.engine.begin() as connection:
        connection.execute(insert(certificates).values(row))
        if logged:
            append(connection, Kind.CERTIFICATE, name, digest_of(payload), house.clock())
    return name


def acknowledge(house: House, signer: Signer, number: int) -> str:
    """Issue the receipt of a purge's destroyed key."""
    contract_id = make_contract().contract_id
    receipt = receipt_for(f"purge-{number}", contract_id, [f"acme-eu/{number}"], NOW)
    with house.engine.begin() as connection:
        return issue_receipt(connection, signer, receipt, house.clock())
