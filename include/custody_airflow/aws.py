"""The way to AWS through Airflow's own hooks: its connection, its roles, its regions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from custody.bootstrap import House
from custody.bootstrap import house as plain_house
from custody.settings import Settings
from custody.vault.aws import Clients


def clients(connection: str | None) -> Clients:
    """Give what makes AWS clients by a connection of Airflow's; without one, by what the machine has."""

    def made(service: str, region: str | None) -> Any:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

        hook = AwsGenericHook[Any](aws_conn_id=connection, region_name=region, client_type=service)
        return hook.get_conn()

    return made


@contextmanager
def house(settings: Settings | None = None, **options: Any) -> Iterator[House]:
    """Give this process's installation, as ``custody.bootstrap.house`` does, with Airflow's way to AWS."""
    known = settings or Settings.load()
    with plain_house(known, aws=clients(known.aws_connection), **options) as made:
        yield made
