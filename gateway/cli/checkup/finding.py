"""A finding of ``facegate doctor``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from gateway.errors import GatewayError

State = Literal["ok", "advice", "to_do"]
"""``advice``: something that is better otherwise, or that could not be found out. ``to_do``: a person must act."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about one part of the gateway. ``command``: the command that mends it, None if there is none."""

    about: str
    state: State
    text: str
    command: str | None = None


def from_error(about: str, error: GatewayError) -> Finding:
    """Return the finding for an error, whose message says what to do."""
    return Finding(about, "to_do", str(error).rstrip("."), _quoted_command(str(error)))


def from_warnings(about: str, warnings: Iterable[str]) -> Iterator[Finding]:
    """Yield a finding for each warning of the gateway, which says what to do."""
    for warning in warnings:
        yield Finding(about, "to_do", warning, _quoted_command(warning))


def _quoted_command(text: str) -> str | None:
    """Return the first command that a message quotes."""
    found = re.search(r"`((?:sudo |facegate |chmod )[^`]+)`", text)
    return found[1] if found else None
