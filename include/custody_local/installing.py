"""Making a home ready for the demo: settings, keys, tables, Amazon and its sellers."""

import io
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import make_url

from amazon_simulator.config import Config
from custody.bootstrap import House
from custody.contracts import registry
from custody.contracts.termination_record import every
from custody.database.migrate import migrate
from custody.errors import BadInput
from custody.settings import Settings
from custody.vault.secret_store import LWA_CLIENT_ID, LWA_CLIENT_SECRET, refresh_token_of
from custody_local.airflow_configuration import inherited_environment
from custody_local.errors import NotReady
from custody_local.installation import Installation
from custody_local.layout import write_private
from custody_local.options import Options
from custody_local.ports import HOST, kept_port

_STARTING = timedelta(seconds=30)
_POLL = 0.1  # seconds
# Orders that are pending at the start are released one by one over a working day.
_PENDING_SECONDS = 36_000
_DELIVERY_SECONDS = 172_800  # two days from dispatch to delivery


@dataclass(frozen=True, slots=True)
class Amazon:
    """What plays Amazon's part, and our application there; ``sellers`` is the text of a sellers' file."""

    address: str
    client_id: str
    client_secret: str
    sellers: str

    def __repr__(self) -> str:
        return f"Amazon({self.address})"


def check_sellers(options: Options) -> None:
    """Read the file of sellers before anything is started; raises BadInput naming the line."""
    if options.sellers is not None:
        registry.read_sellers(io.StringIO(_text(options.sellers)), datetime.now(UTC))


def stand_in(installation: Installation, options: Options, repository: Path) -> Amazon:
    """Start our stand-in for Amazon, or take the one that the options name."""
    if options.amazon is not None and options.sellers is not None:
        return Amazon(
            options.amazon.rstrip("/"),
            os.environ["CUSTODY_LWA_CLIENT_ID"],
            os.environ["CUSTODY_LWA_CLIENT_SECRET"],
            _text(options.sellers),
        )
    layout = installation.layout
    port = kept_port(layout, "amazon")
    command = [sys.executable, "-m", "amazon_simulator", "--port", str(port)]
    command += ["--orders", str(options.orders), "--sellers", str(options.sellers_count)]
    command += ["--pending-seconds", str(_PENDING_SECONDS), "--delivery-seconds", str(_DELIVERY_SECONDS)]
    command += ["--quota-scale", str(options.quota_scale)]
    environment = inherited_environment(layout, repository)
    installation.processes.start("amazon", command, environment)
    address = f"http://{HOST}:{port}"
    ours = Config()
    return Amazon(address, ours.client_id, ours.client_secret, _sellers(installation, address))


def make_ready(installation: Installation, options: Options, amazon: Amazon) -> Settings:
    """Write the settings of the home, make its keys, and bring its database up to date."""
    address = installation.postgres.address
    layout = installation.layout
    values: dict[str, str | float | int | list[str]] = {
        "database_url": f"postgresql+psycopg://custody_app@{address.host}:{address.port}/custody",
        "database_password_file": str(layout.password_file("custody_app")),
        "amazon_stand_in": amazon.address,
        "quota_scale": options.quota_scale,
        "contracts_per_task": 2,  # so that the map of tasks can be seen
        "confirm_again_after": 120.0,  # a restarted stand-in has forgotten what it was told
        # What a residue scan searches besides Custody's own: where the processes of this home write.
        "residue_surfaces": [
            f"{name}={directory}"
            for name, directory in (
                ("Airflow's home and logs", layout.airflow),
                ("logs of all processes", layout.logs),
                ("working folder", layout.run),
                ("temporary files", layout.temporary),
            )
        ],
        "airflow_metadata_url": f"postgresql://airflow@{address.host}:{address.port}/airflow",
        "airflow_metadata_password_file": str(layout.password_file("airflow")),
        "postgres_data": str(layout.postgres),
    }
    lines = [
        f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}"
        for name, value in values.items()
    ]
    write_private(options.home / "settings.toml", "\n".join(lines) + "\n")
    settings = Settings.load({"CUSTODY_HOME": str(options.home)})
    house = House(settings)
    try:
        migrate(make_url(installation.postgres.url("custody_owner", "custody")))
        house.create_keys()
        house.secrets.write(LWA_CLIENT_ID, amazon.client_id.encode())
        house.secrets.write(LWA_CLIENT_SECRET, amazon.client_secret.encode())
    finally:
        house.close()
    return settings


def register(house: House, options: Options, amazon: Amazon) -> int:
    """Register the sellers and store their tokens, but not those that end; give how many there are."""
    now = house.clock()
    reach = house.settings.first_pull_reach
    if options.reach_days is not None:
        reach = timedelta(days=options.reach_days)
    try:
        sellers = registry.read_sellers(io.StringIO(amazon.sellers), now)
    except BadInput as mistake:
        raise NotReady(str(mistake)) from None
    with house.engine.connect() as connection:
        ending = {each.contract_id for each in every(connection)}
    for contract, token in sellers:
        if contract.contract_id in ending:
            continue
        house.secrets.write(refresh_token_of(contract.contract_id), token.encode())
        with house.engine.begin() as connection:
            registry.add(connection, house.key_ring, contract, first_pull_from=now - reach)
    return len(sellers)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"SELLERS: {file} is not UTF-8; save it as CSV in UTF-8.") from None


def _sellers(installation: Installation, address: str) -> str:
    """Wait until the stand-in is up, and ask it for its sellers."""
    deadline = time.monotonic() + _STARTING.total_seconds()
    while time.monotonic() < deadline:
        installation.check()
        try:
            return httpx.get(f"{address}/_simulator/sellers", trust_env=False).raise_for_status().text
        except httpx.TransportError:
            time.sleep(_POLL)
    raise NotReady("The stand-in for Amazon did not start; see logs/amazon.log in the home.")
