"""The line in which a command prints an error."""

from __future__ import annotations

import click

from gateway.errors import GatewayError

FIRST_WORDS = frozenset({"A", "Another", "No", "The", "There", "Unknown"})
"""The first words of errors that are whole sentences. Other first words may be names, which keep their capitals."""


def print_error(error: GatewayError) -> None:
    """Print an error on standard error. After ``facegate:`` every message begins with a small letter."""
    first, space, rest = str(error).partition(" ")
    click.echo(f"facegate: {first.lower() if first in FIRST_WORDS else first}{space}{rest}", err=True)
