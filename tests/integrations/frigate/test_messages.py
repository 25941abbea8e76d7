"""The messages of Frigate, read strictly where they become addresses and loosely elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.frigate_stand_in import Event
from gateway.contract.frigate import MAX_MESSAGE_BYTES, read_frigate_message
from gateway.errors import BadRequest

EVENT = Event(
    id="1607123955.475377-mxklsc", camera="front_door", start=1.5, frame=b"x", frame_time=2.5, box=(1, 2, 3, 4)
)


def changed(**changes: Any) -> bytes:
    message = json.loads(EVENT.message("update"))
    message["after"].update(changes)
    return json.dumps(message).encode()


def test_message_is_read() -> None:
    message = read_frigate_message(EVENT.message("new"))
    assert message.type == "new"
    found = message.after
    assert (found.id, found.camera, found.label) == (EVENT.id, "front_door", "person")
    assert (found.start_time, found.end_time, found.sub_label) == (1.5, None, None)
    assert found.snapshot is not None
    assert (found.snapshot.frame_time, found.snapshot.box) == (2.5, (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("sent", "name"),
    [(None, None), (["Ada", 0.8], "Ada"), (["Ada", None], "Ada"), ([None, None], None), ("Ada", "Ada")],
)
def test_sub_label_has_several_forms(sent: object, name: str | None) -> None:
    """After a name was removed Frigate sends ``[null, null]``."""
    assert read_frigate_message(changed(sub_label=sent)).after.sub_label == name


@pytest.mark.parametrize("sent", [None, {}])
def test_event_may_have_no_snapshot_yet(sent: object) -> None:
    assert read_frigate_message(changed(snapshot=sent)).after.snapshot is None


def test_new_fields_of_later_versions_are_ignored() -> None:
    assert read_frigate_message(changed(recognized_license_plate=None, dog_breed=["pug", 0.9])).type == "update"


HOSTILE = [
    changed(id="../../api/config"),
    changed(id="1607123955.475377-mxklsc/../x"),
    changed(id="1607123955.475377-mxklsc\n"),
    changed(id="1-" + "a" * 1000),
    changed(id=7),
    changed(camera="porch/../x"),
    changed(camera="bridge"),
    changed(label="x" * 1000),
    changed(sub_label="x" * 1000),
    changed(entered_zones=["x" * 1000]),
    changed(entered_zones=["x"] * 1000),
    changed(camera="porch?src=rtsp://inside"),
    changed(camera="p" * 65),
    changed(camera=""),
    changed(start_time="soon"),
    changed(start_time=None),
    changed(box=[1, 2, 3]),
    changed(box=None),
    changed(snapshot={"frame_time": 1}),
    changed(entered_zones="all"),
    changed().replace(b"1.5", b"NaN"),
    changed().replace(b"1.5", b"Infinity"),
    changed().replace(b'"update"', b'"delete"'),
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"type":"new"}',
    b"\xff\xfe",
    b"[" * 100_000,
    EVENT.message("new")[:-10],
]


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_message_of_another_form_is_refused(payload: bytes) -> None:
    with pytest.raises(BadRequest, match="not one of Frigate's"):
        read_frigate_message(payload)


def test_message_over_the_limit_is_refused() -> None:
    with pytest.raises(BadRequest, match="more than"):
        read_frigate_message(changed(x="a" * MAX_MESSAGE_BYTES))


def test_refusal_does_not_repeat_the_message() -> None:
    with pytest.raises(BadRequest) as caught:
        read_frigate_message(changed(camera="<script>"))
    assert "script" not in str(caught.value)
    assert "after.camera" in str(caught.value)
