"""A camera that the gateway asks for pictures: one address, a bounded rate, and one message for each failure."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from gateway.config.input_sections import PullInput
from gateway.errors import BadImage, ConfigError, Forbidden, GatewayError, TooLarge, Unsupported
from gateway.formats.file_kinds import is_picture
from gateway.integrations.http_client import HttpClient, HttpFailure, Login, make_tls_context
from gateway.integrations.inputs.jpeg_splitter import JpegSplitter, TooLong
from gateway.model import Operation, Origin, Reply, Request
from gateway.model.caller import camera_caller

log = logging.getLogger(__name__)

FIRST_PAUSE_S, MAX_PAUSE_S = 1.0, 60.0
"""The pause after a failure. It doubles with each further failure in a row."""
SWITCH_INTERVAL_S = 1.0
"""The time between two looks at the switch of a camera that is off."""
VALID_FOR_S = 10.0
"""A picture that waited longer is not analysed."""
LASTING_REFUSALS = (BadImage, Forbidden, TooLarge, Unsupported)
"""Errors that concern the pictures or the settings. Others pass, as ``busy``."""

SubmitFrame = Callable[[Request], Future[Reply]]
"""The function that takes a live frame."""


class PullFailure(Exception):
    """No picture could be got. The message is the reason, in a few words."""


class PulledCamera:
    """The pictures of one camera. ``run`` ends when ``stopping`` is set.

    ``max_bytes``: of a picture. ``is_followed`` returns whether the camera is switched on. Raises ConfigError for a
    file that cannot be read.
    """

    def __init__(
        self,
        name: str,
        settings: PullInput,
        *,
        max_bytes: int,
        submit: SubmitFrame,
        is_followed: Callable[[str], bool],
        stopping: threading.Event,
    ) -> None:
        self.name = name
        self._settings = settings
        self._max_bytes = max_bytes
        self._submit = submit
        self._is_followed = is_followed
        self._stopping = stopping
        self._base, self._path = split_address(settings.url)
        self._client, self._headers = _make_client(name, settings, self._base, max_bytes)
        self._pause_s = FIRST_PAUSE_S
        self._due = 0.0
        self._last_picture = b""
        self._failure: str | None = None
        self._refusal: str | None = None

    @property
    def warning(self) -> str | None:
        """The sentence about the last failure, until a picture arrives and is accepted."""
        if self._failure is not None:
            # The query of an address may contain a password.
            shown = f"{self._base}/{self._path.partition('?')[0]}"
            return f"The camera {self.name} cannot be pulled: {self._failure} ({shown}, inputs.pull.{self.name})."
        if self._refusal is not None:
            return f"The pictures that are pulled from the camera {self.name} are refused: {self._refusal}."
        return None

    def run(self) -> None:
        """Pull pictures until the gateway stops."""
        pull = self._pull_stream if self._settings.kind == "mjpeg" else self._pull_snapshot
        while not self._stopping.is_set():
            if not self._is_followed(self.name):
                self._stopping.wait(SWITCH_INTERVAL_S)
                continue
            try:
                pull()
            except (HttpFailure, PullFailure, TooLong) as failure:
                self._wait_after(failure)
            # The thread must outlive a bug: without it the camera would be dead without a word.
            except Exception as error:
                log.exception("a bug in the gateway: the camera %s cannot be pulled", self.name)
                self._wait_after(error)

    def _pull_snapshot(self) -> None:
        self._due = time.monotonic() + self._settings.every_s
        answer = self._client.get(self._path, headers=self._headers)
        self._check_status(answer.status)
        if not is_picture(answer.content):
            kind = answer.headers.get("content-type", "unknown")[:60]
            raise PullFailure(f"its answer is not a picture, but of the type {kind!a}")
        self._take(answer.content)
        self._stopping.wait(max(self._due - time.monotonic(), 0))

    def _pull_stream(self) -> None:
        splitter = JpegSplitter(self._max_bytes)
        last = time.monotonic()
        taken = 0
        with self._client.stream(self._path, headers=self._headers) as stream:
            self._check_status(stream.status)
            for part in stream.parts:
                for picture in splitter.feed(part):
                    last = time.monotonic()
                    taken += 1
                    if last >= self._due:
                        self._due = last + self._settings.every_s
                        self._take(picture)
                if self._stopping.is_set() or not self._is_followed(self.name):
                    return
                if time.monotonic() > last + self._settings.timeout_s:
                    raise PullFailure(f"its stream had no complete picture for {self._settings.timeout_s:g} s")
        if not taken:
            raise PullFailure("its stream ended without a JPEG")
        # Small cameras end a stream now and then.
        self._stopping.wait(FIRST_PAUSE_S)

    def _check_status(self, status: int) -> None:
        """Raise PullFailure unless the answer has a picture."""
        if status == 401:
            has_login = self._settings.user is not None or self._headers
            raise PullFailure("it refuses the login" if has_login else "it asks for a login: give user and password")
        if status == 404:
            raise PullFailure("it has no such path (status 404): check url")
        if status != 200:
            raise PullFailure(f"it answers with the status {status}")

    def _take(self, picture: bytes) -> None:
        """Hand a picture to the gateway, unless it is the last one again."""
        self._pause_s = FIRST_PAUSE_S
        if self._failure is not None:
            log.info("the camera %s is pulled again", self.name)
            self._failure = None
        # A camera or a cache that hangs repeats one picture. A person on it may have left long ago.
        if picture == self._last_picture:
            return
        self._last_picture = picture
        if self._stopping.is_set() or not self._is_followed(self.name):
            return
        request = Request(
            operation=Operation.FACE_REC,
            pictures=(picture,),
            valid_for_s=VALID_FOR_S,
            origin=Origin(caller=camera_caller(self.name)),
            live=True,
        )
        try:
            reply = self._submit(request)
        except GatewayError as error:
            self._note_refusal(error)
        else:
            reply.add_done_callback(self._note_reply)

    def _note_reply(self, reply: Future[Reply]) -> None:
        # A newer picture has replaced this one, if it is cancelled.
        if not reply.cancelled():
            self._note_refusal(reply.exception())

    def _note_refusal(self, error: BaseException | None) -> None:
        lasting = isinstance(error, LASTING_REFUSALS) and self._is_followed(self.name)
        refusal = str(error) if lasting else None
        if refusal is not None and refusal != self._refusal:
            log.warning("the pictures that are pulled from the camera %s are refused: %s", self.name, refusal)
        if error is None or lasting:
            self._refusal = refusal

    def _wait_after(self, failure: Exception) -> None:
        """Report a failure, once for each reason, and pause."""
        if isinstance(failure, TooLong):
            reason = f"its stream has no JPEG of at most {self._max_bytes} bytes (limits.bytes)"
        else:
            reason = str(failure)
        if reason != self._failure:
            self._failure = reason
            log.warning("%s", self.warning)
        # Many cameras that lost one network come back at different moments.
        self._stopping.wait(self._pause_s * random.uniform(0.8, 1.2))
        self._pause_s = min(2 * self._pause_s, MAX_PAUSE_S)


def split_address(url: str) -> tuple[str, str]:
    """Return scheme, host and port of an address, and its path with the query, without the first ``/``."""
    scheme, _, rest = url.partition("://")
    end = min((at for at in map(rest.find, "/?") if at >= 0), default=len(rest))
    return f"{scheme}://{rest[:end]}", rest[end:].removeprefix("/")


def _make_client(name: str, settings: PullInput, base: str, max_bytes: int) -> tuple[HttpClient, dict[str, str]]:
    """Return the client for a camera, and the headers of each request. Raise ConfigError."""
    read = partial(_read_secret, f"inputs.pull.{name}.secret_file")
    password = settings.password.get_secret_value() if settings.password else None
    token = settings.token.get_secret_value() if settings.token else None
    if settings.secret_file is not None:
        password, token = (read(settings.secret_file), None) if settings.user else (None, read(settings.secret_file))
    login = Login(settings.user, password) if settings.user is not None and password is not None else None
    try:
        tls = make_tls_context(settings.verify_tls, settings.ca)
    except OSError as error:
        raise ConfigError(f"inputs.pull.{name}.ca: {settings.ca} cannot be used: {error}.") from None
    client = HttpClient(base, tls, max_bytes=max_bytes, total_s=settings.timeout_s, login=login)
    return client, {"Authorization": f"Bearer {token}"} if token else {}


def _read_secret(setting: str, path: Path) -> str:
    try:
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{setting}: {path} cannot be read: {error}.") from None
    if not secret:
        raise ConfigError(f"{setting}: {path} is empty: write the password or the token into it.")
    return secret
