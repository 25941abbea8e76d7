"""Requests about pictures, requests of administrators, and the ids that both carry."""

from __future__ import annotations

import math
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from gateway.errors import BadRequest
from gateway.model.caller import REST_CALLER, Caller, Party
from gateway.model.names import MAX_ID, PERSON_ID, person_id_error
from gateway.model.tasks import LandmarkCount

MAX_CAMERA_LENGTH = 64
CAMERA_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_CAMERA_LENGTH}}}")
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
RESERVED_CAMERAS = frozenset({"bridge"})
MQTT_LOGIN = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
"""The name of a user at the broker, which is a level of the topics of the user."""
LOGIN_RULE = "use 1 to 64 characters of A-Z a-z 0-9 _ . @ -; the name bridge is reserved"
"""MQTT_LOGIN and RESERVED_CAMERAS in words."""
MAX_PICTURES_AT_ONCE = 10
"""Pictures in one request to enrol."""


def is_user_login(login: str) -> bool:
    """Return whether a login at the broker may be that of a camera or of a user."""
    return MQTT_LOGIN.fullmatch(login) is not None and login not in RESERVED_CAMERAS


def find_login_fault(login: str) -> str | None:
    """Return why an ACL with the login in its topics gives others' topics to this login, None if it does not.

    mosquitto puts the login ``bridge/user/home`` into the topics of cameras: it would get the replies to ``home``.
    """
    if not set(login) & set("/+#") and login not in RESERVED_CAMERAS:
        return None
    return f"the login {login[:80]!r} is no level of a topic, so that the broker's ACL gives it topics of others"


class Operation(str, Enum):
    """The recognition operations. The values are the words of both wires."""

    FACE_REC = "face_rec"
    FACE_MATCH = "face_match"
    VERIFY = "verify"
    DETECT = "detect"
    ENROLL = "enroll"

    @property
    def picture_counts(self) -> range:
        """The numbers of pictures that a request may have."""
        if self is Operation.ENROLL:
            return range(1, MAX_PICTURES_AT_ONCE + 1)
        return range(2, 3) if self is Operation.FACE_MATCH else range(1, 2)

    @property
    def pictures_text(self) -> str:
        """The numbers of pictures in words, for an error message."""
        counts = self.picture_counts
        if len(counts) > 1:
            return f"{counts[0]} to {counts[-1]} pictures"
        return f"{counts[0]} {'picture' if counts[0] == 1 else 'pictures'}"


def name_picture(number: int | None, file: str = "") -> str:
    """Return the words by which a message names a picture of a request.

    ``number``: from 1, or None for the only picture. ``file``: the name that the sender gave to the file, or "".
    """
    if number is None:
        return "the picture"
    return f"picture {number} ({file!r})" if file else f"picture {number}"


@dataclass(frozen=True, slots=True)
class Effect:
    """A change that a request asks for, made at most once per request id.

    ``key``: the caller and its id for the request. ``digest``: of the content of the request. ``deadline``: on the
    clock of ``time.monotonic``; after it the change must not happen. ``operation`` and ``id_text``: the operation and
    the id of the request, as messages to the caller name them.
    """

    key: str
    digest: bytes
    deadline: float
    operation: str = field(default="request", compare=False)
    id_text: str = field(default="the id of this request", compare=False)
    _claimed: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    def claim(self) -> bool:
        """Return True for the first call only.

        The store claims the effect before it makes the change, and an interface before it reports a timeout. The
        first one proceeds, so that a change is never made after its timeout was reported.
        """
        return self._claimed.acquire(blocking=False)


