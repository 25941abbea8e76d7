"""The JSON documents of the contract, the same on every door: reading what came in, writing what goes out."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gateway.errors import BadRequest, Busy, GatewayError, Incomplete
from gateway.formats.text_encodings import trim
from gateway.model import (
    Comparison,
    Detection,
    Enrolment,
    Face,
    Judgement,
    LandmarkCount,
    Origin,
    Person,
    Recognition,
    Reply,
    Timing,
)
from gateway.model.health import Health

SCHEMA = 1
MOST_TOLD = 100
"""Entries of a list that may be of any length: of pictures that are skipped, of pieces that are missing."""

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

MAX_PARTS = 1000
"""Brackets and commas in a request's JSON; base64 has none. Cameras send their own state with a picture; with so many
parts it costs 100 kB of memory."""

Document = Mapping[str, Any]


def read_json(data: bytes) -> Document:
    """An object of a few fields, each key once, with finite numbers. Raises BadRequest."""
    if sum(map(data.count, (b"{", b"[", b","))) > MAX_PARTS:  # before it becomes a hundred times as large in memory
        raise BadRequest(f"the JSON has more than {MAX_PARTS} parts")
    try:
        document = json.loads(trim(data), object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:  # a number of a million digits is a ValueError too
        raise BadRequest(f"the JSON cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise BadRequest("the JSON must be an object")
    return document


_LANDMARKS: Mapping[object, LandmarkCount] = {"false": 0, "0": 0, "5": 5, "68": 68, "true": 68}
_FLAGS = {"true": True, "false": False}


def read_landmarks(value: object) -> LandmarkCount:
    """How many points; true is 68. Options may come as text (MQTT 5's user properties). Raises BadRequest."""
    if (count := _LANDMARKS.get(_word(value))) is None:
        raise BadRequest("landmarks is true (68), 68, 5 or false")
    return count


def read_flag(name: str, value: object) -> bool:
    """Raises BadRequest."""
    if (flag := _FLAGS.get(_word(value))) is None:
        raise BadRequest(f"{name} is true or false")
    return flag


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int | str) else ""


def dump(document: Document) -> bytes:
    """JSON in UTF-8, as short as it gets."""
    return _JSON.encode(document).encode()


def write_reply(origin: Origin, operation: str, reply: Reply) -> Document:
    return {**_head(origin, operation), "status": "ok", **_body(reply)}


def write_error(origin: Origin, operation: str, error: GatewayError) -> Document:
    return {**_head(origin, operation), "status": "error", "code": error.code, "error": str(error), **details(error)}


def details(error: GatewayError) -> Document:
    """What some errors tell beside their code."""
    match error:
        case Busy():
            return {"retry_after": error.retry_after}
        case Incomplete():
            return {"missing": error.missing}
        case _:
            return {}


def write_health(health: Health) -> Document:
    faces = health.known_faces
    return {
        "schema": SCHEMA,
        "status": "ready" if health.ready else "not_ready",
        "live": health.live,
        "broker": "connected" if health.mqtt.connected else "connecting",
        "canary": "back" if health.mqtt.loopback else "missing",
        "workers": {"ready": health.workers_ready, "of": health.workers},
        "store": "writable" if health.store else "read_only",
        "known_faces": {
            "done": faces.done,
            "of": faces.of,
            "people": faces.people,
            "skipped": faces.skipped[:MOST_TOLD],  # all of them are in the log
        },
        "warnings": health.warnings[:MOST_TOLD],
    }


def _head(origin: Origin, operation: str) -> Document:
    head = {"schema": SCHEMA, "id": origin.id, "type": "face", "op": operation, "camera": origin.camera}
    return {**head, "timestamp": round(origin.timestamp, 3), "request_id": origin.request_id}


def _body(reply: Reply) -> Document:
    match reply:
        case Recognition():
            return _recognition(reply)
        case Comparison():
            return _comparison(reply)
        case Enrolment():
            return {**write_enrolment(reply), "timing_ms": _timing(reply.timing)}
        case Detection():
            return {
                "faces": _faces(reply.faces),
                "counts": {"face": len(reply.faces), **_left_out(reply)},
                "image": asdict(reply.image),
                **_annotated(reply),
                "timing_ms": _timing(reply.timing),
            }


def write_enrolment(reply: Enrolment) -> Document:
    person = reply.person
    return {"person": person.slug, "name": person.name, "pictures": reply.pictures, "warnings": list(reply.warnings)}


def read_enrolment(document: Document) -> Enrolment:
    """What ``write_enrolment`` wrote."""
    person = Person(document["person"], document["name"])
    return Enrolment(person, document["pictures"], tuple(document["warnings"]))


def _recognition(reply: Recognition) -> Document:
    best = reply.best.judgement if reply.best else None
    person = reply.person
    verdicts = [face.judgement.verdict for face in reply.faces if face.judgement]
    return {
        "name": person.name if person else None,
        "person": person.slug if person else None,
        "score": _score(best.score) if best else None,
        "threshold": _score(reply.threshold),
        "faces": _faces(reply.faces),
        "counts": {
            "face": len(reply.faces),
            "match": verdicts.count("match"),
            "unknown": verdicts.count("unknown"),
            **_left_out(reply),
        },
        "image": asdict(reply.image),
        **_annotated(reply),
        "timing_ms": _timing(reply.timing),
        "dropped": reply.dropped,
    }


def _comparison(reply: Comparison) -> Document:
    person = {"name": reply.person.name, "person": reply.person.slug} if reply.person else {}
    result = {"match": reply.match, "score": _score(reply.score), "threshold": _score(reply.threshold)}
    return {**person, **result, "faces": _faces(reply.faces), "timing_ms": _timing(reply.timing)}


def _left_out(reply: Recognition | Detection) -> Document:
    return {"left_out": reply.left_out} if reply.left_out else {}


def _annotated(reply: Recognition | Detection) -> Document:
    return {"annotated": base64.b64encode(reply.annotated).decode()} if reply.annotated is not None else {}


def _faces(faces: tuple[Face, ...]) -> list[Document]:
    return [_face(face) for face in faces]


def _face(face: Face) -> Document:
    box = face.box
    return {
        **(_judgement(face.judgement) if face.judgement else {}),
        "box": [box.left, box.top, box.right, box.bottom],
        **({"quality": asdict(face.quality)} if face.quality is not None else {}),
        **({"landmarks": face.landmarks} if face.landmarks is not None else {}),
    }


def _judgement(judgement: Judgement) -> Document:
    person = judgement.person
    return {
        "name": person.name if person else None,
        "person": person.slug if person else None,
        "verdict": judgement.verdict,
        "score": _score(judgement.score),
        "similarity": None if judgement.similarity is None else round(judgement.similarity, 4),
        "margin": None if judgement.margin is None else round(judgement.margin, 4),
        **({"candidates": write_candidates(judgement)} if judgement.candidates else {}),
    }


def write_candidates(judgement: Judgement) -> list[Document]:
    """The people among whom an ambiguous face cannot be told, the best first."""
    return [
        {
            "name": each.person.name,
            "person": each.person.slug,
            "score": _score(each.score),
            "similarity": round(each.similarity, 4),
        }
        for each in judgement.candidates
    ]


def _score(score: float) -> float:
    return round(score, 3)


def _timing(timing: Timing) -> Document:
    return {step: round(ms, 1) for step, ms in timing.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse(text)
    return number


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")
