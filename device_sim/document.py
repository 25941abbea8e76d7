"""The gateway's JSON documents, read as a device should: it uses documented fields only, and checks them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from device_sim.model import Answer, Message, SentPicture
from device_sim.verdict import first_word

SCHEMA = 1
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Document:
    """A result, response or error.

    ``size``: the bytes of its picture. ``retry_after``: the seconds of ``busy``. ``missing``: the pieces that
    ``incomplete`` lists. ``word``: the first word of the verdict text for this document. ``data``: the whole document.
    """

    label: str
    people: tuple[str, ...] = ()
    score: float | None = None
    code: str | None = None
    dropped: int = 0
    size: int | None = None
    retry_after: float | None = None
    missing: tuple[int, ...] = ()
    word: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def as_answer(self, shot: SentPicture | None, message: Message) -> Answer:
        """Return the answer to a sent picture, None if it is unknown."""
        return Answer(
            camera=message.camera,
            picture=shot.picture.name if shot else None,
            label=self.label,
            people=self.people,
            score=self.score,
            ms=1000 * (message.at - shot.at) if shot else None,
            code=self.code,
            dropped=self.dropped,
        )


def read(payload: bytes) -> Document:
    """Read a document. An invalid one gets the code ``unreadable``, so that it is counted."""
    try:
        data = json.loads(payload)
        if data["schema"] != SCHEMA:
            raise ValueError("unknown schema")
        return _error(data) if data["status"] == "error" else _result(data)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Document(label=UNREADABLE, code=UNREADABLE)


def _error(data: dict[str, Any]) -> Document:
    code = str(data["code"])
    wait = data.get("retry_after")
    return Document(
        label=code,
        code=code,
        dropped=int(data.get("dropped", 0)),
        retry_after=None if wait is None else float(wait),
        missing=tuple(int(piece) for piece in data.get("missing", ())),
        word=first_word(data),
        data=data,
    )


def _result(data: dict[str, Any]) -> Document:
    faces = () if data["op"] == "enroll" else data["faces"]
    score = data.get("score")
    return Document(
        label=_label(data, faces),
        people=tuple(str(face["name"]) for face in faces if face.get("verdict") == "match"),
        score=None if score is None else float(score),
        dropped=int(data.get("dropped", 0)),
        size=data.get("image", {}).get("bytes"),
        word=first_word(data),
        data=data,
    )


def _label(data: dict[str, Any], faces: Sequence[dict[str, Any]]) -> str:
    if "match" in data:
        return "same" if data["match"] else "different"
    if data["op"] == "enroll":
        return f"enrolled {data['name']}"
    if data["op"] == "detect":
        return f"{len(faces)} face{'' if len(faces) == 1 else 's'}"
    return ", ".join(_face_label(face) for face in faces) or "nobody"


def _face_label(face: dict[str, Any]) -> str:
    match face["verdict"]:
        case "match":
            return str(face["name"])
        case "unknown":
            return "stranger"
        case verdict:
            return str(verdict).replace("_", " ")
