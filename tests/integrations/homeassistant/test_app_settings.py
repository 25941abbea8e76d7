"""The settings of the app of Home Assistant: from its options, its supervisor, and the file of the user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Settings
from gateway.errors import ConfigError
from gateway.integrations.homeassistant.app_options import read_options
from gateway.integrations.homeassistant.app_settings import USER_FILE, AppFolders, make_settings
from gateway.integrations.homeassistant.supervisor import Supervisor
from tests.integrations.homeassistant.supervisor import TOKEN, supervisor_running

MOSQUITTO = {
    "addon": "core_mosquitto",
    "host": "core-mosquitto",
    "port": 1883,
    "ssl": False,
    "protocol": "3.1.1",
    "username": "addons",
    "password": "s3cret",
}


@pytest.fixture
def folders(tmp_path: Path) -> AppFolders:
    folder = tmp_path / "config"
    folder.mkdir()
    return AppFolders(tmp_path / "data", folder)


def settings_of(
    folders: AppFolders,
    options: dict[str, Any] | None = None,
    mqtt: dict[str, Any] | None = MOSQUITTO,
    network: dict[str, int | None] | None = None,
) -> Settings:
    """Return the settings of an app with these options, behind a supervisor with this broker."""
    path = folders.config.parent / "options.json"
    path.write_text(json.dumps({"role": "admin", "users": [], "log_level": "INFO", **(options or {})}))
    with supervisor_running(mqtt, network) as url:
        return Settings(**make_settings(read_options(path), Supervisor(url, TOKEN), folders))


def test_broker_is_that_of_home_assistant(folders: AppFolders) -> None:
    mqtt = settings_of(folders).mqtt
    assert (mqtt.host, mqtt.port, mqtt.user, mqtt.tls.enabled) == ("core-mosquitto", 1883, "addons", False)
    assert mqtt.password is not None
    assert mqtt.password.get_secret_value() == "s3cret"


def test_broker_with_tls_is_used_with_tls(folders: AppFolders) -> None:
    mqtt = settings_of(folders, mqtt={**MOSQUITTO, "ssl": True, "port": 8883}).mqtt
    assert (mqtt.port, mqtt.tls.enabled) == (8883, True)


def test_login_of_the_options_is_used_at_the_same_broker(folders: AppFolders) -> None:
    mqtt = settings_of(folders, {"mqtt_user": "facegate", "mqtt_password": "own"}).mqtt
    assert (mqtt.host, mqtt.user) == ("core-mosquitto", "facegate")


def test_other_broker_needs_no_broker_of_home_assistant(folders: AppFolders) -> None:
    mqtt = settings_of(folders, {"mqtt_host": "broker.home", "mqtt_tls": True}, mqtt=None).mqtt
    assert (mqtt.host, mqtt.user, mqtt.tls.enabled) == ("broker.home", None, True)


def test_missing_broker_is_named_with_advice(folders: AppFolders) -> None:
    with pytest.raises(ConfigError, match="install and start the app Mosquitto broker, or set the option mqtt_host"):
        settings_of(folders, mqtt=None)


def test_options_become_settings(folders: AppFolders) -> None:
    options = {
        "role": "viewer",
        "users": [{"name": "Ada", "role": "admin"}],
        "sightings_days": 2,
        "strangers_days": 3,
        "workers": 1,
        "log_level": "DEBUG",
        "mqtt_host": "",
    }
    settings = settings_of(folders, options)
    ingress = settings.rest.ingress
    assert ingress is not None
    assert (ingress.role, ingress.users, ingress.address, ingress.port) == (
        "viewer",
        {"ada": "admin"},
        "172.30.32.2",
        8099,
    )
    assert (settings.sightings.keep_days, settings.unknowns.keep_days) == (2, 3)
    assert (settings.workers.processes, settings.log_level) == (1, "DEBUG")


@pytest.mark.parametrize("second", ["anna", "Anna "])
def test_second_role_for_one_user_is_refused(folders: AppFolders, second: str) -> None:
    users = [{"name": "anna", "role": "viewer"}, {"name": second, "role": "admin"}]
    with pytest.raises(ConfigError, match="The option users names 'anna' twice"):
        settings_of(folders, {"users": users})


def test_rest_is_closed_until_the_user_opens_its_port(folders: AppFolders) -> None:
    rest = settings_of(folders).rest
    assert (rest.host, rest.anonymous) == ("127.0.0.1", None)
    rest = settings_of(folders, network={"5001/tcp": 5001}).rest
    assert rest.host != "127.0.0.1"
    assert rest.anonymous is not None
    assert rest.anonymous.networks == ()
    assert rest.hosts == ("homeassistant", "homeassistant.local")
    (folders.config / USER_FILE).write_text("rest: {hosts: [home.example]}\n")
    rest = settings_of(folders, network={"5001/tcp": 8001}).rest
    assert rest.hosts == ("home.example", "homeassistant", "homeassistant.local")


def test_file_of_the_user_sets_what_no_option_sets(folders: AppFolders) -> None:
    (folders.config / USER_FILE).write_text(
        "cameras: {porch: {rotate: 180}}\nrest: {threads: 32}\npeople: {folder: /media/faces}\n"
    )
    settings = settings_of(folders)
    assert settings.cameras["porch"].rotate == 180
    assert settings.rest.threads == 32
    assert settings.rest.ingress is not None
    assert str(settings.people.folder) == "/media/faces"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("log_level: DEBUG", r"log_level cannot be set there, since it is an option of the app \(log_level\)"),
        ("rest: {ingress: {role: viewer}}", r"rest\.ingress\.role cannot be set there, .* \(role\)"),
        ("data: /data", "data cannot be set there, since the app sets it itself"),
        (
            "rest: {ingress: {address: 10.0.0.1}, host: pi.local}",
            r"rest\.host, rest\.ingress\.address cannot be set there",
        ),
    ],
)
def test_setting_of_the_app_is_refused_in_the_file(folders: AppFolders, text: str, message: str) -> None:
    (folders.config / USER_FILE).write_text(f"{text}\n")
    with pytest.raises(ConfigError, match=message):
        settings_of(folders)


@pytest.mark.parametrize(
    "text",
    ["mqtt:", "people:", "rest:", "rest: {hosts: }", "rest: {ingress: }", "mqtt: {tls: }", "sightings:", "workers:"],
)
def test_empty_section_of_the_file_changes_nothing(folders: AppFolders, text: str) -> None:
    """Regression: a section whose lines are all commented out ended the app with a traceback."""
    options = {"mqtt_tls": True, "sightings_days": 2, "workers": 1}
    network: dict[str, int | None] = {"5001/tcp": 5001}
    expected = settings_of(folders, options, network=network)
    (folders.config / USER_FILE).write_text(f"{text}\n")
    assert settings_of(folders, options, network=network) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mqtt: broker.home", "mqtt must be a section with indented settings below it, and is str"),
        ("people: [a]", "people must be a section .* and is list"),
        ("rest: 5001", "rest must be a section .* and is int"),
        ("rest: {ingress: on}", r"rest\.ingress must be a section .* and is bool"),
        ("mqtt: {tls: true}", r"mqtt\.tls must be a section .* and is bool"),
        ("rest: {hosts: pi.local}", r"rest\.hosts must be a list, such as \[pi\.local\], and is 'pi\.local'"),
        ("rest: {hosts: {pi: local}}", r"rest\.hosts must be a list"),
    ],
)
def test_section_of_another_type_is_explained(folders: AppFolders, text: str, message: str) -> None:
    (folders.config / USER_FILE).write_text(f"{text}\n")
    with pytest.raises(ConfigError, match=message):
        settings_of(folders, network={"5001/tcp": 5001})


def test_unknown_option_is_named(folders: AppFolders) -> None:
    with pytest.raises(ConfigError, match="The app has no option colour: remove it under Configuration, Edit in YAML"):
        settings_of(folders, {"colour": "red"})


def test_options_that_are_missing_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this command runs in the app of Home Assistant only"):
        read_options(tmp_path / "options.json")
    with pytest.raises(ConfigError, match="SUPERVISOR_TOKEN is not set"):
        Supervisor(token="").find_broker()


def test_supervisor_that_refuses_is_named(folders: AppFolders) -> None:
    with (
        supervisor_running(MOSQUITTO) as url,
        pytest.raises(ConfigError, match=r"does not say which ports of this app are open \(status 403\)"),
    ):
        make_settings({}, Supervisor(url, "wrong"), folders)
    with pytest.raises(ConfigError, match="The supervisor cannot be asked"):
        make_settings({}, Supervisor(url, TOKEN), folders)
