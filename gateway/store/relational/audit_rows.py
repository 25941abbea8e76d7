"""The new lines of the audit, without their numbers and codes."""

from __future__ import annotations

import secrets
import time

from gateway.files.ownership import invoking_user
from gateway.logs import escape
from gateway.model.caller import Caller
from gateway.store.relational.database import Row

MAX_DETAIL_LENGTH = 200


def make_row(
    caller: Caller,
    action: str,
    *,
    person: str = "",
    pictures: int = 0,
    detail: str = "",
    outcome: str = "done",
    times: int = 1,
) -> Row:
    """Return a new line, without the columns that depend on its place. ``person``: the random id of a person."""
    head = secrets.token_hex(16), time.time(), caller.audit_text(), action, person, pictures
    return (*head, escape(detail)[:MAX_DETAIL_LENGTH], _actor(caller), caller.role, outcome, times)


def _actor(caller: Caller) -> str:
    """Return the name of a caller. A command is run by a user of the operating system."""
    return caller.name or (invoking_user() if caller.interface == "cli" else "")
