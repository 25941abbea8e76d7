"""The lines of ``facegate watch``: the gateway's announcements as sentences."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.logs import escape

BRIDGE = "bridge"
KINDS = ("event", "present", "state")
"""The last levels of the topics that are watched, below ``<base>/<camera>/``."""
MAX_CAMERAS = 10_000
"""Cameras whose last state is remembered."""

REASONS: Mapping[str, str] = {
    "restart": "the gateway was restarted",
    "disabled": "the camera was switched off",
    "camera_lost": "the camera sends nothing any more",
}
"""The reasons of the end of a sighting, beside ``left``."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A message of the gateway. ``kind``: one of KINDS. ``camera``: a name, or BRIDGE. ``at``: seconds since 1970."""

    kind: str
    camera: str
    document: dict[str, Any]
    at: float

    def as_json(self) -> str:
        """Return the line for other programs."""
        return json.dumps({"kind": self.kind, "camera": self.camera, "document": self.document}, ensure_ascii=False)


def read_announcement(base: str, topic: str, payload: bytes) -> Announcement | None:
    """Return the announcement, or None for a message of another kind, or one that cannot be read."""
    camera, _, kind = topic.removeprefix(f"{base}/").partition("/")
    if kind not in KINDS or not payload:
        return None
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return Announcement(kind, camera, document, time.time()) if isinstance(document, dict) else None


class Lines:
    """The lines of announcements. A state or a presence that has not changed gives no line."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], str] = {}

    def write(self, news: Announcement) -> str | None:
        """Return a line with the time, the camera and a sentence, or None if there is nothing new."""
        try:
            text = _WRITERS[news.kind](news)
        except (KeyError, TypeError, ValueError, AttributeError):
            text = f"a message on {news.kind} cannot be read"
        if not text or (news.kind != "event" and not self._is_new(news, text)):
            return None
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(news.at))
        name = "" if news.camera == BRIDGE else news.camera
        return escape(f"{at}  {name:<16}  {text}")

    def _is_new(self, news: Announcement, text: str) -> bool:
        key = news.kind, news.camera
        if self._last.get(key) == text:
            return False
        if key in self._last or len(self._last) < MAX_CAMERAS:
            self._last[key] = text
        return True


def _write_event(news: Announcement) -> str:
    event = news.document
    who = _who(event)
    match event["event_type"]:
        case "appeared":
            return "a face appeared"
        case "recognised":
            return f"{who} came (score {event['score']:.2f})"
        case "stranger":
            return f"{who} came"
        case "changed":
            previous = event.get("previous") or {}
            return f"{previous.get('name', 'the stranger')} is {who}"
        case "ended":
            reason = REASONS.get(event.get("reason", ""), "")
            return f"{who} left after {event['duration']:.1f} s{f': {reason}' if reason else ''}"
        case "not_them":
            return f"a user says: this is not {who}"
        case "confirmed":
            return f"a user says: this is {who}"
        case other:
            return f"{other}: {who}"


def _who(event: Mapping[str, Any]) -> str:
    if event.get("name") is not None:
        return str(event["name"])
    if event.get("outcome", "stranger") != "stranger":
        return "somebody who could not be recognised"
    unknown, seen = event.get("unknown"), event.get("seen")
    return "a stranger" if unknown is None else f"a stranger (unknown {unknown}, visit {seen})"


def _write_present(news: Announcement) -> str:
    text, last = str(news.document["text"]), news.document.get("last")
    if text != "nobody" or not last:
        return f"now: {text}"
    return f"now: nobody (last: {last['text']}, {time.strftime('%H:%M:%S', time.localtime(last['at']))})"


def _write_state(news: Announcement) -> str:
    state = news.document
    if news.camera == BRIDGE:
        return f"the gateway is {state['state']}"
    if not state["enabled"]:
        return "recognition is switched off"
    return "the camera is connected" if state["connected"] else "the camera is not connected"


_WRITERS = {"event": _write_event, "present": _write_present, "state": _write_state}
