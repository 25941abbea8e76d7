"""The address of a PostgreSQL database. It contains the password, which no message shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from gateway.errors import StartError

_DEFAULTS = {"host": "the local socket", "port": "5432", "dbname": "the default one"}

_PORTS = re.compile(r"[0-9]+(,[0-9]+)*")
"""The ports of one host, or of several ones."""


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address. ``parameters``: for libpq, with the password. ``place``: for messages, without it."""

    parameters: dict[str, Any]
    place: str

    def __repr__(self) -> str:
        """Return the address without the password: a traceback may show it."""
        return f"Address({self.place!r})"


def parse_address(url: str) -> Address:
    """Return the parts of an address such as ``postgresql://user:password@host/database``. Raise StartError."""
    try:
        parameters = conninfo_to_dict(url)
    except psycopg.Error:
        # The error of the library quotes the address.
        raise _invalid_address_error() from None
    host, port, database = (str(parameters.get(name) or default) for name, default in _DEFAULTS.items())
    # The library takes the end of a password with such a character for the host or the database, which messages show.
    if "@" in f"{host}{database}" or not _PORTS.fullmatch(port):
        raise _invalid_address_error()
    return Address(parameters, f"{host}:{port}/{database}" if parameters.get("host") else f"{host}, {database}")


def _invalid_address_error() -> StartError:
    return StartError(
        "people.store is not a valid address of PostgreSQL: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, and in"
        " the password %40 for @, %3A for :, %2F for /, %23 for #, %3F for ? and %25 for %"
    )
