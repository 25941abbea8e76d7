"""A Frigate server: its HTTP interface and that of its go2rtc.

The methods were checked against the sources of Frigate 0.16, 0.17 and 0.18.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from gateway.config.frigate_section import FrigateSettings
from gateway.contract.frigate import (
    EVENT_ID,
    AnswerT,
    FrigateConfig,
    FrigateEvent,
    FrigateEventList,
    FrigateProfile,
    read_frigate_answer,
)
from gateway.errors import BadRequest, ConfigError
from gateway.integrations.frigate.login import Credentials, Login
from gateway.integrations.frigate.refusals import Refusal, RefusalKind, Task
from gateway.integrations.frigate.sentences import advice
from gateway.integrations.http_client import HttpAnswer, HttpClient, HttpFailure, make_tls_context
from gateway.model import CAMERA_NAME

REQUEST_S = 6.0
"""The longest time of a request. go2rtc waits for the next whole picture of the stream, which may take seconds."""

SNAPSHOT_QUERY: Mapping[str, int] = {"bbox": 0, "timestamp": 0, "crop": 0, "quality": 100}
"""A whole picture without drawings. Up to 0.17 the parameters count only while the event lasts."""

MAX_NAME_CHARACTERS = 100
"""Frigate refuses longer names."""

STATUS_KINDS: Mapping[int, RefusalKind] = {
    400: "invalid",
    401: "login",
    403: "role",
    404: "gone",
    405: "invalid",
    422: "invalid",
    429: "too_many",
}


Send = Callable[[HttpClient, Mapping[str, str]], HttpAnswer]
"""A function that sends a request with a client and headers."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG. ``frame_time``: of its frame, in seconds since 1970, if Frigate says it (from 0.18 on)."""

    content: bytes
    frame_time: float | None = None


HTTPS_NEEDED = b"The plain HTTP request was sent to HTTPS port"
"""A part of the answer of nginx, which is in front of Frigate."""

JPEG_START = b"\xff\xd8\xff"


