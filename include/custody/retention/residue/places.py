"""The places that a residue scan searches in one installation, and those that it cannot see."""

from functools import partial
from pathlib import Path

from sqlalchemy import URL, Engine, NullPool, create_engine, make_url

from custody.errors import BadInput
from custody.retention.residue.interface import Place
from custody.retention.residue.rows import DatabaseRows
from custody.retention.residue.server_files import ServerFiles
from custody.retention.residue.trees import DirectoryTree
from custody.settings import Settings

OURS = "Custody's tables"
AIRFLOW = "Airflow's metadata database"
SERVER = "PostgreSQL's files"


def places_of(settings: Settings, engine: Engine) -> tuple[tuple[Place, ...], tuple[str, ...]]:
    """Give the places of an installation, and a sentence for each that its settings do not name.

    Raises BadInput when two places have one name.
    """
    places: list[Place] = [DatabaseRows(OURS, lambda: engine, writable=True)]
    unseen = ["backups, and copies that were taken elsewhere"]
    places += [DirectoryTree(name, path) for name, path in _own_directories(settings) if path.is_dir()]
    if not settings.residue_surfaces:
        unseen.append("Airflow's logs and working folders (residue_surfaces is not set)")
    for each in settings.residue_surfaces:
        name, _, path = each.partition("=")
        places.append(DirectoryTree(name, Path(path)))
    if settings.airflow_metadata_url is None:
        unseen.append(f"{AIRFLOW} (airflow_metadata_url is not set)")
    else:
        reader = partial(create_engine, _airflow_url(settings), poolclass=NullPool, hide_parameters=True)
        places.append(DatabaseRows(AIRFLOW, reader, writable=False))
    if settings.postgres_data is None:
        unseen.append(f"{SERVER} (postgres_data is not set)")
    else:
        places.append(ServerFiles(SERVER, settings.postgres_data, engine))
    names = [place.name for place in places]
    if len(set(names)) < len(names):
        raise BadInput("Two of residue_surfaces have one name, or the name of a place of Custody's own.")
    return tuple(places), tuple(unseen)


def _own_directories(settings: Settings) -> list[tuple[str, Path]]:
    """List where Custody writes by itself; keys may lie elsewhere than in a directory."""
    kept = [
        ("certificates", settings.certificates),
        ("journal", settings.home / "journal"),
        ("notices", settings.home / "notices"),
        ("records", settings.home / "records"),
        ("transparency log", settings.home / "log"),
    ]
    for name, location in (("key ring", settings.key_ring), ("secret store", settings.secret_store)):
        kind, _, path = location.partition(":")
        if kind == "file":
            kept.append((name, Path(path)))
    return kept


def _airflow_url(settings: Settings) -> URL:
    """Give the address with its password; the driver is ours, whatever Airflow's own is."""
    url = make_url(settings.airflow_metadata_url or "")
    if not url.drivername.startswith("postgresql"):
        raise BadInput("airflow_metadata_url is no address of a PostgreSQL; correct it.")
    url = url.set(drivername="postgresql+psycopg")
    file = settings.airflow_metadata_password_file
    if file is None:
        return url
    try:
        return url.set(password=file.read_text().strip())
    except OSError:
        raise BadInput(f"No password in {file}; correct airflow_metadata_password_file.") from None
