from __future__ import annotations

import io
import json
import random

from PIL import Image

from benchmarks.faults.load import BRIDGE, Load, Request, pictures_of, slug, with_comment
from benchmarks.faults.sender import Tally
from gateway.model import PERSON_ID, REQUEST_ID


def test_a_stamped_picture_is_the_same_picture_with_other_bytes() -> None:
    (picture, *_) = pictures_of()
    one, other = with_comment(picture, "1"), with_comment(picture, "2")
    assert len({picture, one, other}) == 3
    decoded = [Image.open(io.BytesIO(each)).convert("RGB").tobytes() for each in (picture, one)]
    assert decoded[0] == decoded[1]


def test_no_two_requests_are_the_same_and_one_seed_gives_the_same_ones() -> None:
    drawn = [Load(random.Random(7)).of_camera("cam0") for _ in range(2)]
    assert drawn[0] == drawn[1]
    load = Load(random.Random(7))
    requests = [load.of_camera("cam0") for _ in range(300)]
    assert len({each.id for each in requests}) == len({each.digest for each in requests}) == 300
    assert 10 < sum(each.op == "enroll" for each in requests) < 60
    assert {each.op for each in requests} == {"face_rec", "detect", "enroll"}


def test_an_enrolment_names_a_person_of_its_own() -> None:
    request = Load(random.Random(1), enroll=1.0).of_camera("cam0")
    assert request.token is not None
    assert PERSON_ID.fullmatch(slug(request.token))
    assert REQUEST_ID.fullmatch(request.id)
    assert request.topic == f"facegate/cam0/request/enroll/{request.id}/{slug(request.token)}"


def test_bad_pictures_are_cut_short() -> None:
    request = Load(random.Random(1), enroll=0.0, bad=1.0).of_camera("cam0")
    assert len(request.payload) < min(len(each) for each in pictures_of())


def answered(load: Load) -> Request:
    request = load.of_bridge()
    load.succeeded(request)
    return request


def test_whom_the_bridge_adds_it_renames_once_and_removes_if_told() -> None:
    load = Load(random.Random(1))
    assert [answered(load).op for _ in range(4)] == ["people/add", "people/rename"] * 2
    load = Load(random.Random(1), forget=True)
    requests = [answered(load) for _ in range(3)]
    assert [each.op for each in requests] == ["people/add", "people/rename", "people/remove"]
    assert len({each.token for each in requests}) == 1
    assert all(json.loads(each.payload)["transaction"] == each.id for each in requests)
    assert all(each.camera == BRIDGE for each in requests)


def test_nobody_is_renamed_who_was_not_added() -> None:
    load = Load(random.Random(1))
    assert [load.of_bridge().op for _ in range(2)] == ["people/add"] * 2


def test_a_tally_adds_up() -> None:
    tally = Tally(sent=10, by_code={"ok": 4, "busy": 5}, ok_in_time=3, took=2.0)
    assert (tally.accepted, tally.refused, tally.answered, tally.accepted_per_s) == (4, 5, 9, 1.5)
