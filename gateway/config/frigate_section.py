"""The section ``frigate``: the Frigate servers whose people get their names from this gateway."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, SecretStr, field_validator, model_validator

from gateway.config.field_types import FilePath, WebAddress, is_topic
from gateway.config.section import Section
from gateway.model import CAMERA_NAME


class FrigateSettings(Section):
    """``frigate.<instance>``: one Frigate server."""

    url: WebAddress
    go2rtc_url: WebAddress | None = None
    streams: Mapping[str, str] = {}
    topic_prefix: str = "frigate"
    user: str | None = Field(default=None, min_length=1, max_length=100)
    password: SecretStr | None = None
    password_file: FilePath | None = None
    verify_tls: bool = True
    ca: FilePath | None = None
    cameras: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    snapshot: bool = True
    main_stream: bool = True
    recording: bool = True
    attempts: int = Field(default=8, ge=1, le=100)
    write_back: bool = True

    @field_validator("topic_prefix")
    @classmethod
    def _check_prefix(cls, prefix: str) -> str:
        if not is_topic(prefix):
            raise ValueError(
                "expected Frigate's mqtt.topic_prefix: the beginning of a topic, as frigate, without +, #, $ and NUL,"
                " and without / at its ends"
            )
        return prefix

    @field_validator("cameras")
    @classmethod
    def _check_cameras(cls, cameras: tuple[str, ...]) -> tuple[str, ...]:
        for name in cameras:
            _check_name(name, "camera")
        return cameras

    @field_validator("streams")
    @classmethod
    def _check_streams(cls, streams: Mapping[str, str]) -> Mapping[str, str]:
        for camera, stream in streams.items():
            _check_name(camera, "camera")
            _check_name(stream, "stream of go2rtc")
        return streams

    @model_validator(mode="after")
    def _check_login(self) -> FrigateSettings:
        passwords = (self.password is not None) + (self.password_file is not None)
        if passwords > 1:
            raise ValueError("password and password_file are both given: remove one of them")
        if (self.user is None) != (passwords == 0):
            missing = "password or password_file" if passwords == 0 else "user"
            raise ValueError(f"{missing} is missing: give user and password, or neither for the open port 5000")
        if self.ca is not None and not self.verify_tls:
            raise ValueError("ca is given, but verify_tls is false, so no certificate would be checked: remove one")
        return self

    @model_validator(mode="after")
    def _check_steps(self) -> FrigateSettings:
        if not (self.snapshot or self.recording or (self.main_stream and self.go2rtc_url)):
            raise ValueError("no source of pictures is left: set snapshot or recording to true, or give go2rtc_url")
        return self


def _check_name(name: str, kind: str) -> None:
    if not CAMERA_NAME.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is not the name of a {kind}: use 1 to 64 characters of A-Z a-z 0-9 _ -")
