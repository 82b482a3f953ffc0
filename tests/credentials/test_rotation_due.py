"""When a credential is due, and when somebody is warned: rules without a clock of their own."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.credentials.rotation_due import LIVES, WARNED, Age, Kind, end_of, is_due, kind_of, warning
from custody.errors import BadInput

from ..builders import NOW

SECRET, KEY, TOKEN, SMTP = "lwa/client-secret", "signing-key", "refresh-token/acme", "smtp/password"
NAMES = [SECRET, KEY, "receipt-key", TOKEN, SMTP]


def age(credential: str = SECRET, **changes: object) -> Age:
    return Age(**{"credential": credential, "version": 1, "made_at": NOW, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (SECRET, Kind.CLIENT_SECRET),
        (KEY, Kind.SIGNING_KEY),
        ("receipt-key", Kind.SIGNING_KEY),
        (TOKEN, Kind.AUTHORIZATION),
        (SMTP, Kind.PROGRAMMATIC),
        ("slack/token", Kind.PROGRAMMATIC),
        ("digest-key", None),
        ("log-key", None),
        ("fingerprint-key", None),
        ("lwa/client-id", None),
        ("lwa/client-secret-former", None),
        ("lwa/rotation-0123456789abcdef", None),
        ("suspended/acme", None),
    ],
)
def test_a_credential_is_known_by_its_name(name: str, kind: Kind | None) -> None:
    assert kind_of(name) is kind


def test_one_whose_age_means_nothing_has_no_end() -> None:
    with pytest.raises(BadInput, match="log-key"):
        end_of(age("log-key"))


@pytest.mark.parametrize(
    ("name", "lives", "changed"), [(SECRET, 180, 90), (KEY, 365, 335), (TOKEN, 365, None), (SMTP, 365, None)]
)
def test_each_kind_has_its_life(name: str, lives: int, changed: int | None) -> None:
    assert end_of(age(name)) == NOW + timedelta(days=lives)
    if changed is None:
        assert not is_due(age(name), NOW + timedelta(days=400))
        return
    assert not is_due(age(name), NOW + timedelta(days=changed, seconds=-1))
    assert is_due(age(name), NOW + timedelta(days=changed))


def test_the_client_secret_has_a_rule_of_the_installation_and_no_other_has() -> None:
    month = timedelta(days=30)
    assert is_due(age(SECRET), NOW + month, secret_age=month)
    assert not is_due(age(KEY), NOW + month, secret_age=month)


def test_what_its_issuer_says_of_the_end_comes_before_the_rule() -> None:
    soon = age(SECRET, expires_at=NOW + timedelta(days=53))
    assert end_of(soon) == NOW + timedelta(days=53)
    assert is_due(soon, NOW)  # no more than 90 days are left, whatever its age is


def test_a_warning_is_given_at_each_threshold_once_and_the_nearest_only() -> None:
    known, given_at = age(SMTP), []
    for day in range(370):
        days = warning(known, NOW + timedelta(days=day))
        if days is not None:
            given_at.append((365 - day, days))
            known = age(SMTP, warned=days)
    assert given_at == [(days, days) for days in WARNED]
    assert warning(age(SMTP), NOW + timedelta(days=360)) == 7  # seen late: one warning, not four


@given(name=st.sampled_from(NAMES), days=st.integers(0, 500), warned=st.sampled_from((None, *WARNED)))
def test_what_was_warned_of_is_only_warned_of_again_when_the_end_is_nearer(
    name: str, days: int, warned: int | None
) -> None:
    found = warning(age(name, warned=warned), NOW + timedelta(days=days))
    left = LIVES[kind_of(name) or Kind.PROGRAMMATIC].lives - timedelta(days=days)
    assert found is None or (left <= timedelta(days=found) and (warned is None or found < warned))
