"""The messages of Frigate 0.16 to 0.18 about the objects that it tracks, on the topic ``<topic_prefix>/events``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, RootModel, ValidationError

from gateway.errors import BadRequest
from gateway.model import CAMERA_NAME, MAX_CAMERA_LENGTH, RESERVED_CAMERAS

# Frigate lists every point of an object's path, twice: before and after the change.
MAX_MESSAGE_BYTES = 1_000_000

EVENT_ID = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?-[a-z0-9]{1,20}")
"""The id of an event: the time of its first frame, and random characters. It becomes a part of addresses."""

CAMERA_PATTERN = rf"^[A-Za-z0-9_-]{{1,{MAX_CAMERA_LENGTH}}}$"

# Any client of the broker can write such a message.
MAX_TEXT, MAX_ZONES = 100, 50
"""Characters of a label, a sub label and the name of a zone; zones of an event."""


def _read_sub_label(value: Any) -> Any:
    """Return the text of a sub label. Frigate sends a name with its score, and a removed name as ``[null, null]``."""
    return value[0] if isinstance(value, list) and value else value


def _check_camera(name: str) -> str:
    # The topics of such a camera would be those of the gateway itself.
    if name in RESERVED_CAMERAS:
        raise ValueError("no camera may have this name")
    return name


def _read_snapshot(value: Any) -> Any:
    return value or None


class FrigateModel(BaseModel):
    """A part of a message or of an answer. Frigate adds fields with each version: unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


AnswerT = TypeVar("AnswerT", bound=BaseModel)

Text = Annotated[str, Field(max_length=MAX_TEXT)]

FrigateBox = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels of the ``detect`` stream."""


class FrigateSnapshot(FrigateModel):
    """The best picture of an object until now. ``frame_time``: seconds since 1970."""

    frame_time: float
    box: FrigateBox


class FrigateObject(FrigateModel):
    """An object after a change. ``sub_label``: the name that it has at Frigate. ``box``: at ``frame_time``.

    ``start_time``, ``end_time``, ``frame_time``: seconds since 1970. ``entered_zones``: since the start.
    """

    id: Annotated[str, Field(pattern=rf"^{EVENT_ID.pattern}$")]
    camera: Annotated[str, Field(pattern=CAMERA_PATTERN), AfterValidator(_check_camera)]
    label: Text
    start_time: float
    frame_time: float
    box: FrigateBox
    end_time: float | None = None
    sub_label: Annotated[Text | None, BeforeValidator(_read_sub_label)] = None
    snapshot: Annotated[FrigateSnapshot | None, BeforeValidator(_read_snapshot)] = None
    entered_zones: Annotated[tuple[Text, ...], Field(max_length=MAX_ZONES)] = ()
    false_positive: bool = False


class FrigateMessage(FrigateModel):
    """A message on ``<topic_prefix>/events``."""

    type: Literal["new", "update", "end"]
    after: FrigateObject


def read_frigate_message(payload: bytes) -> FrigateMessage:
    """Return the message. Raise BadRequest for anything that Frigate does not send."""
    return _read_message(FrigateMessage, payload)


class _CameraStats(FrigateModel):
    """The frames a second that come from a camera."""

    camera_fps: float = 0.0


class FrigateStats(FrigateModel):
    """A message on ``<topic_prefix>/stats``, once a minute."""

    cameras: Mapping[str, _CameraStats] = {}

    @property
    def working(self) -> tuple[str, ...]:
        """The cameras whose frames come in at Frigate."""
        return tuple(name for name, each in self.cameras.items() if each.camera_fps > 0 and CAMERA_NAME.fullmatch(name))


class FrigateEvent(FrigateModel):
    """An event in Frigate's database (``/api/events/<id>``), as far as it is used."""

    id: Annotated[str, Field(pattern=rf"^{EVENT_ID.pattern}$")]
    sub_label: str | None = None


class FrigateProfile(FrigateModel):
    """The user of a request (``/api/profile``). ``role``: ``admin``, ``viewer``, or a role of Frigate's settings."""

    username: str
    role: str


class _Switch(FrigateModel):
    """A part of Frigate's configuration that can be switched on."""

    enabled: bool = False


class _Detect(FrigateModel):
    """The stream in which Frigate searches for objects: its size in pixels."""

    width: int | None = None
    height: int | None = None


class FrigateCamera(FrigateModel):
    """The configuration of a camera of Frigate, as far as a check of it needs it."""

    enabled: bool = True
    detect: _Detect = _Detect()
    snapshots: _Switch = _Switch()
    record: _Switch = _Switch()


class _FrigateMqtt(FrigateModel):
    """Frigate's connection to its broker."""

    enabled: bool = True
    topic_prefix: str = "frigate"


class FrigateConfig(FrigateModel):
    """The configuration of Frigate (``/api/config``), as far as a check of it needs it."""

    mqtt: _FrigateMqtt = _FrigateMqtt()
    face_recognition: _Switch = _Switch()
    cameras: Mapping[str, FrigateCamera] = {}


class FrigateEventList(RootModel[tuple[FrigateEvent, ...]]):
    """The events of a search (``/api/events``)."""


def read_frigate_stats(payload: bytes) -> FrigateStats:
    """Return the message about all cameras. Raise BadRequest for anything that Frigate does not send."""
    return _read_message(FrigateStats, payload)


def read_frigate_answer(model: type[AnswerT], content: bytes) -> AnswerT:
    """Return an answer of Frigate's HTTP interface. Raise BadRequest for another answer."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise BadRequest(f"the answer is not one of Frigate's: {_first_fault(error)}") from None


def check_frigate_size(payload: bytes) -> None:
    """Raise BadRequest for a message that is larger than any of Frigate's."""
    if len(payload) > MAX_MESSAGE_BYTES:
        raise BadRequest(f"the message has {len(payload)} bytes, more than {MAX_MESSAGE_BYTES}")


def _read_message(model: type[AnswerT], payload: bytes) -> AnswerT:
    check_frigate_size(payload)
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        raise BadRequest(f"the message is not one of Frigate's: {_first_fault(error)}") from None


def _first_fault(error: ValidationError) -> str:
    """Return the place and the kind of the first fault, without the value."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'JSON'}: {first['msg']}"
