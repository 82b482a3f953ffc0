"""Who acts is one person, whichever way they came."""

import pytest

from custody.contracts.audit import same_person


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ada", "ada", True),
        ("ada", " Ada ", True),
        ("airflow, ada", "ada", True),
        ("airflow, Ada", "command line, ada", True),
        ("ada", "adam", False),
        ("airflow, ada", "airflow, bob", False),
    ],
)
def test_two_actors_are_one_person_by_their_name_alone(one: str, other: str, same: bool) -> None:
    assert same_person(one, other) is same_person(other, one) is same
