"""The group of commands ``facegate tokens``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from gateway.cli.operations import settings_or_exit
from gateway.cli.options import CONFIG_OPTION, NEW_OPTION
from gateway.cli.output import format_minute, print_table
from gateway.files.ownership import invoking_user
from gateway.model.caller import CLI_CALLER, LEVELS, Role
from gateway.people.wiring import open_store_for_command
from gateway.store.protocols import Store
from gateway.store.tokens import Token, check_new_token, digest_of, make_secret, unknown_token_error

DAY_S = 86_400
MAX_DAYS = 36_500

_JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print JSON, for other programs.")
_DAYS_OPTION = click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True, max=MAX_DAYS),
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
    with _store(config, new=new) as store:
        secret, now = make_secret(), time.time()
        token = Token(name, role, now, expires=_expiry(now, days))
        # Checked before the audit gets its line, which says "done".
        check_new_token(name, [each.name for each in store.tokens.list_tokens()])
        _record(store, "add_token", f"{name}, {role}")
        store.tokens.add(token, digest_of(secret))
    _print_secret(token, secret, as_json)


@click.command("list")
@CONFIG_OPTION
@_JSON_OPTION
def list_tokens(config: Path | None, as_json: bool) -> None:
    """List all tokens: name, role, and when each was made, was last used and expires. The tokens are not shown."""
    with _store(config) as store:
        tokens = store.tokens.list_tokens()
    if as_json:
        click.echo(json.dumps({"tokens": [_document(each) for each in tokens]}))
        return
    rows = [(each.name, each.role, *map(_moment, (each.created, each.last_used, each.expires))) for each in tokens]
    print_table(("name", "role", "created", "last used", "expires"), rows)


@click.command("revoke")
@CONFIG_OPTION
@click.argument("name")
def revoke(config: Path | None, name: str) -> None:
    """Revoke a token. A running gateway refuses it, and ends its sessions, from the next request on."""
    with _store(config) as store:
        token = _find(store, name)
        _record(store, "revoke_token", f"{token.name}, {token.role}")
        store.tokens.remove(name)
    click.echo(f"the token {name} is revoked")


@click.command("rotate")
@CONFIG_OPTION
@_JSON_OPTION
@click.argument("name")
@_DAYS_OPTION
def rotate(config: Path | None, as_json: bool, name: str, days: float | None) -> None:
    """Replace a token by a new one with the same name and role, and print it. The old one ends immediately.

    Without --days the new token lasts as long as the old one did from its creation, but at least a day.
    """
    with _store(config) as store:
        old = _find(store, name)
        secret, now = make_secret(), time.time()
        if days is None and old.expires is not None:
            days = max(1.0, (old.expires - old.created) / DAY_S)
        _record(store, "rotate_token", f"{old.name}, {old.role}")
        token = Token(old.name, old.role, now, expires=_expiry(now, days))
        store.tokens.replace(token, digest_of(secret))
    _print_secret(token, secret, as_json)


@contextmanager
def _store(config: Path | None, *, new: bool = False) -> Iterator[Store]:
    """Open the store. Errors end the command. ``new``: create a people store if there is none."""
    with settings_or_exit(config, new=new) as settings, open_store_for_command(settings) as store:
        yield store


def _find(store: Store, name: str) -> Token:
    """Return the token with a name. Raise UnknownPerson."""
    for token in store.tokens.list_tokens():
        if token.name == name:
            return token
    raise unknown_token_error(name)


def _record(store: Store, action: str, detail: str) -> None:
    # Before the change: the audit may name a change that failed, but must not miss one.
    store.audit.record(CLI_CALLER, action, detail=f"{detail}, by {invoking_user()}")
    store.audit.flush()


def _expiry(now: float, days: float | None) -> float | None:
    return None if days is None else now + days * DAY_S


def _document(token: Token) -> dict[str, Any]:
    return {
        "name": token.name,
        "role": token.role,
        "created": token.created,
        "last_used": token.last_used,
        "expires": token.expires,
    }


def _moment(seconds: float | None) -> str:
    return "never" if seconds is None else format_minute(seconds)


def _print_secret(token: Token, secret: str, as_json: bool) -> None:
    """Print the token alone on standard output, so that a script can read it."""
    click.echo(json.dumps({**_document(token), "token": secret}) if as_json else secret)
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
