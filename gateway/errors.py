"""Everything that can go wrong, named once; each class carries its code on both wires.

GatewayError            internal        a fault of ours, or the death of a worker
 ├ StartError           -               the gateway cannot start, or go on; the message says what to do
 │  ├ ConfigError       -               the configuration cannot be used
 │  └ Unavailable       -               something is not to be had now, and may be later
 │     └ AnotherGateway -               another gateway is running on the same base of the same broker
 ├ BadRequest           bad_request     the sender's message is malformed
 │  ├ BadImage          bad_image       the bytes are no readable picture
 │  ├ TooLarge          too_large       more bytes or pixels than allowed
 │  ├ Incomplete        incomplete      pieces of an upload did not come; carries which
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

import os
from collections.abc import Sequence
from typing import ClassVar


class GatewayError(Exception):
    """``exit_code``: where it ends the gateway, by sysexits.h: what of these a supervisor should try again.

    ``temporary``: the same picture may be accepted later, though the code says that it is of no use.
    """

    code: ClassVar[str] = "internal"
    temporary: ClassVar[bool] = False
    exit_code: ClassVar[int] = os.EX_SOFTWARE

    def __str__(self) -> str:
        """Cut, since it may quote what was sent: a broker throws out who publishes a packet over its limit."""
        return super().__str__()[:500]


class StartError(GatewayError):
    """Never on a wire: the command prints it and exits. It takes a person to mend it, and no other try."""

    exit_code = os.EX_CONFIG


class Unavailable(StartError):
    """Another try may help."""

    exit_code = os.EX_TEMPFAIL


class AnotherGateway(Unavailable):
    """Everything would be answered twice. When the other one ends, another try helps."""


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


class Incomplete(BadRequest):
    code = "incomplete"

    def __init__(self, message: str, missing: Sequence[int]) -> None:
        """``missing``: the pieces, from 0."""
        super().__init__(message)
        self.missing = list(missing)


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


def shutting_down_error() -> Busy:
    return Busy("the gateway is going down", RESTART_S)


class Expired(GatewayError):
    code = "expired"


class Timeout(GatewayError):
    code = "timeout"


class Forbidden(GatewayError):
    code = "forbidden"


TEMPORARY_CODES = frozenset({"busy", "timeout", "internal", "expired"})
"""Codes of answers that say nothing of what was asked: none is kept, and who asks again by that id is answered anew."""


def wire_errors() -> dict[str, type[GatewayError]]:
    """Every code that a client may meet, with the class that carries it."""
    found: dict[str, type[GatewayError]] = {}
    classes: list[type[GatewayError]] = [GatewayError]
    while classes:
        cls = classes.pop()
        # a class without a code of its own is a kind of its parent, which carries the code
        if not issubclass(cls, StartError) and "code" in vars(cls):
            found[cls.code] = cls
            classes += cls.__subclasses__()
    return found
