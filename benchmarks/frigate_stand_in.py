"""A stand-in for Frigate 0.16, 0.17 and 0.18, and for its go2rtc: the parts of their HTTP interfaces that are used.

Status codes, messages, parameters and headers are those of Frigate's sources. Times, pictures and boxes are given by
the caller, so that a test knows them.
"""

from __future__ import annotations

import json
import re
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

Version = Literal["0.16", "0.17", "0.18"]
BoxTuple = tuple[int, int, int, int]

SESSION_S = 86_400
"""The life of a token: auth.session_length."""


@dataclass(slots=True, kw_only=True)
class Event:
    """An event of Frigate. ``frame``: the best frame until now, a JPEG of the ``detect`` stream, and its time and box.

    ``annotated``: the stored picture of a finished event up to 0.17, with the box drawn in. ``in_database``: Frigate
    stores an event once it has a picture or a recording of it.
    """

    id: str
    camera: str
    start: float
    frame: bytes = b""
    frame_time: float = 0.0
    box: BoxTuple = (0, 0, 0, 0)
    annotated: bytes = b""
    end: float | None = None
    label: str = "person"
    sub_label: str | None = None
    score: float | None = None
    zones: tuple[str, ...] = ()
    in_database: bool = True

    def message(self, kind: Literal["new", "update", "end"]) -> bytes:
        """Return the message on ``<topic_prefix>/events``."""
        after = self._document()
        return json.dumps({"before": {**after, "false_positive": kind == "new"}, "after": after, "type": kind}).encode()

    def _document(self) -> dict[str, Any]:
        snapshot = {
            "frame_time": self.frame_time,
            "box": list(self.box),
            "area": 1,
            "region": [0, 0, 1, 1],
            "score": 0.8,
        }
        return {
            "id": self.id,
            "camera": self.camera,
            "frame_time": self.frame_time,
            "snapshot": {**snapshot, "attributes": []} if self.frame else None,
            "label": self.label,
            "sub_label": None if self.sub_label is None else [self.sub_label, self.score],
            "top_score": 0.9,
            "false_positive": False,
            "start_time": self.start,
            "end_time": self.end,
            "score": 0.8,
            "box": list(self.box),
            "area": 1,
            "ratio": 0.5,
            "region": [0, 0, 320, 320],
            "active": True,
            "stationary": False,
            "motionless_count": 0,
            "position_changes": 1,
            "current_zones": list(self.zones),
            "entered_zones": list(self.zones),
            "has_clip": False,
            "has_snapshot": True,
            "attributes": {},
            "current_attributes": [],
            "path_data": [[[0.5, 0.5], self.start]],
        }


@dataclass(slots=True)
class User:
    password: str
    role: str = "admin"


@dataclass(slots=True)
class Answer:
    """An answer of the stand-in. ``wait_s``: before it is sent."""

    status: int = 200
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0


