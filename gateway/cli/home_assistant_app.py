"""The command ``facegate home-assistant-app``, with which the app (add-on) of Home Assistant starts."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import yaml

from gateway.cli.operations import errors_as_messages
from gateway.config import CONFIG_VARIABLE
from gateway.errors import ConfigError
from gateway.files.ownership import ROOT, is_root
from gateway.integrations.homeassistant.app_options import OPTIONS_FILE, read_options
from gateway.integrations.homeassistant.app_settings import (
    CONFIG_FOLDER,
    DATA_FOLDER,
    FACES_FOLDER,
    AppFolders,
    make_settings,
)
from gateway.integrations.homeassistant.supervisor import SUPERVISOR_URL, Supervisor

OWNER = "facegate"
"""The user of the image as whom the gateway runs. The app itself starts as root, to whom its data folder belongs."""

WRITTEN_FILE = Path("/run/facegate/gateway.yaml")
"""The file of settings that this command writes, outside of the folders that a backup contains."""


@click.command("home-assistant-app", short_help="Run the gateway as an app of Home Assistant.")
@click.option("--options", default=OPTIONS_FILE, hidden=True, type=click.Path(path_type=Path))
@click.option("--supervisor", default=SUPERVISOR_URL, hidden=True)
@click.option("--data", default=DATA_FOLDER, hidden=True, type=click.Path(path_type=Path))
@click.option("--folder", default=CONFIG_FOLDER, hidden=True, type=click.Path(path_type=Path))
@click.pass_context
def home_assistant_app(ctx: click.Context, options: Path, supervisor: str, data: Path, folder: Path) -> None:
    """Run the gateway as an app of Home Assistant, with the options and the broker that the supervisor gives.

    The command writes the settings into the file that FACEGATE_CONFIG names, so that other commands in the app find
    them, and then runs the gateway.
    """
    from gateway.cli.main import run

    with errors_as_messages():
        settings = make_settings(read_options(options), Supervisor(supervisor), AppFolders(data, folder))
        written = Path(os.environ.get(CONFIG_VARIABLE) or WRITTEN_FILE)
        try:
            _write(written, settings)
            (folder / FACES_FOLDER).mkdir(parents=True, exist_ok=True)
            make_data_folder(data)
        except OSError as error:
            raise ConfigError(f"The app cannot write {error.filename}: {error.strerror}.") from None
    ctx.invoke(run, config=written)


def _write(path: Path, settings: dict[str, Any]) -> None:
    """Write the settings into a file that only this user can read: it has the password of the broker."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        yaml.safe_dump(settings, file, sort_keys=False, allow_unicode=True)


def make_data_folder(data: Path) -> None:
    """Create the data folder, and give it to OWNER if it belongs to root, as a folder from a backup does."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Outside of the image there is no such user.
    with suppress(KeyError):
        owner = pwd.getpwnam(OWNER)
        if is_root() and data.stat().st_uid == ROOT:
            for folder, folders, files in os.walk(data):
                for name in (*folders, *files):
                    os.chown(Path(folder, name), owner.pw_uid, owner.pw_gid, follow_symlinks=False)
            # Last: if this is interrupted, the next start does it again.
            os.chown(data, owner.pw_uid, owner.pw_gid)
