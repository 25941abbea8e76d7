"""The checks of the people store: its key, its audit, its tokens and its backups."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from gateway.cli.checkup.finding import Finding, from_error, from_warnings
from gateway.cli.output import count, format_minute
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.people.wiring import has_store, open_store_for_command
from gateway.rest.access.start_check import check_tokens
from gateway.store.protocols import Store
from gateway.store.tokens import Token

DAY_S = 86_400

MAX_BACKUP_AGE_DAYS = 30
"""Days after which the doctor asks for a new backup."""

READ_AUDIT_LINES = 100_000
"""Lines of the audit that are searched for the last backup."""

CLOCK_TOLERANCE_S = 300
"""Seconds by which a line of the audit may be later than now before the clock counts as wrong."""


def check_store(settings: Settings) -> Iterator[Finding]:
    """Open the people store as every other command does, and check all its parts."""
    try:
        if not has_store(settings):
            text = f"there is no people store in {settings.data} yet: the first start of the gateway makes one"
            yield Finding("people store", "advice", text, "facegate run")
            return
        with open_store_for_command(settings) as store:
            yield from _check_people(store, settings)
            yield from _check_audit(store)
            yield from _check_tokens(store, settings)
            yield from _check_backups(store)
    except GatewayError as error:
        yield from_error("people store", error)


def _check_people(store: Store, settings: Settings) -> Iterator[Finding]:
    if store.status.is_writable():
        yield Finding("people store", "ok", f"the people store in {settings.data} can be read and changed")
    else:
        text = f"the people store in {settings.data} cannot be changed: check the disk and the owner of the folder"
        yield Finding("people store", "to_do", text, f"ls -la {settings.data}")
    yield from from_warnings("people store", store.status.find_name_warnings())
    if settings.people.key is None and settings.people.key_file is None:
        text = "the people store is not encrypted: make a key, and name the file in people.key_file"
        yield Finding("key", "advice", text, "facegate key make /etc/facegate/people.key")
    else:
        yield Finding("key", "ok", "the people store is encrypted, and the key of the settings opens it")


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


def _check_backups(store: Store) -> Iterator[Finding]:
    backups = store.backups
    yield from from_warnings("backups", (*backups.warnings, *backups.skipped_warnings()))
    people = len(store.people.list_unchanged_since(math.inf))
    lines = store.audit.read_lines(READ_AUDIT_LINES)
    made = max((line.at for line in lines if line.action == "backup"), default=None)
    if made is None and people:
        yield Finding("backups", "to_do", f"{count(people, 'person', 'people')}, and no backup", "facegate backup")
    elif made is not None and people and time.time() - made > MAX_BACKUP_AGE_DAYS * DAY_S:
        text = f"the last backup was made on {format_minute(made)}, more than {MAX_BACKUP_AGE_DAYS} days ago"
        yield Finding("backups", "to_do", text, "facegate backup")
    else:
        text = "nobody is enrolled" if not people else f"the last backup was made on {format_minute(made or 0)}"
        yield Finding("backups", "ok", text)
