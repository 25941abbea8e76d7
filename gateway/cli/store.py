"""The search for the settings and the people store of a command. Both are printed on standard error."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.config import Settings
from gateway.config.find import find_and_load
from gateway.errors import StartError
from gateway.files.ownership import become_owner, permission_hint
from gateway.people.wiring import describe_store, has_store


def settings_of_store(config: Path | None, *, new: bool = False) -> Settings:
    """Find the settings of a people store. If root runs the command, become the store's owner. Raise StartError.

    ``new``: create the data folder if there is no store.
    """
    settings = find_settings(config)
    become_owner(settings.data)
    check_store(settings, new=new)
    return settings


def find_settings(config: Path | None) -> Settings:
    """Load the settings, and print on standard error which configuration and store are used. Raise ConfigError."""
    found = find_and_load(config)
    store = describe_store(found.settings)
    click.echo(f"facegate: configuration: {found.source}; people store: {store}", err=True)
    return found.settings


def check_store(settings: Settings, *, new: bool = False) -> None:
    """Raise StartError if there is no people store, unless a ``new`` one may be created."""
    if has_store(settings):
        return
    place = describe_store(settings)
    if not new:
        raise StartError(
            f"There is no people store at {place}. Name the gateway's configuration (--config FILE or FACEGATE_CONFIG),"
            " or start the gateway once, which creates a store. `people add`, `people import` and `tokens add` create"
            " one with --new."
        )
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(
            f"The data folder {settings.data} cannot be created: {error.strerror}{permission_hint(error)}."
        ) from None
    click.echo(f"facegate: a new people store is created at {place}", err=True)
