"""The settings of a gateway that runs as an app of Home Assistant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.errors import ConfigError
from gateway.files.yaml_file import read_yaml
from gateway.integrations.homeassistant.app_options import BY_NAME, put, write_settings
from gateway.integrations.homeassistant.supervisor import Supervisor

SUPERVISOR_ADDRESS = "172.30.32.2"
"""The address from which the supervisor passes on the requests of users. It is the same in every installation."""

LOOPBACK = "127.0.0.1"
INGRESS_PORT = 8099
REST_PORT = 5001

USER_FILE = "gateway.yaml"
"""The file for settings that are no options, in the folder that Home Assistant shows as ``addon_configs``."""

FACES_FOLDER = "known_faces"


_FILLED = ("mqtt.host", "people.folder", "rest.hosts", *(each.setting for each in BY_NAME.values()))
SECTIONS = frozenset(".".join(path.split(".")[:end]) for path in _FILLED for end in range(1, path.count(".") + 1))
"""The sections into which the app puts settings: those of its options, and of what it finds out."""

DATA_FOLDER = Path("/data/facegate")
CONFIG_FOLDER = Path("/config")


@dataclass(frozen=True, slots=True)
class AppFolders:
    """The folders of the app. ``data``: of the gateway. ``config``: the one that the user sees."""

    data: Path = DATA_FOLDER
    config: Path = CONFIG_FOLDER


def make_settings(options: Mapping[str, Any], supervisor: Supervisor, folders: AppFolders) -> dict[str, Any]:
    """Return the tree of settings: of the user's file, of the options, and those that the app needs. Raise ConfigError.

    The supervisor is asked for the broker unless the user named another one.
    """
    path = folders.config / USER_FILE
    own = _check_sections(read_yaml(path), path) if path.exists() else {}
    app = _app_settings(supervisor, folders)
    _refuse_twice(own, app, path, "the app sets it itself")
    chosen = write_settings(options)
    _refuse_twice(own, chosen, path, "it is an option of the app")
    settings = _merge(own, chosen)
    if "host" not in settings.get("mqtt", {}):
        settings = _merge({"mqtt": supervisor.find_broker()}, settings)
    if "folder" not in settings.get("people", {}):
        put(settings, "people.folder", str(folders.config / FACES_FOLDER))
    if app["rest"]["host"] != LOOPBACK and (name := supervisor.host_name()):
        # Other machines know the app by the name of its machine, which the container does not have.
        hosts = settings.get("rest", {}).get("hosts", [])
        put(settings, "rest.hosts", [*hosts, name, f"{name}.local"])
    return _merge(settings, app)


def _check_sections(own: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the user's settings without empty sections. Raise ConfigError where a section or a list is another type.

    Only the sections into which the app puts settings are looked at. The gateway checks the others.
    """
    checked = _without_empty(own, path, "")
    rest = checked.get("rest", {})
    hosts = rest.get("hosts")
    if hosts is None:
        rest.pop("hosts", None)
    elif not isinstance(hosts, list):
        raise ConfigError(f"{path}: rest.hosts must be a list, such as [pi.local], and is {hosts!r}: correct the file.")
    return checked


def _without_empty(tree: Mapping[str, Any], path: Path, before: str) -> dict[str, Any]:
    """Return a copy of the section ``before`` without empty sections below it. Raise ConfigError."""
    checked = dict(tree)
    for section in sorted(each for each in SECTIONS if each.rpartition(".")[0] == before):
        name = section.rpartition(".")[2]
        value = checked.get(name)
        if value is None:
            # All lines of the section may be commented out.
            checked.pop(name, None)
        elif isinstance(value, Mapping):
            checked[name] = _without_empty(value, path, section)
        else:
            raise ConfigError(
                f"{path}: {section} must be a section with indented settings below it, and is {type(value).__name__}:"
                " correct the file."
            )
    return checked


def _app_settings(supervisor: Supervisor, folders: AppFolders) -> dict[str, Any]:
    """Return the settings that nobody may change."""
    rest: dict[str, Any] = {
        "host": LOOPBACK,
        "port": REST_PORT,
        "ingress": {"address": SUPERVISOR_ADDRESS, "port": INGRESS_PORT},
    }
    if supervisor.is_published(REST_PORT):
        # A user makes the first token in the console, so that the gateway must start without one.
        rest.update(host="0.0.0.0", anonymous={"from": []})  # noqa: S104 (every request needs a token)
    return {"data": str(folders.data), "rest": rest}


def _refuse_twice(own: Mapping[str, Any], other: Mapping[str, Any], path: Path, reason: str) -> None:
    """Raise ConfigError for a setting in the user's file that the app also has."""
    if twice := ", ".join(sorted(set(_paths(own)) & set(_paths(other)))):
        options = [each.name for each in BY_NAME.values() if each.setting in twice.split(", ")]
        named = f" ({', '.join(options)})" if options and "option" in reason else ""
        raise ConfigError(f"{path}: {twice} cannot be set there, since {reason}{named}: remove it from the file.")


def _paths(tree: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Give the paths of all settings in a tree."""
    for name, value in tree.items():
        path = f"{before}{name}"
        if isinstance(value, Mapping) and value:
            yield from _paths(value, f"{path}.")
        else:
            yield path


def _merge(tree: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree with the settings of both. Those of the second one count."""
    merged = dict(tree)
    for name, value in over.items():
        below = merged.get(name)
        is_section = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[name] = _merge(below, value) if is_section else value  # type: ignore[arg-type]
    return merged
