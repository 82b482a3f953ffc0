"""The demo's warehouse: packs what has a slip, invents a tracking number, and hands over its list.

It is no part of Amazon's stand-in, and speaks to Custody as a real one would: by
``custody shipments import``. Its list goes through a pipe and is never a file.
"""

import csv
import io
import re
import secrets
import string
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, any_, exists, literal, or_, select

from custody.contracts.contract import TaskName
from custody.database.tables import artifacts, contracts, orders, shipments
from custody.fulfillment.work import AMAZON, READY, SHIPPED_BY_AMAZON_LABEL
from custody_local.errors import NotReady

_CARRIERS = {"eu": "DPD", "na": "UPS", "fe": "Yamato"}
_OWN_SENTENCE = re.compile(r"custody: |line \d+: ")  # what the command says of itself, or of a line
_ALPHABET = string.ascii_uppercase + string.digits


def pack(engine: Engine) -> list[tuple[str, str]]:
    """Give the orders that can be sent now, each with its region: READY, and printed where a slip is due."""
    packed = exists(select(artifacts.c.order_ref).where(artifacts.c.order_ref == orders.c.order_ref))
    sent = exists(select(shipments.c.order_ref).where(shipments.c.order_ref == orders.c.order_ref))
    query = (
        select(orders.c.order_id, contracts.c.region)
        .join(contracts, contracts.c.contract_id == orders.c.contract_id)
        .where(
            literal(TaskName.CONFIRM_SHIPMENT) == any_(contracts.c.tasks),
            or_(~(literal(TaskName.PACKING_SLIP) == any_(contracts.c.tasks)), packed),
            orders.c.status.in_(READY),
            orders.c.fulfilled_by != AMAZON,
            ~(literal(SHIPPED_BY_AMAZON_LABEL) == any_(orders.c.programs)),
            ~sent,
        )
        .order_by(orders.c.order_id)
    )
    with engine.connect() as connection:
        return [(row.order_id, row.region) for row in connection.execute(query)]


def ship(parcels: list[tuple[str, str]], environment: Mapping[str, str]) -> None:
    """Hand a list of parcels to ``custody shipments import``; raises NotReady when it is refused."""
    if not parcels:
        return
    command = [str(Path(sys.executable).with_name("custody")), "shipments", "import", "-"]
    done = subprocess.run(
        command, input=_list(parcels), text=True, env=dict(environment), capture_output=True
    )
    if done.returncode:
        raise NotReady(f"The warehouse's list was not taken: {_reason(done.stderr, done.returncode)}")


def _reason(errors: str, status: int) -> str:
    """Give the command's own last sentence, which names references only; nothing of what a crash shows."""
    last = next(reversed(errors.strip().splitlines()), "")
    return last if _OWN_SENTENCE.match(last) else f"the command ended with {status}; run it by hand."


def _list(parcels: list[tuple[str, str]]) -> str:
    sent_at = datetime.now(UTC).isoformat()
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["order_id", "carrier_code", "tracking_number", "ship_date"])
    for order_id, region in parcels:
        tracking = "DEMO" + "".join(secrets.choice(_ALPHABET) for _ in range(14))
        writer.writerow([order_id, _CARRIERS[region], tracking, sent_at])
    return text.getvalue()