class FrigateServer:
    """The client of one Frigate server. Safe to use from any thread. Its methods raise Refusal.

    ``name``: of the section of the settings. ``max_bytes``: the largest picture. Raises ConfigError for a file of the
    settings that cannot be read.
    """

    def __init__(self, name: str, settings: FrigateSettings, max_bytes: int) -> None:
        self._section = f"frigate.{name}"
        self._settings = settings
        tls = make_tls_context(settings.verify_tls, settings.ca)
        client = partial(HttpClient, tls=tls, max_bytes=max_bytes, total_s=REQUEST_S)
        self._frigate = client(settings.url)
        self._go2rtc = client(settings.go2rtc_url) if settings.go2rtc_url else None
        credentials = read_credentials(settings)
        self._login = Login(credentials, self._log_in) if credentials else None

    def get_snapshot(self, event_id: str) -> Picture:
        """Return Frigate's best picture of an event until now."""
        task: Task = "get the snapshot"
        answer = self._ask_frigate(
            task, _get(f"api/events/{_checked(EVENT_ID, event_id)}/snapshot.jpg", SNAPSHOT_QUERY)
        )
        return Picture(self._jpeg(task, answer, "url"), _read_time(answer.headers.get("x-frame-time")))

    def get_main_frame(self, camera: str) -> Picture:
        """Return the present frame of the main stream of a camera, from go2rtc."""
        task: Task = "get a frame of go2rtc"
        # go2rtc would open any address that it is given as a stream.
        stream = _checked(CAMERA_NAME, self._settings.streams.get(camera, camera))
        assert self._go2rtc is not None
        answer = self._ask(task, _get("api/frame.jpeg", {"src": stream}), self._go2rtc, "go2rtc_url", {})
        return Picture(self._jpeg(task, self._check(task, answer, "go2rtc_url"), "go2rtc_url"))

    def get_recording(self, camera: str, moment: float) -> Picture:
        """Return a frame of the recording. ``moment``: seconds since 1970."""
        task: Task = "get the recording"
        path = f"api/{_checked(CAMERA_NAME, camera)}/recordings/{moment:.3f}/snapshot.jpg"
        return Picture(self._jpeg(task, self._ask_frigate(task, _get(path)), "url"), moment)

    def get_sub_label(self, event_id: str) -> str | None:
        """Return the name of an event in Frigate's database."""
        path = f"api/events/{_checked(EVENT_ID, event_id)}"
        return self._read("read the event", FrigateEvent, _get(path)).sub_label or None

    def set_sub_label(self, event_id: str, name: str, score: float) -> None:
        """Write a name into an event. ``score``: more than 0, up to 1."""
        if not (0 < score <= 1 and 0 < len(name) <= MAX_NAME_CHARACTERS):
            raise ValueError(f"Frigate takes a name of up to {MAX_NAME_CHARACTERS} characters and a score up to 1")
        self._write_sub_label(event_id, {"subLabel": name, "subLabelScore": score})

    def remove_sub_label(self, event_id: str) -> None:
        """Remove the name of an event."""
        self._write_sub_label(event_id, {"subLabel": "", "subLabelScore": None})

    def _write_sub_label(self, event_id: str, document: Mapping[str, object]) -> None:
        path = f"api/events/{_checked(EVENT_ID, event_id)}/sub_label"
        self._ask_frigate("write a name", lambda client, headers: client.post(path, document, headers))

    def get_version(self) -> str:
        """Return Frigate's version, as ``0.17.0-abcdef``."""
        answer = self._ask_frigate("read the version", _get("api/version"))
        return answer.content[:100].decode(errors="replace").strip()

    def get_profile(self) -> FrigateProfile:
        """Return the user and the role that Frigate sees in our requests."""
        return self._read("read the role", FrigateProfile, _get("api/profile"))

    def get_config(self) -> FrigateConfig:
        """Return the configuration of Frigate, without its secrets."""
        return self._read("read the configuration", FrigateConfig, _get("api/config"))

    def find_last_event(self) -> str | None:
        """Return the id of the last event about a person in Frigate's database."""
        query: Mapping[str, str | int] = {"label": "person", "limit": 1, "include_thumbnails": 0}
        found = self._read("find an event", FrigateEventList, _get("api/events", query))
        return found.root[0].id if found.root else None

    def _read(self, task: Task, model: type[AnswerT], send: Send) -> AnswerT:
        answer = self._ask_frigate(task, send)
        try:
            return read_frigate_answer(model, answer.content)
        except BadRequest as error:
            raise self._refusal(task, "no_document", "url", str(error)) from None

    def _log_in(self, credentials: Credentials) -> HttpAnswer:
        document = {"user": credentials.user, "password": credentials.password}
        answer = self._ask("log in", lambda client, _: client.post("api/login", document), self._frigate, "url", {})
        return self._check("log in", answer, "url")

    def _ask_frigate(self, task: Task, send: Send) -> HttpAnswer:
        """Return a good answer of Frigate, after a new login if it does not accept the present one."""
        headers = self._login.headers() if self._login else {}
        answer = self._ask(task, send, self._frigate, "url", headers)
        if answer.status == 401 and self._login is not None:
            answer = self._ask(task, send, self._frigate, "url", self._login.headers(refused=headers))
        return self._check(task, answer, "url")

    def _ask(self, task: Task, send: Send, client: HttpClient, setting: str, headers: Mapping[str, str]) -> HttpAnswer:
        try:
            return send(client, headers)
        except HttpFailure as failure:
            raise self._refusal(task, failure.kind, setting, str(failure)) from None

    def _check(self, task: Task, answer: HttpAnswer, setting: str) -> HttpAnswer:
        if answer.status == 200:
            return answer
        if answer.status == 400 and HTTPS_NEEDED in answer.content:
            raise self._refusal(task, "https", setting, "it accepts only https there")
        kind = STATUS_KINDS.get(answer.status, "fault")
        raise self._refusal(task, kind, setting, f"it answered with the status {answer.status}")

    def _jpeg(self, task: Task, answer: HttpAnswer, setting: str) -> bytes:
        if not answer.content.startswith(JPEG_START):
            raise self._refusal(task, "no_jpeg", setting, "its answer is not a JPEG")
        return answer.content

    def _refusal(self, task: Task, kind: RefusalKind, setting: str, reason: str) -> Refusal:
        address = getattr(self._settings, setting)
        what_to_do = advice(task, kind, self._section, f"{self._section}.{setting}", self._settings.user)
        return Refusal(task, kind, f"{self._section} ({address}) did not {task}: {reason}. To do: {what_to_do}.")


def read_credentials(settings: FrigateSettings) -> Credentials | None:
    """Return the login of the settings, or None without one. Raise ConfigError if its file cannot be read."""
    if settings.user is None:
        return None
    if settings.password is not None:
        return Credentials(settings.user, settings.password.get_secret_value())
    assert settings.password_file is not None
    try:
        return Credentials(settings.user, settings.password_file.read_text().strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{settings.password_file} cannot be read as the password of Frigate: {error}") from None


def _get(path: str, query: Mapping[str, str | int] | None = None) -> Send:
    return lambda client, headers: client.get(path, query, headers)


def _checked(pattern: re.Pattern[str], text: str) -> str:
    """Return the text, which becomes a part of an address. Raise ValueError unless it has the right form."""
    if not pattern.fullmatch(text):
        raise ValueError(f"{text[:40]!r} may not become a part of an address")
    return text


def _read_time(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
