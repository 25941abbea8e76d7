"""The options of the app of Home Assistant. Its ``config.yaml`` and its texts are made of this table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.config.live_sections import SightingSettings
from gateway.config.sections import UnknownSettings
from gateway.errors import ConfigError
from gateway.model.caller import LEVELS, home_assistant_login

OPTIONS_FILE = Path("/data/options.json")
"""The file into which the supervisor writes the options of an app, before each start."""

SIGHTINGS_DAYS: float = SightingSettings.model_fields["keep_days"].default
STRANGERS_DAYS: float = UnknownSettings.model_fields["keep_days"].default

LEVEL_LIST = f"list({'|'.join(LEVELS)})"


@dataclass(frozen=True, slots=True)
class AppOption:
    """An option of the app.

    ``setting``: the setting that it changes. ``form``: its type in ``config.yaml``; one that ends with ``?`` may be
    left out. ``default``: None for one that may be left out. ``title`` and ``text``: what Home Assistant shows.
    """

    name: str
    setting: str
    form: Any
    default: Any
    title: str
    text: str


OPTIONS: tuple[AppOption, ...] = (
    AppOption(
        "role",
        "rest.ingress.role",
        LEVEL_LIST,
        # The console opens for each user of Home Assistant, also for one who is no administrator there.
        "viewer",
        "Role of all other users",
        "Rights of all other users in the console. Each role may do all that the roles before it may do.",
    ),
    AppOption(
        "users",
        "rest.ingress.users",
        [{"name": "str", "role": LEVEL_LIST}],
        [],
        "Roles of single users",
        "Roles by the login (username) of the user in Home Assistant. Give yourself the role admin.",
    ),
    AppOption(
        "mqtt_host",
        "mqtt.host",
        "str?",
        None,
        "Broker",
        "Host name of another MQTT broker. Empty: the broker of Home Assistant, such as the app Mosquitto broker.",
    ),
    AppOption("mqtt_port", "mqtt.port", "port?", None, "Port of the broker", "Empty: 1883, or that of Home Assistant."),
    AppOption(
        "mqtt_user",
        "mqtt.user",
        "str?",
        None,
        "Login at the broker",
        "Empty: the login that Home Assistant gives to apps.",
    ),
    AppOption("mqtt_password", "mqtt.password", "password?", None, "Password at the broker", "Of the login above."),
    AppOption("mqtt_tls", "mqtt.tls.enabled", "bool?", None, "TLS to the broker", "Encrypt the connection."),
    AppOption(
        "sightings_days",
        "sightings.keep_days",
        "float(0,36500)?",
        None,
        "Days of sightings",
        f"Time that sightings and their pictures are stored. Empty: {SIGHTINGS_DAYS:g} days.",
    ),
    AppOption(
        "strangers_days",
        "unknowns.keep_days",
        "float(0.01,36500)?",
        None,
        "Days of strangers",
        f"Time that faces without a name are stored. Empty: {STRANGERS_DAYS:g} days.",
    ),
    AppOption(
        "workers",
        "workers.processes",
        "int(0,128)?",
        None,
        "Worker processes",
        "Processes that look at pictures, about 300 MB each. Empty or 0: one for each processor core.",
    ),
    AppOption(
        "log_level", "log_level", "list(DEBUG|INFO|WARNING|ERROR)", "INFO", "Log", "The least important lines to log."
    ),
)

BY_NAME: Mapping[str, AppOption] = {option.name: option for option in OPTIONS}


def read_options(path: Path = OPTIONS_FILE) -> dict[str, Any]:
    """Return the options that the user chose, without empty ones. Raise ConfigError."""
    try:
        options = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The options of the app cannot be read ({path}: {error}): this command runs in the app of Home Assistant"
            " only, where the supervisor writes them."
        ) from None
    if not isinstance(options, dict):
        raise ConfigError(f"The options of the app ({path}) are not a map: save them again in Home Assistant.")
    if unknown := ", ".join(sorted(options.keys() - BY_NAME.keys())):
        raise ConfigError(
            f"The app has no option {unknown}: remove it under Configuration, Edit in YAML. It has"
            f" {', '.join(BY_NAME)}."
        )
    return {name: value for name, value in options.items() if value is not None and value != ""}


def write_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that options stand for, as a tree. Raise ConfigError."""
    settings: dict[str, Any] = {}
    for name, value in options.items():
        if name == "users":
            value = _roles_by_login(value)
        put(settings, BY_NAME[name].setting, value)
    return settings


def _roles_by_login(users: Iterable[Mapping[str, str]]) -> dict[str, str]:
    roles: dict[str, str] = {}
    for user in users:
        login = home_assistant_login(user["name"])
        if login in roles:
            raise ConfigError(
                f"The option users names {login[:64]!r} twice: small and capital letters are the same here. Remove one"
                " of the two under Configuration, Edit in YAML."
            )
        roles[login] = user["role"]
    return roles


def put(settings: dict[str, Any], path: str, value: object) -> None:
    """Put a value into a tree of settings, at a path such as ``mqtt.host``."""
    *sections, name = path.split(".")
    for section in sections:
        settings = settings.setdefault(section, {})
    settings[name] = value
