"""The checks of the people store: its key, its audit, its tokens and its backups."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.cli.checkup.backups import check_backups
from gateway.cli.checkup.finding import Finding, from_error, from_warnings
from gateway.cli.output import count, format_minute
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.people.wiring import describe_store, find_exposure, has_store, open_store_for_command
from gateway.rest.access.start_check import check_tokens
from gateway.store.protocols import Store
from gateway.store.tokens import Token

CLOCK_TOLERANCE_S = 300
"""Seconds by which a line of the audit may be later than now before the clock counts as wrong."""


def check_store(settings: Settings) -> Iterator[Finding]:
    """Open the people store as every other command does, and check all its parts."""
    try:
        if found := find_exposure(settings):
            text, is_chosen = found
            yield Finding("people store", "advice" if is_chosen else "to_do", text)
        if not has_store(settings):
            text = f"there is no people store in {_place(settings)} yet: the first start of the gateway makes one"
            yield Finding("people store", "advice", text, "facegate run")
            return
        with open_store_for_command(settings) as store:
            yield from _check_people(store, settings)
            yield from _check_audit(store)
            yield from _check_tokens(store, settings)
            yield from check_backups(store, settings.backups)
    except GatewayError as error:
        yield from_error("people store", error)


def _check_people(store: Store, settings: Settings) -> Iterator[Finding]:
    place = _place(settings)
    if store.status.is_writable():
        yield Finding("people store", "ok", f"the people store in {place} can be read and changed")
    elif settings.people.postgres_url is not None:
        text = f"the people store in {place} cannot be changed: the server is a standby, or its database is read-only"
        yield Finding("people store", "to_do", text, 'psql -c "SELECT pg_is_in_recovery()"')
    else:
        text = f"the people store in {place} cannot be changed: check the disk and the owner of the folder"
        yield Finding("people store", "to_do", text, f"ls -la {settings.data}")
    yield from from_warnings("people store", store.status.find_name_warnings())
    if settings.people.key is None and settings.people.key_file is None:
        text = "the people store is not encrypted: make a key, and name the file in people.key_file"
        yield Finding("key", "advice", text, "facegate key make /etc/facegate/people.key")
    elif _is_below(settings.people.key_file, settings.data):
        text = (
            f"people.key_file is in the data folder: a copy of {settings.data} has the key beside the people that it"
            " protects; move the file, and set people.key_file to its new place"
        )
        yield Finding("key", "to_do", text, f"sudo mv {shlex.quote(str(settings.people.key_file))} /etc/facegate/")
    else:
        text = "the key of the settings opens the people store; try your own copy of it with `facegate key check`"
        yield Finding("key", "ok", text)


def _place(settings: Settings) -> str:
    return str(settings.data) if settings.people.postgres_url is None else describe_store(settings)


def _is_below(file: Path | None, folder: Path) -> bool:
    """Return whether a file is in a folder, or in a folder below it."""
    return file is not None and folder.resolve() in file.resolve().parents


def _check_audit(store: Store) -> Iterator[Finding]:
    yield from from_warnings("audit", store.audit.warnings)
    checked = store.audit.check()
    for problem in checked.problems:
        yield Finding("audit", "to_do", problem, "facegate audit verify")
    if not checked.problems:
        yield Finding("audit", "ok", f"nobody changed the {count(checked.lines, 'line')} of the audit")
    for line in store.audit.read_lines(1):
        if line.at > time.time() + CLOCK_TOLERANCE_S:
            text = f"the clock was set back: the last line of the audit is of {format_minute(line.at)}"
            yield Finding("clock", "to_do", text, "sudo timedatectl set-ntp true")


def _check_tokens(store: Store, settings: Settings) -> Iterator[Finding]:
    try:
        check_tokens(settings.rest, store.tokens)
        tokens = store.tokens.list_tokens()
    except GatewayError as error:
        yield from_error("tokens", error)
        return
    expired = [token for token in tokens if not token.is_valid(time.time())]
    yield from map(_describe_expired, expired)
    if not expired:
        yield Finding("tokens", "ok", f"{count(len(tokens), 'token')}, and none has expired")


def _describe_expired(token: Token) -> Finding:
    text = f"the token {token.name} has expired: revoke it, or rotate it if somebody still uses it"
    return Finding("tokens", "to_do", text, f"facegate tokens revoke {token.name}")
