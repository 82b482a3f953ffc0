"""One description of an installation, checked when it is built."""

from dataclasses import FrozenInstanceError
from datetime import timedelta
from pathlib import Path

import pytest

from custody.database.engine import url_for
from custody.errors import BadInput
from custody.settings import Settings

CANARY = "canary-password"


def load(home: Path, toml: str = "", **variables: str) -> Settings:
    if toml:
        (home / "settings.toml").write_text(toml)
    named = {f"CUSTODY_{name.upper()}": value for name, value in variables.items()}
    return Settings.load({"CUSTODY_HOME": str(home), **named})


def test_everything_has_a_place_under_the_home(tmp_path: Path) -> None:
    settings = load(tmp_path)
    places = [settings.root_key, settings.key_ring, settings.secret_store]
    assert all(each.startswith(f"file:{tmp_path}/keys/") for each in places)
    assert settings.certificates == tmp_path / "certificates"


def test_the_home_is_absolute_wherever_the_command_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.load({}).home == tmp_path / ".custody"


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, "read_timeout = 7\ncalls_at_once = 3", read_timeout="9")
    assert (settings.read_timeout, settings.calls_at_once) == (timedelta(seconds=9), 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("read_timeout", "soon"),
        ("read_timeout", "nan"),
        ("read_timeout", "inf"),
        ("read_timeout", "-1"),
        ("first_pull_reach", "1e300"),
        ("completed_grace", "-3600"),
        ("contracts_per_task", "0"),
        ("contracts_per_task", "2.5"),
        ("calls_at_once", "-1"),
        ("quota_scale", "10"),
        ("quota_scale", "nan"),
        ("amazon_stand_in", "https://sellingpartnerapi-eu.amazon.com"),
        ("amazon_stand_in", "http://127.0.0.1.evil.example"),
        ("amazon_stand_in", "http://evil.example@10.0.0.1"),
        ("amazon_stand_in", "http://[::1"),
        ("amazon_stand_in", ""),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadInput, match=name):
        load(tmp_path, **{name: value})


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf"])
def test_a_quota_can_be_scaled_for_a_stand_in_only_by_a_positive_number(tmp_path: Path, scale: str) -> None:
    stand_in = "http://127.0.0.1:9"
    assert load(tmp_path, amazon_stand_in=stand_in, quota_scale="2").quota_scale == 2
    with pytest.raises(BadInput, match="quota_scale"):
        load(tmp_path, amazon_stand_in=stand_in, quota_scale=scale)


def test_an_unknown_setting_and_a_broken_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="colour"):
        load(tmp_path, "colour = 'blue'")
    with pytest.raises(BadInput, match=r"settings\.toml") as caught:
        load(tmp_path, f"database_url = '{CANARY}")
    assert CANARY not in str(caught.value)


def test_settings_do_not_change_once_built(tmp_path: Path) -> None:
    with pytest.raises(FrozenInstanceError):
        load(tmp_path).calls_at_once = 99  # type: ignore[misc]  # what is tested


def test_the_databases_password_comes_from_its_file_and_shows_nowhere(tmp_path: Path) -> None:
    (tmp_path / "app.password").write_text(f"{CANARY}\n")
    settings = load(tmp_path, database_password_file=str(tmp_path / "app.password"))
    url = url_for(settings)
    assert url.password == CANARY
    assert CANARY not in f"{settings!r} {url!r} {url}"
    with pytest.raises(BadInput, match="database_password_file"):
        url_for(load(tmp_path, database_password_file=str(tmp_path / "none")))


def test_residue_surfaces_are_a_list_in_the_file_and_separated_by_bars_in_a_variable(tmp_path: Path) -> None:
    written = load(tmp_path, 'residue_surfaces = ["logs=/var/log/a", "work=/srv/w=1"]')
    assert written.residue_surfaces == ("logs=/var/log/a", "work=/srv/w=1")
    assert load(tmp_path, residue_surfaces="logs=/a|work=/b").residue_surfaces == ("logs=/a", "work=/b")
    with pytest.raises(BadInput, match="residue_surfaces"):
        load(tmp_path, residue_surfaces="/a")


def test_an_installation_with_a_stand_in_cannot_name_amazon_as_whom_to_tell(tmp_path: Path) -> None:
    assert load(tmp_path).amazon_security_contact == "security@amazon.com"
    local = {"amazon_stand_in": "http://127.0.0.1:1"}
    assert load(tmp_path, **local).amazon_security_contact.endswith("@example.invalid")
    for address in ("security@amazon.com", "Security@AWS.Amazon.de"):
        with pytest.raises(BadInput, match="amazon_security_contact"):
            load(tmp_path, **local, amazon_security_contact=address)


def test_a_channel_of_notices_names_its_kind_and_its_connection(tmp_path: Path) -> None:
    assert load(tmp_path, notice_channels="smtp:mail|slack:on_call").notice_channels == (
        "smtp:mail",
        "slack:on_call",
    )
    for wrong in ("pager:1", "slack", "slack:"):
        with pytest.raises(BadInput, match="notice_channels"):
            load(tmp_path, notice_channels=wrong)
