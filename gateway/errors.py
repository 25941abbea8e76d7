"""The errors of the gateway. Each class carries the error code that MQTT and REST send.

GatewayError            internal        a bug in the gateway, or the death of a worker process
 ├ StartError           -               the gateway cannot start or continue; the message says what to do
 │  ├ ConfigError       -               the configuration is invalid
 │  ├ SharedClientId    -               most likely another client has the client id of the gateway at the broker
 │  └ Unavailable       -               a resource is unavailable now, and may be available later
 │     ├ AnotherGateway -               another gateway runs on the same base topic of the same broker
 │     └ StoreAway      -               the database of the people store cannot be reached now
 ├ BadRequest           bad_request     the request is malformed
 │  ├ BadImage          bad_image       the bytes are not a readable picture
 │  ├ TooLarge          too_large       more bytes or pixels than allowed
 │  ├ Incomplete        incomplete      pieces of an upload are missing; carries their numbers
 │  └ Unsupported       unsupported     the operation or the kind of picture does not exist here
 ├ NoFace               no_face         a comparison needs a face, and the picture has none
 ├ MultipleFaces        multiple_faces  a comparison needs one face, and the picture has several
 ├ UnknownPerson        unknown_person  no person, unknown group, picture or camera has that id
 ├ Conflict             conflict        the change contradicts data that exists already
 ├ Busy                 busy            the queue is full; carries the seconds to wait
 │  └ TooManyAttempts   busy            the caller failed too often to log in, or to be verified as a person
 ├ Expired              expired         the request expired while it waited
 ├ Timeout              timeout         the picture took longer than allowed
 ├ Unauthorized         unauthorized    a token is missing or wrong
 └ Forbidden            forbidden       this caller may not request that operation
    └ SwitchedOff       forbidden       recognition is switched off for this camera
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

MAX_MESSAGE_LENGTH = 500


class GatewayError(Exception):
    """The base of all errors of the gateway.

    ``exit_code``: the exit code of the process if this error ends it, from sysexits.h. The code tells systemd whether
    to restart. ``temporary``: the same picture may be accepted later, which the error code does not say.
    """

    code: ClassVar[str] = "internal"
    temporary: ClassVar[bool] = False
    exit_code: ClassVar[int] = os.EX_SOFTWARE

    def __str__(self) -> str:
        """Return the message, cut to MAX_MESSAGE_LENGTH."""
        # The message may quote a client's text. A broker disconnects a client that publishes a packet over its limit.
        return super().__str__()[:MAX_MESSAGE_LENGTH]


class StartError(GatewayError):
    """An error that the command prints before it exits. A person must act: another attempt would fail too.

    It is never sent over MQTT or REST.
    """

    exit_code = os.EX_CONFIG


class Unavailable(StartError):
    """A StartError after which another attempt may succeed."""

    exit_code = os.EX_TEMPFAIL


class AnotherGateway(Unavailable):
    """A refusal to start beside another gateway, because both would answer every request."""


class StoreAway(Unavailable):
    """A database that is away, or is just starting. The gateway waits for it."""


class SharedClientId(StartError):
    """A broker that ends one session after the other, most likely because another client has the client id."""


class ConfigError(StartError):
    """An invalid configuration. The message names the setting, as in ``mqtt.port``."""


class BadRequest(GatewayError):
    code = "bad_request"


class BadImage(BadRequest):
    code = "bad_image"


class TooLarge(BadRequest):
    code = "too_large"


class Unsupported(BadRequest):
    code = "unsupported"


class Incomplete(BadRequest):
    code = "incomplete"

    def __init__(self, message: str, missing: Sequence[int]) -> None:
        """``missing``: the numbers of the missing pieces, from 0."""
        super().__init__(message)
        self.missing = list(missing)


class NoFace(GatewayError):
    code = "no_face"


class MultipleFaces(GatewayError):
    code = "multiple_faces"


PICTURE_ERRORS = (BadImage, TooLarge, Unsupported, NoFace, MultipleFaces)
"""The errors that the same picture will cause again. Others are no fault of the picture."""


@contextmanager
def name_picture_in_errors(name: str) -> Iterator[None]:
    """Begin the message of an error about a picture with the name of the picture, unless the name is empty."""
    try:
        yield
    except PICTURE_ERRORS as error:
        raise (type(error)(f"{name}: {error}") if name else error) from None


class UnknownPerson(GatewayError):
    code = "unknown_person"


class Conflict(GatewayError):
    code = "conflict"


class Busy(GatewayError):
    code = "busy"

    def __init__(self, message: str, retry_after: int) -> None:
        """``retry_after``: whole seconds after which another attempt is likely to be accepted, at least 1."""
        super().__init__(message)
        self.retry_after = retry_after


class TooManyAttempts(Busy):
    """A Busy for a caller that failed too often to log in, or to be taken for a person. The audit has it."""


RESTART_S = 5
"""Seconds after which a gateway that shuts down may run again."""


def shutting_down_error() -> Busy:
    """Return the error for requests that the gateway cannot answer before it exits."""
    return Busy("the gateway is shutting down", RESTART_S)


class Expired(GatewayError):
    code = "expired"


class Timeout(GatewayError):
    code = "timeout"


class Unauthorized(GatewayError):
    code = "unauthorized"


class Forbidden(GatewayError):
    code = "forbidden"


class SwitchedOff(Forbidden):
    """A Forbidden that every picture of a camera gets while it is off. The switch logs the first one."""


TEMPORARY_CODES = frozenset({"busy", "timeout", "internal", "expired"})
"""Codes of errors that do not depend on the request itself. They are not stored as its final reply: a request that is
repeated with the same id is processed again."""


def code_of(error: BaseException) -> str:
    """Return the code with which an error is answered. A bug in the gateway has the code of GatewayError."""
    return error.code if isinstance(error, GatewayError) else GatewayError.code


def wire_errors() -> dict[str, type[GatewayError]]:
    """Return every error code that a client may receive, with its class."""
    found: dict[str, type[GatewayError]] = {}
    classes: list[type[GatewayError]] = [GatewayError]
    while classes:
        cls = classes.pop()
        # A class without a code of its own is sent with the code of its parent.
        if not issubclass(cls, StartError) and "code" in vars(cls):
            found[cls.code] = cls
            classes += cls.__subclasses__()
    return found
