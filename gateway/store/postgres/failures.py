"""Errors of PostgreSQL as errors of the gateway, in plain words and without a password."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import errors

from gateway.errors import Busy, GatewayError, StartError, StoreAway
from gateway.store.postgres.address import Address

log = logging.getLogger(__name__)

RETRY_S = 2
"""Seconds after which a request may be repeated when PostgreSQL is away or does something else."""

LOG_INTERVAL_S = 60.0
"""Time between two lines of the log about the same failure."""

NO_SPACE_SHOWN_S = 3600.0
"""Time for which the health document has the warning after a change that found no space on the disk."""

NO_SPACE = "the people store has no space left: make room on the disk of PostgreSQL"

_WAITS = (errors.LockNotAvailable, errors.QueryCanceled, errors.SerializationFailure, errors.DeadlockDetected)
"""The database did not get to the statement in time. It changed nothing."""

_ADVICE = {
    "password authentication failed": "check the user and the password in people.store, or in PGPASSWORD",
    "no password supplied": "write the password into people.store, or set PGPASSWORD",
    "root certificate file": "copy the certificate of the authority there, or correct sslrootcert in people.store",
    "certificate": "correct sslmode, sslrootcert or the host in people.store, which must be in the certificate",
    "does not support SSL": "let PostgreSQL use TLS, or correct sslmode in people.store",
    "requirement": "let PostgreSQL ask for the password by scram-sha-256, or correct require_auth in people.store",
    "channel binding": "let PostgreSQL use TLS and scram-sha-256, or correct channel_binding in people.store",
    "invalid ": "correct this option in people.store",
    "no pg_hba.conf entry": "allow this host and user in pg_hba.conf of the server",
    "Connection refused": "check that PostgreSQL runs, and the host and the port in people.store",
    "timeout expired": "check the host and the port in people.store, and the network",
    "resolve host": "check the host in people.store",
    "No such file or directory": "check that PostgreSQL runs, or write the host into people.store",
    "starting up": "wait until PostgreSQL has started",
    "accepting connections": "wait until PostgreSQL has started",
    "recovery mode": "wait until PostgreSQL has started",
    "shutting down": "wait until PostgreSQL has started again",
    "closed the connection": "check that PostgreSQL runs, and what is between it and this machine",
    "too many clients": "raise max_connections of PostgreSQL",
    "remaining connection slots": "raise max_connections of PostgreSQL",
    "does not exist": "create it with config/cluster/postgresql/create.sql, or correct people.store",
}
"""Advice by a part of the message about a connection that failed. The first part in the message counts."""

_TEMPORARY = (
    "Connection refused",
    "timeout expired",
    "resolve host",
    "No such file",
    "starting up",
    "accepting connections",
    "recovery mode",
    "shutting down",
    "closed the connection",
    "Connection reset",
    "unreachable",
    "No route to host",
    "clients",
    "slots",
)
"""Parts of messages about a connection that failed, and may succeed later. libpq gives no code for them."""

_LOST = (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow, errors.ConnectionTimeout)
"""The server, or the way to it, went away."""


class LostConnection(errors.OperationalError):
    """A server that did not answer in time. It may be paused, or on the other side of a broken network."""


class Failures:
    """The errors of one database as errors of the gateway. Any thread may use the object.

    Anybody may get the message of such an error. So the place of the database, and what PostgreSQL says about the
    connection, are only in the log.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        # The lines of the last minute with their times. Another dictionary replaces it: other threads may read it.
        self._logged: Mapping[str, float] = {}
        self._no_space_at = -math.inf

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence if a change found no space on the disk of the server, which nobody can see from here."""
        return (NO_SPACE,) if time.monotonic() < self._no_space_at + NO_SPACE_SHOWN_S else ()

    @contextmanager
    def translate(self) -> Iterator[None]:
        """Raise errors of PostgreSQL as Busy if another attempt may succeed, else as GatewayError."""
        try:
            yield
        except psycopg.Error as error:
            raise self._translate(error) from error

    def _translate(self, error: psycopg.Error) -> GatewayError:
        if isinstance(error, _WAITS):
            return Busy(f"the people store has too much to do now ({reason_of(error)}): try again", RETRY_S)
        if isinstance(error, errors.ReadOnlySqlTransaction):
            self._log(error)
            return Busy("the people store accepts no changes now: try again later", RETRY_S)
        if isinstance(error, errors.DiskFull):
            self._log(error)
            self._no_space_at = time.monotonic()
            return GatewayError(NO_SPACE)
        if isinstance(error, errors.OperationalError | errors.InternalError):
            self._log(error)
            return Busy("the people store cannot be reached now: try again", RETRY_S)
        return GatewayError(f"the people store: {reason_of(error)}")

    def _log(self, error: psycopg.Error) -> None:
        """Log where and why, each reason once a minute: many threads try again and again, and fail for two reasons.

        Attempts would be no help: while the disk is full, reads succeed between the writes that fail.
        """
        line, now = f"PostgreSQL at {self._address.place}: {reason_of(error)}", time.monotonic()
        recent = {each: at for each, at in self._logged.items() if now <= at + LOG_INTERVAL_S}
        if line not in recent:
            self._logged = {**recent, line: now}
            log.warning("%s", line)


def as_start_error(error: psycopg.Error, address: Address) -> StartError:
    """Return the error for a database that cannot be opened, with what to do."""
    reason = reason_of(error)
    message = f"The people store in PostgreSQL at {address.place} cannot be used ({reason})"
    if isinstance(error, errors.InsufficientPrivilege):
        advice = "let the user of people.store create a schema: GRANT CREATE ON DATABASE … TO …"
    else:
        advice = next((advice for part, advice in _ADVICE.items() if part in reason), "see the log of PostgreSQL")
    is_temporary = isinstance(error, (*_LOST, *_WAITS, LostConnection)) or any(part in reason for part in _TEMPORARY)
    kind = StoreAway if is_temporary else StartError
    return kind(f"{message}: {advice}.")


def reason_of(error: psycopg.Error) -> str:
    """Return the message of an error in one line. It quotes no value of a row."""
    primary = error.diag.message_primary
    lines = (primary or str(error)).strip().splitlines()
    # libpq writes its attempts for each address of the host, the last one at the end.
    found = (
        (lines[0] if primary else next((line for line in reversed(lines) if "FATAL" in line), lines[0]))
        if lines
        else ""
    )
    return found.rpartition("FATAL:")[2].strip().rstrip(".") or type(error).__name__
