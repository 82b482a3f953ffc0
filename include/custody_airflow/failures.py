"""What an error of the library means to Airflow: try again, or stop and show a person."""

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from custody.errors import CustodyError, TryLater
from custody_airflow.at_work import at_work


@contextmanager
def told_to_airflow() -> Iterator[None]:
    """Turn the library's errors into Airflow's; what may succeed later is retried, nothing else.

    Only the message goes on: it names references, never a personal value, and no cause is chained.
    Inside the block the task is at work: it is on record as the actor of calls and credential reads.
    """
    try:
        with at_work():
            yield
    except TryLater as error:
        raise AirflowException(str(error)) from None
    except CustodyError as error:
        raise AirflowFailException(str(error)) from None
