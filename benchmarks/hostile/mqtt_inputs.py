"""Hostile messages over MQTT."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cbor2

from benchmarks.hostile.hostile_values import guest_id, guest_name, text, value, write_json
from benchmarks.hostile.inputs import CAMERA, REQUEST_ID, Input, MqttMessage
from benchmarks.hostile.mutations import mutate, mutate_picture
from gateway.contract.operations import ADMINISTRATION, find_operation
from gateway.people.archive import write_archive

BASE = "facegate"
OPERATIONS = ("face_rec", "face_match", "verify", "detect", "enroll")
OTHER_CAMERA = "elsewhere"
"""A camera whose answers nobody reads: its uploads stay incomplete."""
UNSAFE_WITHOUT_CAMERA = frozenset({"cameras/enable", "cameras/disable"})
"""Operations that would switch off the cameras of the benchmark itself, if they named no camera."""
RARE_OPERATIONS = frozenset({"people/export", "calibrate", "people/erase"})
"""Operations that take the gateway a tenth of a second or more. Each is asked for seldom."""


@dataclass(frozen=True, slots=True)
class MqttInputs:
    """The maker of hostile messages. ``pictures``: those that are mutated."""

    pictures: Sequence[bytes]

    def mutated_picture(self, number: int, rng: random.Random) -> Input:
        """Return a request with a damaged picture in one of the forms in which devices send pictures."""
        operation = rng.choice(OPERATIONS)
        pictures = [mutate_picture(rng.choice(self.pictures), rng)]
        if operation == "face_match":
            pictures.append(rng.choice(self.pictures))
        payload = _write_request(pictures, {}, rng)
        return self._request(number, "picture over MQTT", operation, payload, rng, picture=True)

    def hostile_options(self, number: int, rng: random.Random) -> Input:
        """Return a request with a good picture and hostile fields beside it."""
        operation = rng.choice(OPERATIONS)
        pictures = rng.choices(self.pictures, k=2 if operation == "face_match" else 1)
        names = ("landmarks", "annotate", "person", "name", "tags", "schema", "camera", "image3", text(rng))
        options = {rng.choice(names): value(rng) for _ in range(rng.randint(1, 3))}
        payload = _write_request(pictures, options, rng)
        return self._request(number, "options over MQTT", operation, payload, rng, picture=True, well_formed=True)

    def frame(self, number: int, rng: random.Random) -> Input:
        """Return a damaged picture of a stream."""
        payload = mutate_picture(rng.choice(self.pictures), rng)
        message = MqttMessage([f"{BASE}/{CAMERA}/frame"], [payload])
        return Input(number, "frame", "camera", message, picture=True)

    def mutated_payload(self, number: int, rng: random.Random) -> Input:
        """Return a request whose payload was mutated as a whole, whatever it is."""
        payload = _write_request([rng.choice(self.pictures)], {"landmarks": rng.choice((5, 68, 468))}, rng)
        return self._request(number, "payload over MQTT", rng.choice(OPERATIONS), mutate(payload, rng), rng)

    def command(self, number: int, rng: random.Random) -> Input:
        """Return a command with hostile fields."""
        operation = choose_operation(rng)
        fields = make_fields(operation, self.pictures, rng)
        fields["transaction"] = REQUEST_ID if rng.random() < 0.9 else value(rng)
        payload = _write_cbor(fields) if rng.random() < 0.3 else write_json(with_base64(fields), rng)
        message = MqttMessage([f"{BASE}/bridge/request/{operation}"], [payload])
        return Input(number, "command over MQTT", "bridge", message, well_formed=True)

    def topic(self, number: int, rng: random.Random) -> Input:
        """Return a message on a topic that no device should use."""
        levels, answered = rng.choice(TOPICS)(rng)
        payload = rng.choice(self.pictures) if rng.random() < 0.5 else rng.randbytes(rng.randrange(200))
        return Input(number, "topic", "camera", MqttMessage([levels], [payload]), answered)

    def _request(
        self, number: int, kind: str, operation: str, payload: bytes, rng: random.Random, **flags: bool
    ) -> Input:
        person = f"/{guest_id(rng)}" if operation in ("verify", "enroll") else ""
        rest = f"{operation}/{REQUEST_ID}{person}"
        if rng.random() < 0.1:
            size = max(1, -(-len(payload) // rng.randint(1, 5)))
            pieces = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
            topics = [f"{BASE}/{CAMERA}/part/{n}/{len(pieces)}/{rest}" for n in range(len(pieces))]
            message = MqttMessage(topics, pieces)
        else:
            message = MqttMessage([f"{BASE}/{CAMERA}/request/{rest}"], [payload], **_mqtt5(rng))
        return Input(number, kind, "camera", message, **flags)


def choose_operation(rng: random.Random) -> str:
    operations = list(ADMINISTRATION)
    operation = rng.choice(operations)
    return rng.choice(operations) if operation in RARE_OPERATIONS and rng.random() < 0.9 else operation


def make_fields(operation: str, pictures: Sequence[bytes], rng: random.Random) -> dict[str, Any]:
    """Return fields of an operation, some of them valid and some hostile."""
    fields = {name: _field(name, pictures, rng) for name in find_operation(operation).known if rng.random() < 0.8}
    if rng.random() < 0.1:
        fields[text(rng)] = value(rng)
    if operation in UNSAFE_WITHOUT_CAMERA and not fields.get("camera"):
        fields["camera"] = OTHER_CAMERA
    return fields


def _field(name: str, pictures: Sequence[bytes], rng: random.Random) -> Any:
    if rng.random() < 0.4:
        return value(rng)
    make = FIELDS.get(name)
    if name == "images":
        return [mutate_picture(rng.choice(pictures), rng) for _ in range(rng.choice((1, 1, 2, 11)))]
    return value(rng) if make is None else make(rng)


def _archive(rng: random.Random) -> bytes:
    return mutate(write_archive([]), rng)


FIELDS: Mapping[str, Callable[[random.Random], Any]] = {
    "person": guest_id,
    "into": guest_id,
    "name": guest_name,
    "picture": lambda rng: f"{rng.getrandbits(64):016x}",
    "unknown": lambda rng: rng.randrange(1, 50),
    "limit": lambda rng: rng.choice((1, 10, 1_000, "5")),
    "camera": lambda rng: f"{OTHER_CAMERA}{rng.randrange(20)}",
    "archive": _archive,
    "sighting": lambda rng: f"1790000000.{rng.randrange(1_000):03}-{rng.getrandbits(24):06x}",
    "merge": lambda rng: rng.choice((True, False, "true")),
    "outcome": lambda rng: rng.choice(("named", "stranger", "ambiguous")),
    "since": lambda rng: rng.choice((0, 1.5, "1790000000.123")),
}
"""Makers of valid values, by the name of the field."""


def _write_request(pictures: Sequence[bytes], options: dict[str, Any], rng: random.Random) -> bytes:
    """Return the payload of a request in one of the forms that devices use."""
    if len(pictures) == 1 and not options and rng.random() < 0.6:
        picture = pictures[0]
        # One form of text each: base64, a data URI, a JSON string.
        forms: Sequence[Callable[[], bytes]] = (
            lambda: picture,
            lambda: picture,
            lambda: picture,
            lambda: base64.b64encode(picture),
            lambda: b"data:image/jpeg;base64," + base64.urlsafe_b64encode(picture),
            lambda: json.dumps(base64.b64encode(picture).decode()).encode(),
        )
        return rng.choice(forms)()
    names = ("image1", "image2") if len(pictures) == 2 else ("image",)
    fields: dict[str, Any] = {**dict(zip(names, pictures, strict=True)), **options}
    if rng.random() < 0.5:
        return _write_cbor(fields)
    if len(pictures) == 1 and len(pictures[0]) < 3_000:
        fields["image"] = {"type": "Buffer", "data": list(pictures[0])}
    return write_json(with_base64(fields), rng)


def with_base64(fields: Any) -> Any:
    """Return the same fields with base64 in place of bytes."""
    if isinstance(fields, bytes):
        return base64.b64encode(fields).decode()
    if isinstance(fields, dict):
        return {name: with_base64(each) for name, each in fields.items()}
    return [with_base64(each) for each in fields] if isinstance(fields, list) else fields


def _write_cbor(fields: dict[str, Any]) -> bytes:
    clean = {_clean(name): _clean(each) for name, each in fields.items()}
    return bytes(cbor2.dumps(clean))


def _clean(each: Any) -> Any:
    """Return the value with lone surrogates replaced, which CBOR cannot write."""
    if isinstance(each, str):
        return each.encode(errors="replace").decode()
    return [_clean(part) for part in each] if isinstance(each, list) else each


def _mqtt5(rng: random.Random) -> dict[str, Any]:
    """Return MQTT 5 properties for some of the requests, of which some are hostile."""
    if rng.random() < 0.8:
        return {}
    topics = (
        f"{BASE}/{CAMERA}/response/mine",
        f"{BASE}/{OTHER_CAMERA}/response/x",
        f"{BASE}/{CAMERA}/request/face_rec/1",
        "$SYS/broker",
        "/".join("a" * 60),
        f"{BASE}/bridge/request/people/erase",
        f"{BASE}/{CAMERA}/response/\u202e",
    )
    correlation = rng.randbytes(rng.choice((0, 1, 128, 129, 3_000)))
    return {
        "response_topic": rng.choice(topics),
        "correlation": correlation,
        "expiry": rng.choice((None, 30, 2**32 - 1)),
    }


def _bad_camera(rng: random.Random) -> tuple[str, bool]:
    name = rng.choice(("", "a b", "..", "caf\u00e9", "x" * 65, "y" * 3_000, "\u202e", "a%2fb", "<b>", "$SYS", "'"))
    return f"{BASE}/{name}/request/face_rec/1", False


def _bad_operation(rng: random.Random) -> tuple[str, bool]:
    operation = rng.choice(
        ("", "FACE_REC", "face_rec ", "..", "x" * 33, "people/erase", "\u00e9", "__init__", "enroll2")
    )
    return f"{BASE}/{CAMERA}/request/{operation}/{REQUEST_ID}", True


def _bad_id(rng: random.Random) -> tuple[str, bool]:
    request_id = rng.choice(("", "a b", "x" * 37, "..", "\u00e9", "%00", "a.b", "x" * 3_000))
    return f"{BASE}/{CAMERA}/request/face_rec/{request_id}", True


def _many_levels(rng: random.Random) -> tuple[str, bool]:
    return f"{BASE}/{CAMERA}/request/verify/{REQUEST_ID}/" + "/".join("ab" * rng.randint(1, 80)), True


def _bad_piece(rng: random.Random) -> tuple[str, bool]:
    numbers = rng.choice(("0/0", "1/1", "5/2", "-1/2", "0/99999", "a/b", "0/257", "0", ""))
    return f"{BASE}/{CAMERA}/part/{numbers}/face_rec/{REQUEST_ID}", True


def _lost_piece(rng: random.Random) -> tuple[str, bool]:
    return f"{BASE}/{OTHER_CAMERA}/part/{rng.randrange(3)}/4/face_rec/{REQUEST_ID}", False


def _foreign(rng: random.Random) -> tuple[str, bool]:
    rest = rng.choice(("result", "response/face_rec/1", "verdict/1", "event", "present", "snapshot", "state", "x/y/z"))
    return f"{BASE}/{OTHER_CAMERA}/{rest}", False


def _login(rng: random.Random) -> tuple[str, bool]:
    login = rng.choice(("", "home", "..", "x" * 200, "\u00e9", "a b"))
    return f"{BASE}/bridge/user/{login}/request/{rng.choice(('people/export', 'people/erase', 'x', ''))}", False


def _switch(rng: random.Random) -> tuple[str, bool]:
    return f"{BASE}/{OTHER_CAMERA}{rng.randrange(20)}/enabled/set", False


TOPICS: Sequence[Callable[[random.Random], tuple[str, bool]]] = (
    _bad_camera,
    _bad_operation,
    _bad_id,
    _many_levels,
    _bad_piece,
    _lost_piece,
    _foreign,
    _login,
    _switch,
)
"""Makers of topics: the topic, and whether a message on it must be answered."""
