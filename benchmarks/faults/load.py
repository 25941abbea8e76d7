"""The requests of the devices. All are different, so that a change made twice is not mistaken for two requests."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.faults.history import Key
from device_sim.pictures import FRAMES, load

BASE = "facegate"
BRIDGE = "bridge"
SINGLE_FACE_FRAMES = ("obama_1.jpg", "biden_1.jpg", "hopper_1.jpg")
"""Pictures with exactly one face, which can be enrolled."""
COMMENT_MARKER = b"\xff\xfe"
"""Marker of a comment segment in a JPEG (ITU-T T.81, B.2.4.5)."""


class RequestSource(Protocol):
    """The requests that the devices of a fleet send."""

    def of_camera(self, camera: str) -> Request:
        """Return the next request of a camera."""

    def of_bridge(self) -> Request:
        """Return the next request of the administrator."""

    def succeeded(self, request: Request) -> None:
        """Record that a request got a result."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request. ``token``: identifies the person that it adds, renames or removes. ``shown``: that in its picture."""

    camera: str
    id: str
    op: str
    topic: str
    payload: bytes
    token: str | None = None
    shown: str | None = None

    @property
    def key(self) -> Key:
        return self.camera, self.id

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.payload).hexdigest()[:16]


def with_comment(picture: bytes, text: str) -> bytes:
    """Return the same picture with different bytes: with a comment after the start-of-image marker."""
    said = text.encode()
    return picture[:2] + COMMENT_MARKER + (2 + len(said)).to_bytes(2, "big") + said + picture[2:]


class Load:
    """Random requests. ``enroll``, ``bad``: the shares of enrolments and of damaged pictures among camera requests.

    ``forget``: added people are removed later, so that a long run does not fill the store.
    """

    def __init__(
        self,
        rng: random.Random,
        *,
        enroll: float = 0.1,
        bad: float = 0.0,
        forget: bool = False,
        frames: Path = FRAMES,
    ) -> None:
        self._rng = rng
        self._enroll = enroll
        self._bad = bad
        self._forget = forget
        self._pictures = [picture.jpeg for picture in load(frames)]
        self._faces = [(frames / name).read_bytes() for name in SINGLE_FACE_FRAMES]
        self._added: list[str] = []
        self._renamed: list[str] = []

    def of_camera(self, camera: str) -> Request:
        request_id = self._token()
        if self._rng.random() < self._enroll:
            body = with_comment(self._rng.choice(self._faces), request_id)
            return make_request(camera, request_id, "enroll", body, token=request_id)
        op = "face_rec" if self._rng.random() < 0.6 else "detect"
        body = with_comment(self._rng.choice(self._pictures), request_id)
        if self._rng.random() < self._bad:
            body = body[: self._rng.randrange(1, len(body) // 2)]
        return make_request(camera, request_id, op, body)

    def of_bridge(self) -> Request:
        """Return a request of the administrator: add a person, rename an added one, or remove a renamed one."""
        transaction = self._token()
        if self._renamed:
            token = self._renamed.pop()
            return make_command(transaction, "people/remove", token, {"person": slug(token)})
        if self._added:
            token = self._added.pop()
            fields = {"person": slug(token), "name": f"Renamed {token}"}
            return make_command(transaction, "people/rename", token, fields)
        image = base64.b64encode(with_comment(self._rng.choice(self._faces), transaction)).decode()
        added = {"name": f"Bench {transaction}", "images": [image]}
        return make_command(transaction, "people/add", transaction, added)

    def succeeded(self, request: Request) -> None:
        """Record a successful request, so that its person can be renamed or removed next."""
        if request.token is None:
            return
        if request.op == "people/add" or (self._forget and request.op == "enroll"):
            self._added.append(request.token)
        if request.op == "people/rename" and self._forget:
            self._renamed.append(request.token)

    def _token(self) -> str:
        return f"{self._rng.getrandbits(64):016x}"


def slug(token: str) -> str:
    return f"bench_{token}"


def pictures_of(frames: Path = FRAMES) -> Sequence[bytes]:
    return [picture.jpeg for picture in load(frames)]


def make_request(
    camera: str, request_id: str, op: str, body: bytes, token: str | None = None, shown: str | None = None
) -> Request:
    person = f"/{slug(token)}" if token else ""
    return Request(camera, request_id, op, f"{BASE}/{camera}/request/{op}/{request_id}{person}", body, token, shown)


def make_command(transaction: str, op: str, token: str, fields: Mapping[str, object]) -> Request:
    body = json.dumps({**fields, "transaction": transaction}).encode()
    return Request(BRIDGE, transaction, op, f"{BASE}/{BRIDGE}/request/{op}", body, token)
