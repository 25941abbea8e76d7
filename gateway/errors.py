"""Everything that can go wrong, named once; each class carries its code on both wires.

GatewayError            internal        a fault of ours, or the death of a worker
 ├ StartError           -               the gateway cannot start; the message says what to do
 │  └ ConfigError       -               the configuration cannot be used
 ├ BadRequest           bad_request     the sender's message is malformed
 │  ├ BadImage          bad_image       the bytes are no readable picture
 │  ├ TooLarge          too_large       more bytes or pixels than allowed
 │  └ Unsupported       unsupported     no such operation or kind of picture
 ├ NoFace               no_face         a comparison needs a face and there is none
 ├ MultipleFaces        multiple_faces  a comparison needs one face and there are more
 ├ UnknownPerson        unknown_person  nobody of that id is known, with a name or without; or no such picture of them
 ├ Conflict             conflict        it cannot be, beside what is there already
 ├ Busy                 busy            the queue is full; carries the seconds to wait
 ├ Expired              expired         the request waited longer than it was good for
 ├ Timeout              timeout         the picture took longer than it may
 └ Forbidden            forbidden       this camera may not ask for that
"""

from __future__ import annotations

from typing import ClassVar


class GatewayError(Exception):
    code: ClassVar[str] = "internal"

    def __str__(self) -> str:
        """Cut, since it may quote what was sent: a broker throws out who publishes a packet over its limit."""
        return super().__str__()[:500]


class StartError(GatewayError):
    """Never on a wire: the command prints it and exits with 1."""


class ConfigError(StartError):
    """Names the path of the bad key, as ``mqtt.port``."""


class BadRequest(GatewayError):
    code = "bad_request"


class BadImage(BadRequest):
    code = "bad_image"


class TooLarge(BadRequest):
    code = "too_large"


class Unsupported(BadRequest):
    code = "unsupported"


class NoFace(GatewayError):
    code = "no_face"


class MultipleFaces(GatewayError):
    code = "multiple_faces"


class UnknownPerson(GatewayError):
    code = "unknown_person"


class Conflict(GatewayError):
    code = "conflict"


class Busy(GatewayError):
    code = "busy"

    def __init__(self, message: str, retry_after: int) -> None:
        """``retry_after``: whole seconds after which another try is likely to be let in, at least 1."""
        super().__init__(message)
        self.retry_after = retry_after


RESTART_S = 5
"""Seconds in which a gateway that goes down may be back."""


def going_down() -> Busy:
    return Busy("the gateway is going down", RESTART_S)


class Expired(GatewayError):
    code = "expired"


class Timeout(GatewayError):
    code = "timeout"


class Forbidden(GatewayError):
    code = "forbidden"


def wire_errors() -> dict[str, type[GatewayError]]:
    """Every code that a client may meet, with the class that carries it."""
    found: dict[str, type[GatewayError]] = {}
    classes: list[type[GatewayError]] = [GatewayError]
    while classes:
        cls = classes.pop()
        if not issubclass(cls, StartError):
            found[cls.code] = cls
            classes += cls.__subclasses__()
    return found
