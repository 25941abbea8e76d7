"""The configuration that holds where none is named: the same for the gateway and for every command beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gateway.config import CONFIG_VARIABLE, Settings, load
from gateway.errors import ConfigError

LOCAL_CONFIG = Path("config/gateway.yaml")
"""In the folder in which facegate is started, as in the project itself."""

SYSTEMD_CONFIG, SYSTEMD_DATA = Path("/etc/facegate/gateway.yaml"), Path("/var/lib/facegate")
"""The settings that the systemd unit runs with, by its command line and its environment (config/facegate.service)."""


@dataclass(frozen=True, slots=True)
class FoundSettings:
    """``settings`` as read; ``source``: where they come from, in words."""

    settings: Settings
    source: str


def find_and_load(given: Path | None) -> FoundSettings:
    """Load the named file, else FACEGATE_CONFIG's, else the first that is there. Raise ConfigError."""
    if given is not None:
        return _load(given, "")
    if named := os.environ.get(CONFIG_VARIABLE):
        return _load(Path(named), f" ({CONFIG_VARIABLE})")
    if _is_there(LOCAL_CONFIG):
        return _load(LOCAL_CONFIG, "")
    if _is_there(SYSTEMD_CONFIG):
        # without the unit's own data folder a command would look for the store in the current folder
        return _load(SYSTEMD_CONFIG, " (of the systemd unit)", data=SYSTEMD_DATA)
    return FoundSettings(load(), "none, the defaults hold")


def _load(path: Path, why: str, data: Path | None = None) -> FoundSettings:
    path = path.expanduser()
    try:
        return FoundSettings(load(path, data=data), f"{path}{why}")
    except ConfigError as error:
        raise ConfigError(f"{error}{why}") from None


def _is_there(path: Path) -> bool:
    """A file that this user may not see counts: to go on without it would mean another store."""
    try:
        return path.exists()
    except PermissionError:
        return True
