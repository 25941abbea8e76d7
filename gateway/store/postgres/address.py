"""The address of a PostgreSQL database. It contains the password, which no message shows."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from gateway.errors import StartError

_DEFAULTS = {"host": "the local socket", "port": "5432", "dbname": "the default one"}

_CHECKED_MODES = ("verify-ca", "verify-full")
"""The values of sslmode with which only a server with a valid certificate gets the password."""

_PORTS = re.compile(r"[0-9]*(,[0-9]*)*")
"""The ports of one host, or of several ones. Without a number, the default one."""


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
    port = port if port.strip(",") else _DEFAULTS["port"]
    if (service := _service_of(parameters)) and not parameters.get("host"):
        host = f"the service {service}"
    return Address(parameters, f"{host}:{port}/{database}" if parameters.get("host") else f"{host}, {database}")


def find_exposure(url: str) -> tuple[str, bool] | None:
    """Return a sentence if others in the network may read the password, or get it. Raise StartError.

    The second value is True if the address says that it shall be so.
    """
    address = parse_address(url)
    hosts = [*_hosts(address, "hostaddr"), *_hosts(address, "host")]
    # A service of pg_service.conf may name another host. An IP address in the address of the store goes before it.
    has_service = bool(_service_of(address.parameters))
    is_local = all(map(_is_local, hosts)) and not (has_service and not address.parameters.get("hostaddr"))
    # A server proves by the binding that it knows the password, and that nobody is between it and this machine.
    if is_local or _option(address, "channel_binding", "prefer") == "require":
        return None
    root = _option(address, "sslrootcert", "")
    # The library takes verify-full for its default with the authorities of the system, and require with a file as
    # verify-ca.
    mode = _option(address, "sslmode", "verify-full" if root == "system" else "prefer")
    if mode in _CHECKED_MODES or (mode == "require" and root):
        return None
    danger = "may go to another server" if mode == "require" else "and the people may cross the network unencrypted"
    reason = f"sslmode is {mode}"
    if has_service and not address.parameters.get("sslmode"):
        reason = "a service is used, and the address says no sslmode"
    text = (
        f"people.store: the password of PostgreSQL {danger}, since {reason}: append"
        " ?sslmode=verify-full&sslrootcert=FILE to the address, with the certificate of the authority"
        " (docs/how-to/run-several-gateways.md)"
    )
    return text, mode == "disable"


def _hosts(address: Address, parameter: str) -> list[str]:
    return [each for each in _option(address, parameter, "").split(",") if each]


def _option(address: Address, parameter: str, default: str) -> str:
    """Return an option of the library, which may also be a variable of the environment."""
    if found := address.parameters.get(parameter):
        return str(found)
    # A service goes before the variables.
    if _service_of(address.parameters):
        return default
    return os.environ.get(f"PG{parameter.replace('_', '').upper()}") or default


def _service_of(parameters: Mapping[str, Any]) -> str:
    """Return the name of the service whose options the library reads from pg_service.conf, if there is one."""
    return str(parameters.get("service") or os.environ.get("PGSERVICE") or "")


def _is_local(host: str) -> bool:
    """Return whether a host is this machine: a folder of sockets, or a loopback address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.startswith(("/", "@")) or host == "localhost"


def _invalid_address_error() -> StartError:
    return StartError(
        "people.store is not a valid address of PostgreSQL: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, and in"
        " the password %40 for @, %3A for :, %2F for /, %23 for #, %3F for ? and %25 for %"
    )