def _event_id() -> str:
    return f"{time.time():.3f}-{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The caller, the ids and the time of a request.

    ``request_id``: given by the caller. ``id``: given by the gateway to the event. ``timestamp``: seconds since 1970.
    ``received``: the same moment on the clock of ``time.monotonic``. ``sender``: the token and the address of a program
    that uses REST, so that each gets its share of the worker processes.
    """

    caller: Caller = REST_CALLER
    sender: str = ""
    request_id: str | None = None
    id: str = field(default_factory=_event_id)
    timestamp: float = field(default_factory=time.time)
    received: float = field(default_factory=time.monotonic)

    @property
    def camera(self) -> str | None:
        """The name of the camera, or None for a request of another caller."""
        return self.caller.name if self.caller.role == "camera" else None

    @property
    def party(self) -> Party:
        """The party that gets its share of what is limited: a token, a login, a camera, or else an address."""
        return self.caller.party(self.sender)

    @property
    def log_id(self) -> str:
        """The id of the request in the log: the caller's, or that of the gateway."""
        return self.request_id or self.id

    def age(self) -> float:
        """Return the seconds since the request was received."""
        return time.monotonic() - self.received


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A recognition request. Raises BadRequest if its parts do not fit together.

    ``pictures``: encoded. ``valid_for_s``: seconds after which the caller no longer needs the reply. ``person``: the id
    of the person to verify, or to enrol with another picture. ``name``: of the person to enrol, who may be new.
    ``annotate``: also return the picture with the faces drawn in. ``live``: a frame of a stream, which a newer frame
    may replace. ``effect``: set for a request that changes something. ``frigate_event`` and ``zones``: the event of
    Frigate that the picture of a live request belongs to, and the zones in which Frigate sees its object.
    ``file_names``: of the pictures in their order, "" for a picture without one, or nothing if none has one.
    """

    operation: Operation
    pictures: tuple[bytes, ...]
    valid_for_s: float
    origin: Origin = field(default_factory=Origin)
    person: str | None = None
    name: str | None = None
    landmarks: LandmarkCount = 0
    annotate: bool = False
    live: bool = False
    effect: Effect | None = None
    frigate_event: str | None = None
    zones: tuple[str, ...] = ()
    file_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.pictures) not in self.operation.picture_counts:
            raise BadRequest(f"{self.operation.value} takes {self.operation.pictures_text}, not {len(self.pictures)}")
        self._check_person()
        if self.annotate and self.operation not in (Operation.FACE_REC, Operation.DETECT):
            raise BadRequest(
                f"only face_rec and detect annotate a picture: leave out annotate for {self.operation.value}"
            )

    def _check_person(self) -> None:
        operation, person = self.operation, self.person
        if operation is Operation.ENROLL:
            if (person is None) == (self.name is None):
                found = "neither" if person is None else "both"
                raise BadRequest(
                    f"enroll needs either a name, or the id of an enrolled person: the request has {found}"
                )
        elif self.name is not None:
            raise BadRequest(f"{operation.value} takes no name: leave it out")
        elif operation is Operation.VERIFY and person is None:
            raise BadRequest(
                "verify needs a person: send the id in the field person, or over MQTT in the topic"
                " (…/request/verify/<id>/<person>)"
            )
        elif operation is not Operation.VERIFY and person is not None:
            raise BadRequest(f"{operation.value} takes no person: remove {person[:MAX_ID]!a}")
        if person is not None and not PERSON_ID.fullmatch(person):
            raise person_id_error("person", f"{person[:MAX_ID]!a}")

    @property
    def deadline(self) -> float:
        """On the clock of ``time.monotonic``."""
        return self.origin.received + self.valid_for_s

    @property
    def picture_names(self) -> tuple[str, ...]:
        """The words by which messages name the pictures, or nothing for a single picture."""
        count = len(self.pictures)
        files = self.file_names or ("",) * count
        return tuple(name_picture(number, file) for number, file in enumerate(files, 1)) if count > 1 else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministrationRequest:
    """A request for an operation of administrators. ``fields``: as they came, to be read by contract/operations.py.

    ``valid_for_s``: seconds after which the operation is not begun. ``effect``: set for a request that changes
    something and may be repeated. ``file_names``: of the ``images`` of the fields, as Request has them.
    ``held_versions``: the versions of the result that the caller has already, and need not get again.
    """

    operation: str
    fields: Mapping[str, Any]
    origin: Origin = field(default_factory=Origin)
    valid_for_s: float = math.inf
    effect: Effect | None = None
    file_names: tuple[str, ...] = ()
    held_versions: frozenset[str] = frozenset()

    @property
    def caller(self) -> Caller:
        return self.origin.caller

    @property
    def deadline(self) -> float:
        """On the clock of ``time.monotonic``."""
        return self.origin.received + self.valid_for_s
