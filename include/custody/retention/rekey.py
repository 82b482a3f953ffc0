"""Moving a contract to a new contract key while nothing is erased: the old one is under suspicion.

(1) the next version is durable; (2) every order key is rewrapped and the contract pointed to it, in one
transaction; (3) the old version is destroyed. Killed before (2), the new version is a stray that the next
purge destroys; killed after it, the old one is.
"""

from sqlalchemy import Connection, Engine, bindparam, select, update

from custody.database.alone import alone
from custody.database.tables import contracts, order_keys
from custody.errors import TryLater
from custody.orders.records import ContractId, OrderRef
from custody.vault.envelope import Wrapper
from custody.vault.key_ring import KeyRing

CHUNK = 5_000  # order keys at a time: about 1 MB


def rekey(engine: Engine, key_ring: KeyRing, contract_id: ContractId) -> int:
    """Give a contract a new key and destroy every other version; give how many order keys were rewrapped.

    Raises TryLater while a purge of the contract is at work.
    """
    with alone(engine, f"purge|{contract_id}") as granted:
        if not granted:
            raise TryLater(f"Contract {contract_id}: a purge is at work; its key is changed after it.")
        with engine.begin() as connection:
            done, new = _rewrap(connection, key_ring, contract_id)  # (1) (2)
        for version in key_ring.versions(contract_id):
            if version != new:
                key_ring.destroy(contract_id, version)  # (3)
    return done


def _rewrap(connection: Connection, key_ring: KeyRing, contract_id: ContractId) -> tuple[int, int]:
    mine = contracts.c.contract_id == contract_id
    old = connection.execute(select(contracts.c.key_version).where(mine).with_for_update()).scalar_one()
    new = old + 1
    before = Wrapper(contract_id, old, key_ring.read(contract_id, old))
    after = Wrapper(contract_id, new, key_ring.create(contract_id, new))
    known = (order_keys.c.contract_id == contract_id, order_keys.c.key_version == old)
    some = select(order_keys.c.order_ref, order_keys.c.wrapped).where(*known).limit(CHUNK)
    change = (
        update(order_keys)
        .where(order_keys.c.contract_id == contract_id, order_keys.c.order_ref == bindparam("ref"))
        .values(key_version=new, wrapped=bindparam("rewrapped"))
    )
    done = 0
    while rows := connection.execute(some).all():
        moved = [(OrderRef(ref), before.unwrap(OrderRef(ref), wrapped)) for ref, wrapped in rows]
        connection.execute(change, [{"ref": ref, "rewrapped": after.wrap(ref, key)} for ref, key in moved])
        done += len(rows)
    connection.execute(update(contracts).where(mine).values(key_version=new))
    return done, new
