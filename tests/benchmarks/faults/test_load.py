from __future__ import annotations

import io
import json
import random

from PIL import Image

from benchmarks.faults.load import BRIDGE, Load, Request, pictures_of, slug, with_comment
from benchmarks.faults.sender import Tally
from gateway.model import PERSON_ID, REQUEST_ID


def test_picture_with_a_comment_has_the_same_pixels() -> None:
    (picture, *_) = pictures_of()
    one, other = with_comment(picture, "1"), with_comment(picture, "2")
    assert len({picture, one, other}) == 3
    decoded = [Image.open(io.BytesIO(each)).convert("RGB").tobytes() for each in (picture, one)]
    assert decoded[0] == decoded[1]


def test_requests_are_unique_and_repeatable_by_seed() -> None:
    drawn = [Load(random.Random(7)).of_camera("cam0") for _ in range(2)]
    assert drawn[0] == drawn[1]
    load = Load(random.Random(7))
    requests = [load.of_camera("cam0") for _ in range(300)]
    assert len({each.id for each in requests}) == len({each.digest for each in requests}) == 300
    assert 10 < sum(each.op == "enroll" for each in requests) < 60
    assert {each.op for each in requests} == {"face_rec", "detect", "enroll"}


def test_each_enrolment_has_its_own_person() -> None:
    request = Load(random.Random(1), enroll=1.0).of_camera("cam0")
    assert request.token is not None
    assert PERSON_ID.fullmatch(slug(request.token))
    assert REQUEST_ID.fullmatch(request.id)
    assert request.topic == f"facegate/cam0/request/enroll/{request.id}/{slug(request.token)}"


def test_bad_pictures_are_truncated() -> None:
    request = Load(random.Random(1), enroll=0.0, bad=1.0).of_camera("cam0")
    assert len(request.payload) < min(len(each) for each in pictures_of())


def next_of_bridge(load: Load) -> Request:
    request = load.of_bridge()
    load.succeeded(request)
    return request


def test_bridge_renames_and_removes_added_people() -> None:
    load = Load(random.Random(1))
    assert [next_of_bridge(load).op for _ in range(4)] == ["people/add", "people/rename"] * 2
    load = Load(random.Random(1), forget=True)
    requests = [next_of_bridge(load) for _ in range(3)]
    assert [each.op for each in requests] == ["people/add", "people/rename", "people/remove"]
    assert len({each.token for each in requests}) == 1
    assert all(json.loads(each.payload)["transaction"] == each.id for each in requests)
    assert all(each.camera == BRIDGE for each in requests)


def test_bridge_renames_only_added_people() -> None:
    load = Load(random.Random(1))
    assert [load.of_bridge().op for _ in range(2)] == ["people/add"] * 2


def test_tally_counts_accepted_and_refused() -> None:
    tally = Tally(sent=10, by_code={"ok": 4, "busy": 5}, ok_in_time=3, took=2.0)
    assert (tally.accepted, tally.refused, tally.answered, tally.accepted_per_s) == (4, 5, 9, 1.5)
