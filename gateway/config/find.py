"""The search for the configuration, the same for the gateway and for every other command."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gateway.config.environment import CONFIG_VARIABLE, SECRETS_VARIABLE
from gateway.config.load import load
from gateway.config.secrets_file import SECRETS_FILE, read_secrets, read_secrets_folder
from gateway.config.settings import Settings
from gateway.errors import ConfigError

LOCAL_CONFIG = Path("config/gateway.yaml")
"""The file in the folder in which facegate is started, as in the project itself."""

SYSTEMD_CONFIG, SYSTEMD_DATA = Path("/etc/facegate/gateway.yaml"), Path("/var/lib/facegate")
"""The configuration and the data folder of the systemd unit (config/facegate.service)."""


@dataclass(frozen=True, slots=True)
class FoundSettings:
    """The settings. ``source``: the description of the file that the settings come from. ``path``: that file."""

    settings: Settings
    source: str
    path: Path | None = None


def find_and_load(given: Path | None) -> FoundSettings:
    """Load the given file, else the file that FACEGATE_CONFIG names, else the first that exists. Raise ConfigError."""
    if folder := os.environ.get(SECRETS_VARIABLE):
        read_secrets_folder(Path(folder))
    if given is not None:
        return _load(given, "")
    if named := os.environ.get(CONFIG_VARIABLE):
        return _load(Path(named), f" ({CONFIG_VARIABLE})")
    if _exists(LOCAL_CONFIG):
        return _load(LOCAL_CONFIG, "")
    if _exists(SYSTEMD_CONFIG):
        return _load(SYSTEMD_CONFIG, " (of the systemd unit)")
    return FoundSettings(load(), "none, only defaults")


def _load(path: Path, why: str) -> FoundSettings:
    path = path.expanduser()
    # Without the unit's data folder a command would look for the people store in the current folder.
    data = SYSTEMD_DATA if path == SYSTEMD_CONFIG else None
    if secrets := secrets_file_of(path):
        read_secrets(secrets)
    try:
        return FoundSettings(load(path, data=data), f"{path}{why}", path)
    except ConfigError as error:
        # A message about the environment alone does not name the file.
        raise ConfigError(f"{error}{why if str(path) in str(error) else ''}") from None


def secrets_file_of(config: Path | None) -> Path | None:
    """Return the file with the secrets of a configuration. Only that of the systemd unit has one."""
    return config.with_name(SECRETS_FILE) if config is not None and config == SYSTEMD_CONFIG else None


def _exists(path: Path) -> bool:
    # A file that this user may not see counts as well: without it the command would use another store.
    try:
        return path.exists()
    except PermissionError:
        return True
