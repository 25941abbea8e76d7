"""The section ``inputs``: cameras with topics or addresses of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from gateway.config.field_types import FilePath, Seconds
from gateway.config.section import Section
from gateway.formats.topic_patterns import TopicPattern, filters_overlap
from gateway.model import CAMERA_NAME, MAX_CAMERA_LENGTH, RESERVED_CAMERAS

_URL = re.compile(
    r"https?://(?P<login>[^/?#\s]*@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?([/?][!-\"$-~]*)?"
)

MAX_PULLED_CAMERAS = 100
"""Each pulled camera has a thread and a connection."""


class TopicInput(Section):
    """An entry of ``inputs.topics``: the topic on which other firmware publishes its pictures."""

    topic: str
    camera: str

    @model_validator(mode="after")
    def _check_pattern(self) -> TopicInput:
        pattern = self.pattern
        if "{" not in pattern.camera:
            check_camera_name(pattern.camera)
        return self

    @property
    def pattern(self) -> TopicPattern:
        return TopicPattern(self.topic, self.camera)


class PullInput(Section):
    """``inputs.pull.<camera>``: a camera that the gateway asks for pictures over HTTP."""

    url: str
    kind: Literal["snapshot", "mjpeg"] = "snapshot"
    every_s: float = Field(default=1, ge=0.05, le=86_400)
    timeout_s: Seconds = 10
    user: str | None = Field(default=None, min_length=1)
    password: SecretStr | None = None
    token: SecretStr | None = None
    secret_file: FilePath | None = None
    verify_tls: bool = True
    ca: FilePath | None = None

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        # An address may contain a password. So no message quotes it.
        found = _URL.fullmatch(url)
        if found is None or not 1 <= int(found["port"] or 80) <= 65535:
            raise ValueError(
                "expected an address such as http://192.168.1.20/snapshot.jpg; RTSP needs a program in between"
                " (docs/how-to/use-another-camera.md)"
            )
        if found["login"]:
            raise ValueError("the address contains a login: give it as user and password")
        return url

    @model_validator(mode="after")
    def _check_secrets(self) -> PullInput:
        given = [name for name in ("password", "token", "secret_file") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are given: use one of them")
        if self.user is not None and given in ([], ["token"]):
            raise ValueError("user needs password, or secret_file with the password")
        if self.password is not None and self.user is None:
            raise ValueError("password needs user; for a bearer token use token")
        if self.ca is not None and not self.verify_tls:
            raise ValueError("ca is given, but verify_tls is false, so no certificate would be checked: remove one")
        return self


class InputSettings(Section):
    """``inputs``: cameras that do not use the gateway's own topics."""

    topics: tuple[TopicInput, ...] = Field(default=(), max_length=100)
    pull: Mapping[str, PullInput] = Field(default={}, max_length=MAX_PULLED_CAMERAS)

    @field_validator("pull")
    @classmethod
    def _check_names(cls, pull: Mapping[str, PullInput]) -> Mapping[str, PullInput]:
        for name in pull:
            check_camera_name(name)
        return pull

    @model_validator(mode="after")
    def _check_overlaps(self) -> InputSettings:
        filters = [each.pattern.topic_filter for each in self.topics]
        for number, one in enumerate(filters):
            for other in filters[:number]:
                if filters_overlap(one, other):
                    raise ValueError(f"the topics {other} and {one} overlap: a picture would arrive twice")
        return self

    @model_validator(mode="after")
    def _check_sources(self) -> InputSettings:
        for each in self.topics:
            if each.camera in self.pull:
                raise ValueError(f"the camera {each.camera} has a topic and an address to pull: remove one of them")
        return self

    def check_base(self, base: str) -> None:
        """Raise ValueError for a topic that is also one of the gateway's own. ``base``: the setting mqtt.base."""
        for each in self.topics:
            if filters_overlap(each.pattern.topic_filter, f"{base}/#"):
                raise ValueError(
                    f"inputs.topics: {each.topic} overlaps with the gateway's own topics {base}/…: choose another base"
                    " (mqtt.base), or name the first level of the topic"
                )


def check_camera_name(name: str) -> None:
    """Raise ValueError for a name that no camera may have."""
    if not CAMERA_NAME.fullmatch(name) or name in RESERVED_CAMERAS:
        raise ValueError(
            f"{name[:80]!r} is not the name of a camera:"
            f" use 1 to {MAX_CAMERA_LENGTH} characters of A-Z a-z 0-9 _ -; the name bridge is reserved"
        )
