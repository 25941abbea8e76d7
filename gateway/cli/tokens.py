"""The group of commands ``facegate tokens``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gateway.cli.operations import settings_or_exit
from gateway.cli.options import CONFIG_OPTION, NEW_OPTION
from gateway.cli.output import format_minute, print_table
from gateway.config import RestSettings
from gateway.errors import StartError
from gateway.model.caller import CLI_CALLER, LEVELS, MAX_TOKEN_DAYS, Role
from gateway.people.wiring import open_store_for_command
from gateway.rest.access.start_check import check_tokens
from gateway.service.documents import write_token
from gateway.service.token_changes import NewToken, TokenChanges
from gateway.store.protocols import Store

_JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print JSON, for other programs.")
_DAYS_OPTION = click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True, max=MAX_TOKEN_DAYS),
    help="Days after which the token expires. Without it: never.",
)


@click.command("add")
@CONFIG_OPTION
@NEW_OPTION
@_JSON_OPTION
@click.option("--name", required=True, help="The name of the program or person, as the audit shows it.")
@click.option("--role", required=True, type=click.Choice(LEVELS), help="The operations that the token allows.")
@_DAYS_OPTION
def add(config: Path | None, new: bool, as_json: bool, name: str, role: Role, days: float | None) -> None:
    """Make a token for the REST interface, and print it. It is shown once: the store has only its digest."""
    with _opened(config, new=new) as (store, _):
        made = _changes(store).add(name, role, days, CLI_CALLER)
    _print_secret(made, as_json)


@click.command("list")
@CONFIG_OPTION
@_JSON_OPTION
def list_tokens(config: Path | None, as_json: bool) -> None:
    """List all tokens: name, role, and when each was made, was last used and expires. The tokens are not shown."""
    with _opened(config) as (store, _):
        tokens = store.tokens.list_tokens()
    if as_json:
        click.echo(json.dumps({"tokens": [write_token(each).document() for each in tokens]}))
        return
    rows = [(each.name, each.role, *map(_moment, (each.created, each.last_used, each.expires))) for each in tokens]
    print_table(("name", "role", "created", "last used", "expires"), rows)


@click.command("revoke")
@CONFIG_OPTION
@click.argument("name")
def revoke(config: Path | None, name: str) -> None:
    """Revoke a token. A running gateway refuses it, and ends its sessions, from the next request on."""
    with _opened(config) as (store, rest):
        _changes(store).revoke(name, CLI_CALLER)
        click.echo(f"the token {name} is revoked")
        _warn_if_needed(store, rest)


@click.command("rotate")
@CONFIG_OPTION
@_JSON_OPTION
@click.argument("name")
@_DAYS_OPTION
def rotate(config: Path | None, as_json: bool, name: str, days: float | None) -> None:
    """Replace a token by a new one with the same name and role, and print it. The old one ends immediately.

    Without --days the new token lasts as long as the old one did from its creation, but at least a day.
    """
    with _opened(config) as (store, _):
        made = _changes(store).rotate(name, days, CLI_CALLER)
    _print_secret(made, as_json)


@contextmanager
def _opened(config: Path | None, *, new: bool = False) -> Iterator[tuple[Store, RestSettings]]:
    """Open the store, and give it with the settings. Errors end the command. ``new``: create a store if needed."""
    with settings_or_exit(config, new=new) as settings, open_store_for_command(settings) as store:
        yield store, settings.rest
        store.audit.flush()


def _changes(store: Store) -> TokenChanges:
    return TokenChanges(store.tokens, store.audit)


def _warn_if_needed(store: Store, rest: RestSettings) -> None:
    """Print a warning if the gateway would not start with the tokens that are left."""
    try:
        check_tokens(rest, store.tokens)
    except StartError as error:
        click.echo(f"facegate: the gateway will refuse its next start: {error}", err=True)


def _moment(seconds: float | None) -> str:
    return "never" if seconds is None else format_minute(seconds)


def _print_secret(made: NewToken, as_json: bool) -> None:
    """Print the token alone on standard output, so that a script can read it."""
    token = made.token
    click.echo(json.dumps({**write_token(token).document(), "token": made.secret}) if as_json else made.secret)
    expires = "" if token.expires is None else f" It expires on {format_minute(token.expires)}."
    click.echo(
        f"facegate: this is the token {token.name} with the role {token.role}. It is not shown again.{expires}",
        err=True,
    )


tokens = click.Group(
    "tokens",
    commands=[add, list_tokens, revoke, rotate],
    help="Tokens, by which programs and people log in over REST: add, list, revoke, rotate.",
    short_help="Tokens for the REST interface: add, list, revoke, rotate.",
)