def _json(document: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


def _failure(message: str, status: int) -> Answer:
    return _json({"success": False, "message": message}, status)


class _Server:
    """An HTTP server in threads of its own, on 127.0.0.1."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.lock = threading.Lock()
        self.requests: list[str] = []
        """The method and the path of each request, with its query."""
        self.faults: dict[str, list[Answer]] = {}
        """Answers to the next requests whose path contains the text, instead of the proper ones."""
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._handle()

            def do_POST(self) -> None:
                self._handle()

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = stand_in.answer(self.command, self.path, dict(self.headers), body)
                time.sleep(answer.wait_s)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, *_: object) -> None: ...

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._http.server_port}"

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def fail_next(self, path: str, *answers: Answer) -> None:
        """Give these answers to the next requests whose path contains the text."""
        with self.lock:
            self.faults.setdefault(path, []).extend(answers)

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Return the answer to a request."""
        with self.lock:
            self.requests.append(f"{method} {target}")
            for path, answers in self.faults.items():
                if path in target and answers:
                    return answers.pop(0)
            parts = urlsplit(target)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            return self._answer(method, parts.path, query, headers, body)

    def _answer(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        raise NotImplementedError


class Go2rtcStandIn(_Server):
    """go2rtc: the present frame of each stream. ``frames``: a function for each stream that returns a JPEG."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: dict[str, Callable[[], bytes]] = {}

    def _answer(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        if (method, path) == ("GET", "/api/frame.jpeg"):
            if (frame := self.frames.get(query.get("src", ""))) is not None:
                return Answer(200, frame(), {"Content-Type": "image/jpeg", "Cache-Control": "no-cache"})
            return Answer(404, b"stream not found\n")
        if (method, path) == ("GET", "/api"):
            return _json({"version": "1.9.10"})
        return Answer(404, b"404 page not found\n")


class FrigateStandIn(_Server):
    """Frigate. Without ``users`` it is port 5000, where everybody is an administrator, with them it is port 8971."""

    def __init__(self, version: Version, users: Mapping[str, User] | None = None, tls: ssl.SSLContext | None = None):
        super().__init__(tls)
        self.version = version
        self.users = users
        self.events: dict[str, Event] = {}
        self.cameras = {"porch", "yard"}
        self.topic_prefix = "frigate"
        self.recognises_faces = False
        self.snapshots_enabled = True
        self.recordings: dict[str, Callable[[float], bytes | None]] = {}
        """For each camera a function that returns the frame of a moment, or None without a recording."""
        self.on_sub_label: Callable[[Event], None] = lambda _: None
        self._tokens: dict[str, tuple[str, float]] = {}

    def add(self, event: Event) -> Event:
        with self.lock:
            self.events[event.id] = event
        return event

    def expire_tokens(self) -> None:
        """Let all tokens expire, as after 24 h."""
        with self.lock:
            self._tokens.clear()

    def _answer(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        if (method, path) == ("POST", "/api/login"):
            return self._log_in(body)
        if (method, path) == ("GET", "/api/version"):
            return Answer(200, f"{self.version}.0-abcdef1".encode(), {"Content-Type": "text/plain"})
        user, role = ("anonymous", "admin") if self.users is None else self._user_of(headers)
        if not user:
            return Answer(401, b"", {"location": "/login"})
        if (method, path) == ("GET", "/api/profile"):
            more = {} if self.version == "0.16" else {"allowed_cameras": sorted(self.cameras)}
            return _json({"username": user, "role": role, **more})
        if (method, path) == ("GET", "/api/config"):
            return _json(self._config())
        if (method, path) == ("GET", "/api/events"):
            return _json([self._stored(each) for each in list(self.events.values())[-1:] if each.in_database])
        if found := re.fullmatch(r"/api/events/([^/]+)", path):
            return self._event(found[1])
        if (method == "GET") and (found := re.fullmatch(r"/api/events/([^/]+)/snapshot\.jpg", path)):
            return self._snapshot(found[1], query)
        if (method == "POST") and (found := re.fullmatch(r"/api/events/([^/]+)/sub_label", path)):
            return self._set_sub_label(found[1], role, body)
        if found := re.fullmatch(r"/api/([^/]+)/recordings/([\d.]+)/snapshot\.jpg", path):
            return self._recording(found[1], float(found[2]))
        return _json({"detail": "Not Found"}, 404)

    def _log_in(self, body: bytes) -> Answer:
        try:
            given = json.loads(body)
            name, password = str(given["user"]), str(given["password"])
        except (ValueError, KeyError, TypeError):
            return _json({"detail": [{"type": "missing", "loc": ["body"], "msg": "Field required"}]}, 422)
        user = (self.users or {}).get(name)
        if user is None or user.password != password:
            return _json({"message": "Login failed"}, 401)
        token = f"eyJhbGciOiJIUzI1NiJ9.{secrets.token_urlsafe(24)}.{secrets.token_urlsafe(24)}"
        self._tokens[token] = name, time.monotonic() + SESSION_S
        return Answer(200, b"", {"Set-Cookie": f"frigate_token={token}; HttpOnly; Path=/; SameSite=lax"})

    def _user_of(self, headers: Mapping[str, str]) -> tuple[str, str]:
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        if found := re.search(r"frigate_token=([^;]+)", headers.get("Cookie", "")):
            token = token or found[1]
        name, expires = self._tokens.get(token, ("", 0.0))
        if not name or time.monotonic() > expires or self.users is None:
            return "", ""
        return name, self.users[name].role

    def _event(self, event_id: str) -> Answer:
        event = self.events.get(event_id)
        if event is None or not event.in_database:
            return _json("Event not found", 404)
        return _json(self._stored(event))

    def _stored(self, event: Event) -> dict[str, Any]:
        return {
            "id": event.id,
            "camera": event.camera,
            "label": event.label,
            "sub_label": event.sub_label,
            "start_time": event.start,
            "end_time": event.end,
            "zones": list(event.zones),
            "has_snapshot": True,
            "data": {"type": "object", "score": 0.8, "sub_label_score": event.score},
        }

    def _config(self) -> dict[str, Any]:
        camera = {
            "enabled": True,
            "detect": {"width": 640, "height": 360, "fps": 5},
            "snapshots": {"enabled": self.snapshots_enabled},
        }
        return {
            "mqtt": {"enabled": True, "topic_prefix": self.topic_prefix, "host": "mqtt"},
            "face_recognition": {"enabled": self.recognises_faces, "model_size": "small"},
            "cameras": {
                name: {**camera, "record": {"enabled": name in self.recordings}} for name in sorted(self.cameras)
            },
        }

    def _snapshot(self, event_id: str, query: Mapping[str, str]) -> Answer:
        event = self.events.get(event_id)
        if event is None or not event.frame:
            return _failure("Live frame not available", 404)
        headers = {"Content-Type": "image/jpeg", "Cache-Control": "no-store"}
        if self.version == "0.18":
            headers["X-Frame-Time"] = str(event.frame_time)
        if event.end is None:
            return Answer(200, event.frame if query.get("bbox") == "0" else event.annotated, headers)
        if not self.snapshots_enabled:
            return _failure("Snapshot not available", 404)
        # Up to 0.17 the stored picture is sent as it is, whatever the query says.
        clean = self.version == "0.18" and query.get("bbox") == "0"
        return Answer(200, event.frame if clean else event.annotated, headers)

    def _set_sub_label(self, event_id: str, role: str, body: bytes) -> Answer:
        if role != "admin":
            return _json({"detail": f"Role {role} not authorized. Required: admin"}, 403)
        try:
            given = json.loads(body)
            label, score = given["subLabel"], given.get("subLabelScore")
            valid = isinstance(label, str) and len(label) <= 100 and (score is None or 0 < score <= 1)
        except (ValueError, KeyError, TypeError):
            valid = False
        if not valid:
            return _json({"detail": [{"type": "less_than_equal", "loc": ["body", "subLabelScore"], "msg": "…"}]}, 422)
        event = self.events.get(event_id)
        if event is None:
            return _failure(f"Event {event_id} not found.", 404)
        event.sub_label, event.score = (label, score) if label else (None, None)
        self.on_sub_label(event)
        return _json({"success": True, "message": f"Event {event_id} sub label set to {event.sub_label}"})

    def _recording(self, camera: str, moment: float) -> Answer:
        if camera not in self.cameras:
            return _failure("Camera not found", 404)
        frame = self.recordings[camera](moment) if camera in self.recordings else None
        if frame is None:
            return _failure(f"Recording not found at {moment}", 404)
        return Answer(200, frame, {"Content-Type": "image/jpeg"})
