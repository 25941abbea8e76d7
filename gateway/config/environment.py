"""Settings from environment variables, read as strictly as the file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from gateway.errors import ConfigError

VARIABLE_PREFIX = "FACEGATE_"
CONFIG_VARIABLE = "FACEGATE_CONFIG"
"""The variable that names the configuration file. It is not a setting."""

SECRETS_VARIABLE = "FACEGATE_SECRETS"
"""The variable that names a folder of files with secrets (secrets_file.py). It is not a setting."""


SettingPath = tuple[int | str, ...]
"""The names of the sections, the setting, and the places in lists and maps, as ("operations", 1)."""


class StrictEnvironment(EnvSettingsSource):
    """A source of settings that refuses doubtful JSON. ``env_parse_none_str``: the text null is no value."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Return the value of the JSON. Raise ValueError for invalid JSON, a repeated key, or too many levels."""
        try:
            return json.loads(value, object_pairs_hook=_refuse_repeated_keys)
        except RecursionError:
            raise ValueError("it has too many nested levels") from None


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        repeated = next(key for n, (key, _) in enumerate(pairs) if key in dict(pairs[:n]))
        raise ValueError(f"{repeated} occurs twice: remove one of them")
    return found


def check_variables(fields: Mapping[str, FieldInfo]) -> None:
    """Raise ConfigError for a variable that names no setting, and for two that name the same one."""
    _check_cases()
    if unknown := ", ".join(_unknown_variables(fields)):
        folder = os.environ.get(SECRETS_VARIABLE)
        place = f", or file in {folder} ({SECRETS_VARIABLE})" if folder else ""
        raise ConfigError(
            f"Unknown environment variable{place}: {unknown}. A variable that begins with {VARIABLE_PREFIX} must name a"
            " setting, as FACEGATE_MQTT__HOST: correct it, or unset it."
        )


def _check_cases() -> None:
    """Raise ConfigError for two variables that differ in case only: pydantic-settings ignores the case."""
    found: dict[str, str] = {}
    for variable in _own_variables():
        if (other := found.setdefault(variable.upper(), variable)) != variable:
            raise ConfigError(
                f"The environment sets {other} and {variable}, which name the same setting: unset one of them."
            )


def _own_variables() -> Iterator[str]:
    return (variable for variable in os.environ if variable.upper().startswith(VARIABLE_PREFIX))


# pydantic-settings ignores a mistyped variable.
def _unknown_variables(fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    for variable in _own_variables():
        keys = _keys(variable)
        if variable not in (CONFIG_VARIABLE, SECRETS_VARIABLE) and not _names_setting(keys, fields):
            yield variable


def find_variable(path: SettingPath) -> str | None:
    """Return the variable that contains the value of a setting, or None if the value is from elsewhere."""
    # The variable of a setting overrides the JSON of its section.
    for variable in sorted(_own_variables(), key=lambda each: -len(_keys(each))):
        keys = tuple(_keys(variable))
        if keys == path[: len(keys)] and _contains(os.environ[variable], path[len(keys) :]):
            return variable
    return None


def variables_below(path: SettingPath) -> list[str]:
    """Return the variables with values inside of a section."""
    return [variable for variable in _own_variables() if path and tuple(_keys(variable))[: len(path)] == path]


def _contains(text: str, path: SettingPath) -> bool:
    """Return whether the JSON in a variable has a value at the path. The empty path is any text."""
    if not path:
        return True
    try:
        value = json.loads(text)
        for key in path:
            value = value[key]
    except (ValueError, LookupError, TypeError):
        return False
    return True


def _keys(variable: str) -> list[str]:
    return variable[len(VARIABLE_PREFIX) :].lower().split("__")


def _names_setting(keys: list[str], fields: Mapping[str, FieldInfo]) -> bool:
    for depth, key in enumerate(keys, 1):
        if key not in fields:
            return False
        kind = fields[key].annotation
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return depth == len(keys)
        fields = kind.model_fields
    return True
