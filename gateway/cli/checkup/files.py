"""The checks of files outside of the people store: who may read them."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from gateway.cli.checkup.finding import Finding
from gateway.config import Settings
from gateway.config.find import secrets_file_of
from gateway.files.ownership import chown_command, find_foreign_files


def check_files_of_others(settings: Settings, config: Path | None) -> Iterator[Finding]:
    """Check that no other user may read secrets or people. ``config``: the file of the settings."""
    found = [*_check_secret_files(settings, config), *_check_data(settings.data)]
    yield from found
    if not found:
        yield Finding("files", "ok", "no other user may read the secrets and the data folder")


def _check_secret_files(settings: Settings, config: Path | None) -> Iterator[Finding]:
    files = {"the secrets of the systemd unit": secrets_file_of(config), **_secret_files(settings)}
    if _contains_secret(settings):
        files = {"a password or key in the settings": config, **files}
    for name, path in files.items():
        if path is not None and _mode(path) & stat.S_IRWXO:
            text = f"every user of this machine may read {path} ({name})"
            yield Finding("files", "to_do", text, f"chmod o-rwx {shlex.quote(str(path))}")


def _secret_files(settings: Settings) -> Mapping[str, Path | None]:
    frigate = {f"frigate.{name}.password_file": each.password_file for name, each in settings.frigate.items()}
    pulled = {f"inputs.pull.{name}.secret_file": each.secret_file for name, each in settings.inputs.pull.items()}
    return {
        "people.key_file": settings.people.key_file,
        "mqtt.tls.key": settings.mqtt.tls.key,
        "rest.tls.key": settings.rest.tls.key,
        **frigate,
        **pulled,
    }


def _contains_secret(settings: Settings) -> bool:
    """Return whether the file of the settings has a secret. Variables of the environment replace those of the file."""
    given: Mapping[str, Iterable[object]] = {
        "FACEGATE_MQTT__PASSWORD": (settings.mqtt.password,),
        "FACEGATE_PEOPLE__KEY": (settings.people.key,),
        "FACEGATE_PEOPLE__STORE": (settings.people.postgres_url,),
        "FACEGATE_FRIGATE": (each.password for each in settings.frigate.values()),
        "FACEGATE_INPUTS__PULL": (
            secret for each in settings.inputs.pull.values() for secret in (each.password, each.token)
        ),
    }
    names = {name.upper() for name in os.environ}
    return any(name not in names and any(secret is not None for secret in secrets) for name, secrets in given.items())


def _check_data(data: Path) -> Iterator[Finding]:
    if _mode(data) & (stat.S_IRWXG | stat.S_IRWXO):
        text = f"other users may open the data folder {data}"
        yield Finding("files", "to_do", text, f"chmod 700 {shlex.quote(str(data))}")
    if foreign := find_foreign_files(data, data / "backups"):
        names = ", ".join(map(str, foreign))
        yield Finding("files", "to_do", f"another user owns {names}", chown_command(data, data))


def _mode(path: Path) -> int:
    """Return the permissions of a file; 0 for a file that does not exist or cannot be seen."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0
