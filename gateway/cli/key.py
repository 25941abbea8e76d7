"""The commands ``facegate key``: the master key that encrypts the data keys of all people."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from gateway.cli.operations import errors_as_messages
from gateway.cli.options import CONFIG_OPTION
from gateway.cli.store import check_store, find_settings
from gateway.errors import BadRequest, StartError
from gateway.files.data_folder import data_folder_lock
from gateway.files.ownership import become_owner, permission_hint
from gateway.people.wiring import describe_store, is_encrypted_with, read_key_file, rotate_master_key
from gateway.store.cipher import Cipher, make_key, read_key


@click.group(short_help="The key that encrypts the people store: make one, rotate it.")
def key() -> None:
    """The key that encrypts the people store (people.key)."""


@key.command(short_help="Write a new key into a file.")
@click.argument("file", type=click.Path(path_type=Path))
def make(file: Path) -> None:
    """Write a new random key into FILE, which only its owner can read. A file that exists is refused."""
    with errors_as_messages():
        _write_new(file, make_key())
    click.echo(
        f"{file}: a new key. Nothing uses it yet: set people.key_file, or run `facegate key rotate {file}`."
        " The user of the gateway must be able to read the file"
    )


@key.command(short_help="Find out whether a stored copy of the key is the right one.")
@CONFIG_OPTION
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(config: Path | None, file: Path | None) -> None:
    """Find out whether the key in FILE opens the people store. Without FILE, type the key.

    The key of the settings is not used. A gateway may be running.
    """
    with errors_as_messages():
        settings = find_settings(config)
        # Only root may be able to read the file. The process becomes the owner of the data folder below.
        key = read_key_file(file, "FILE") if file else read_key(_ask_key(), "The key")
        become_owner(settings.data)
        if not is_encrypted_with(settings, Cipher(key)):
            raise BadRequest(f"there are no data keys in {describe_store(settings)}: the people store is not encrypted")
    click.echo("this is the key of the people store")


@key.command(short_help="Encrypt the data keys with a new key.")
@CONFIG_OPTION
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def rotate(config: Path | None, file: Path) -> None:
    """Encrypt the data keys of all people with the key in FILE, in place of the key of the settings.

    The people store itself is not changed. No gateway may be running on the data folder, and no replica of a cluster.
    """
    with errors_as_messages():
        settings = find_settings(config)
        # Only root may be able to read the file. The process becomes the owner of the data folder below.
        master = Cipher(read_key_file(file, "the new key"))
        with data_folder_lock(settings.data):
            check_store(settings)
            rotate_master_key(settings, master)
    click.echo(
        f"the data keys are encrypted with the key in {file}: before the next start set people.key_file to that file,"
        " or FACEGATE_PEOPLE__KEY to its content. Destroy the old key when no backup needs it any more"
    )


def _ask_key() -> str:
    """Return the key that somebody types, or that a program sends."""
    return str(click.prompt("the key", hide_input=True)) if sys.stdin.isatty() else sys.stdin.read()


def _write_new(file: Path, text: str) -> None:
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(f"{text}\n")
    except OSError as error:
        raise StartError(f"The file {file} cannot be made: {error.strerror}{permission_hint(error)}.") from None
