"""The import of the store in PostgreSQL, whose library is an extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import StartError


@contextmanager
def extra_postgres() -> Iterator[None]:
    """Import what needs the extra postgres. Raise StartError if it is not installed."""
    try:
        yield
    except ImportError as error:
        raise StartError(
            f"people.store names PostgreSQL, and its library cannot be loaded ({error}): install the extra with"
            " `sudo make install-service EXTRAS=postgres` for the service, with `EXTRAS=postgres make install` in a"
            " checkout, and else with `pip install 'facegate[postgres]'`."
        ) from None
