"""Loading of the settings, from a YAML file and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings.exceptions import SettingsError

from gateway.config.environment import check_variables
from gateway.config.messages import describe_bad_json, describe_problems
from gateway.config.network_sections import MqttSettings
from gateway.config.settings import Settings
from gateway.errors import ConfigError
from gateway.files.yaml_file import read_yaml


def load(path: Path | None = None, *, data: Path | None = None) -> Settings:
    """Return the settings of the file, overridden by the environment. Raise ConfigError, which names the bad setting.

    ``data``: the data folder if the file names none, or one that depends on the current folder.
    """
    content = read_yaml(path) if path else {}
    if data is not None and _is_relative(content.get("data", "")):
        content["data"] = str(data)
    check_variables(Settings.model_fields)
    # pydantic-settings would take some unknown names, as _env_file, for its own arguments.
    if unknown := ", ".join(sorted(content.keys() - Settings.model_fields.keys())):
        raise ConfigError(f"The configuration ({path}) cannot be used: {unknown}: unknown setting: check its spelling.")
    try:
        return Settings(**content)
    except ValidationError as error:
        raise ConfigError(describe_problems(error, path)) from None
    except SettingsError as error:
        raise ConfigError(describe_bad_json(error)) from None


def _is_relative(folder: object) -> bool:
    # The check of the settings refuses everything but a text.
    return isinstance(folder, str) and not folder.startswith(("/", "~"))


def change_broker(mqtt: MqttSettings, changes: Mapping[str, object]) -> MqttSettings:
    """Return the settings of the broker with other values, as the options of a command give them. Raise ConfigError."""
    try:
        checked = MqttSettings.model_validate(changes)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise ConfigError(f"--{name} {changes[name]!a} is not valid.") from None
    return mqtt.model_copy(update={name: getattr(checked, name) for name in changes})
