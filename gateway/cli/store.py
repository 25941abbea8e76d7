"""The settings and the people store of a command: found, named on standard error, and refused if there is none."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.config import Settings
from gateway.config.find import find_and_load
from gateway.errors import StartError
from gateway.files.ownership import become_owner
from gateway.people.wiring import has_store, store_path


def settings_of_store(config: Path | None, *, new: bool = False) -> Settings:
    """Find the settings of a store, and become its owner if root runs the command. Raise StartError.

    ``new``: make the folder of a store where there is none.
    """
    settings = find_settings(config)
    become_owner(settings.data)
    _check_store(settings, new)
    return settings


def find_settings(config: Path | None) -> Settings:
    """Load the settings, and say on standard error which configuration and which store they are. Raise ConfigError."""
    found = find_and_load(config)
    store = store_path(found.settings).absolute()
    click.echo(f"facegate: configuration: {found.source}; people store: {store}", err=True)
    return found.settings


def _check_store(settings: Settings, new: bool) -> None:
    """Raise StartError unless there is a people store, or a ``new`` one may be made."""
    if has_store(settings):
        return
    path = store_path(settings).absolute()
    if not new:
        raise StartError(
            f"There is no people store at {path}. Name the gateway's configuration (--config FILE or FACEGATE_CONFIG),"
            " or start the gateway once, which makes a store. `people add` and `people import` make one with --new."
        )
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"The data folder {settings.data} cannot be made: {error}.") from None
    click.echo(f"facegate: a new people store is made at {path}", err=True)
