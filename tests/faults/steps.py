"""The steps of an installation's life that are killed: what one DAG run does for all contracts."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial

from sqlalchemy import Connection, select

from custody.bootstrap import House, Outcome
from custody.contracts import registry
from custody.contracts.contract import TaskName
from custody.database.tables import orders, task_states
from custody.fulfillment.shipments import ShipmentTable
from custody.fulfillment.work import READY, TaskState
from custody.incidents.moves import Assessment
from custody.incidents.phases import DUTIES, Breach, Known, Phase, Severity
from custody.incidents.record import every
from custody.incidents.review import Action, Review
from custody.notices.delivery import Sender
from custody.orders import cursor as cursors
from custody.orders.cursor import Cursor
from custody.retention import erase
from custody.retention.records import PurgePlan
from custody.vault.key_ring import KeyRing
from custody.vault.secret_store import DIGEST_KEY, LWA_CLIENT_ID, LWA_CLIENT_SECRET, refresh_token_of

SELLERS, MAIL_SERVER = "sellers.csv", "mail-server"
_REVIEW = Review(
    "The rule was never deployed.",
    ("Nobody tried it.",),
    "The count.",
    (Action("Try it", "ada", date(2099, 1, 1)),),
)
CLIENT_ID, CLIENT_SECRET = b"client-of-the-stand-in", b"secret-of-the-stand-in"


def register(house: House) -> None:
    """Make the installation's keys, store its credentials and register the sellers of its file."""
    house.create_keys()
    house.secrets.write(LWA_CLIENT_ID, CLIENT_ID)
    house.secrets.write(LWA_CLIENT_SECRET, CLIENT_SECRET)
    now = house.clock()
    with (house.settings.home / SELLERS).open() as stream:
        sellers = registry.read_sellers(stream, now)
    for contract, token in sellers:
        house.secrets.write(refresh_token_of(contract.contract_id), token.encode())
        with house.engine.begin() as connection:
            registry.add(connection, house.key_ring, contract, first_pull_from=now - timedelta(days=30))


def pull(house: House) -> None:
    """Ingest."""
    _well(house.pull(_everyone(house)))


def fulfill(house: House) -> None:
    """Do all contracted tasks; between the slips and the confirmations the warehouse sends its file."""
    everyone = _everyone(house)
    _well(house.work(TaskName.PICK_LIST, everyone, actor="test"))
    _well(house.work(TaskName.PACKING_SLIP, everyone, actor="test"))
    table = ShipmentTable(house.engine, house.vault, house.secrets.read(DIGEST_KEY))
    refused = table.take(io.StringIO(_warehouse(house)), house.clock()).refused
    if refused:
        raise RuntimeError(f"The warehouse's file was refused: {refused}.")
    _well(house.work(TaskName.CONFIRM_SHIPMENT, everyone, actor="test"))


def purge(house: House) -> None:
    """Purge what is due."""
    _well(house.purge(_everyone(house)))


def end_contracts(house: House) -> None:
    """Go on with the ends of contracts; there may be none left."""
    if outcomes := house.end_contracts():
        _well(outcomes)


def answer(house: House, asked_in: Phase) -> None:
    """Give the answer that takes each incident on from a phase, as a task does that may run again."""
    say, who = house.responder, "airflow, ada"
    with house.engine.connect() as connection:
        known = [each.incident_id for each in every(connection, closed=True)]
    for each in known:
        if asked_in is Phase.DETECT:
            say.acknowledge(each, actor=who, asked_in=asked_in)
        elif asked_in is Phase.TRIAGE:
            judged = Assessment(
                Severity.HIGH, Breach.CONFIRMED, Known.YES, "A token was used from elsewhere."
            )
            say.assess(each, judged, actor=who, scope={"contracts": ["acme-eu"]}, asked_in=asked_in)
        elif asked_in is Phase.REVIEW:
            say.close(each, _REVIEW, actor=who, asked_in=asked_in)
        else:
            to = list(Phase)[list(Phase).index(asked_in) + 1]
            say.move(each, to, said="It is done.", actor=who, asked_in=asked_in)


def contain(house: House) -> None:
    """Propose and take what contains incidents, where it is due."""
    house.containing.take_due(house.clock())


def announce(house: House) -> None:
    """Draft what incidents owe and send it, by the mail server whose address a file of the home names."""
    url = (house.settings.home / MAIL_SERVER).read_text()
    settings = replace(house.settings, smtp_url=url)
    house.announcer.look(house.clock())
    Sender(house.engine, settings, house.secrets.read, house.clock).send_owed()


def careless_pull(house: House) -> None:
    """Ingest with a fault planted on purpose: the cursor moves in a transaction of its own."""
    move = cursors.move

    def moved_alone(connection: Connection, seen: Cursor, moved: Cursor) -> None:
        with house.engine.begin() as own:
            move(own, seen, moved)

    cursors.move = moved_alone
    pull(house)


def careless_purge(house: House) -> None:
    """Purge with a fault planted on purpose: the old key is destroyed before its survivors are committed."""
    rotate = erase._rotate

    def rotated(connection: Connection, ring: KeyRing, plan: PurgePlan) -> tuple[int, int]:
        moved = rotate(connection, ring, plan)
        ring.destroy(plan.contract_id, plan.key_version)
        return moved

    erase._rotate = rotated
    purge(house)


STEPS: dict[str, Callable[[House], None]] = {
    "register": register,
    "pull": pull,
    "pull again": pull,
    "fulfill": fulfill,
    "purge": purge,
    "end contracts": end_contracts,
    **{f"answer in {phase}": partial(answer, asked_in=phase) for phase in DUTIES},
    "announce": announce,
    "contain": contain,
    "careless pull": careless_pull,
    "careless purge": careless_purge,
}


def _everyone(house: House) -> list[str]:
    return [each.contract_id for each in house.contracts()]


def _well(outcomes: Sequence[Outcome]) -> None:
    trouble = [each.trouble for each in outcomes if each.trouble]
    if trouble or not outcomes:
        raise RuntimeError(f"A step did not go well: {trouble}.")


def _warehouse(house: House) -> str:
    """Give the file of a warehouse that sends two of three orders whose slip is printed."""
    file = io.StringIO()
    out = csv.writer(file)
    out.writerow(["order_id", "carrier_code", "tracking_number", "ship_date"])
    printed = select(task_states.c.order_ref).where(
        task_states.c.task == TaskName.PACKING_SLIP, task_states.c.state == TaskState.DONE
    )
    query = select(orders.c.order_id).where(orders.c.order_ref.in_(printed), orders.c.status.in_(READY))
    with house.engine.connect() as connection:
        for order_id in connection.execute(query.order_by(orders.c.order_id)).scalars():
            digits = int(order_id.replace("-", ""))
            if digits % 3:
                out.writerow([order_id, "Royal Mail", f"TRK{digits:017}", house.clock().isoformat()])
    return file.getvalue()
