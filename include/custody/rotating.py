"""The parts that rotate credentials, put together."""

from collections.abc import Callable

from custody.amazon.applications import Applications
from custody.certificates.public_keys import publish_keys
from custody.certificates.signing import Signer
from custody.credentials import rotation_keys, rotation_lwa, suspension
from custody.credentials.arrivals import Arrivals
from custody.credentials.inbox import Inbox
from custody.credentials.rotation import Rotator, Tools
from custody.foundations import Foundations
from custody.orders.records import ContractId
from custody.retention.rekey import rekey


def rotator(
    house: Foundations,
    application: Callable[[], Applications],
    log_key: Callable[[], str],
    forget: Callable[[ContractId], None],
) -> Rotator:
    """Make the rotator of an installation; ``log_key`` gives the line by which its log is verified."""
    engine, secrets, clock = house.engine, house.secrets, house.clock
    queue = house.settings.rotation_queue

    def publish(signers: tuple[Signer, ...]) -> None:
        publish_keys(house.settings.certificates, signers, log_key())

    def change_key(contract_id: ContractId) -> None:
        rekey(engine, house.key_ring, contract_id)

    return Rotator(
        Tools(
            engine=engine,
            secrets=secrets,
            client_secret=rotation_lwa.LwaRotation(rotation_lwa.Tools(engine, secrets, application, clock)),
            arrivals=Arrivals(engine, secrets, Inbox(queue, house.aws)) if queue else None,
            keys=rotation_keys.Tools(engine, secrets, publish, clock),
            suspensions=suspension.Tools(engine, secrets, forget, change_key, clock),
            contact=house.settings.processor_contact,
            secret_age=house.settings.rotation_age,
            clock=clock,
        )
    )
