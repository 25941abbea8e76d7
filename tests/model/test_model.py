from __future__ import annotations

import re
import time

import pytest

from gateway.errors import BadRequest, MultipleFaces, NoFace
from gateway.model import (
    CAMERA_NAME,
    PERSON_ID,
    REQUEST_ID,
    Box,
    Face,
    Image,
    Judgement,
    Operation,
    Origin,
    Recognition,
    Request,
)
from gateway.model.names import checked_name
from tests.examples import ALICE, BOB, descriptor, seen

# The last one begins with a Cyrillic letter that looks like a Latin a.
HOSTILE = ["", "a b", "a/b", "a+", "#", "..", "a\n", "\0", "a\u202eb", "ä", "\u0430lice"]


def recognition(*faces: Face) -> Recognition:
    return Recognition(faces=faces, image=Image(640, 480, 1), threshold=0.5, timing={})


def face(size: int, judgement: Judgement | None = None) -> Face:
    return Face(Box(0, 0, size, size), judgement=judgement)


@pytest.mark.parametrize("text", ["porch", "Cam_01-b", "a" * 64])
def test_camera_name_is_accepted(text: str) -> None:
    assert CAMERA_NAME.fullmatch(text)


@pytest.mark.parametrize("text", [*HOSTILE, "a" * 65])
def test_hostile_camera_name_is_refused(text: str) -> None:
    assert not CAMERA_NAME.fullmatch(text)


@pytest.mark.parametrize("text", ["1", "550e8400-e29b-41d4-a716-446655440000"])
def test_request_id_is_accepted(text: str) -> None:
    assert REQUEST_ID.fullmatch(text)


@pytest.mark.parametrize("text", [*HOSTILE, "a" * 37])
def test_hostile_request_id_is_refused(text: str) -> None:
    assert not REQUEST_ID.fullmatch(text)


@pytest.mark.parametrize("text", ["barack_obama", "7", "a" * 53])
def test_person_id_is_accepted(text: str) -> None:
    assert PERSON_ID.fullmatch(text)


@pytest.mark.parametrize("text", [*HOSTILE, "Barack", "a-b", "a" * 54])
def test_hostile_person_id_is_refused(text: str) -> None:
    assert not PERSON_ID.fullmatch(text)


def test_longest_person_id_fits_the_verdict_of_a_small_device() -> None:
    assert len(f"match 0.83 {'a' * 53}") == 64


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("pictures", [0, 1, 2, 3, 10, 11])
def test_request_has_as_many_pictures_as_its_operation_takes(operation: Operation, pictures: int) -> None:
    person = "alice" if operation in (Operation.VERIFY, Operation.ENROLL) else None
    takes = {Operation.FACE_MATCH: [2], Operation.ENROLL: range(1, 11)}.get(operation, [1])
    if pictures in takes:
        Request(operation=operation, pictures=(b"x",) * pictures, valid_for_s=1, person=person)
    else:
        with pytest.raises(BadRequest, match=f"not {pictures}"):
            Request(operation=operation, pictures=(b"x",) * pictures, valid_for_s=1, person=person)


def test_verify_needs_a_person() -> None:
    with pytest.raises(BadRequest, match="needs a person"):
        Request(operation=Operation.VERIFY, pictures=(b"x",), valid_for_s=1)


@pytest.mark.parametrize("operation", [Operation.FACE_REC, Operation.DETECT])
def test_person_is_refused_for_face_rec_and_detect(operation: Operation) -> None:
    with pytest.raises(BadRequest, match=f"^{operation.value} takes no person: remove 'alice'$"):
        Request(operation=operation, pictures=(b"x",), valid_for_s=1, person="alice")


def test_error_about_a_name_in_place_of_an_id_says_where_the_ids_are() -> None:
    with pytest.raises(BadRequest, match="not 'Ada': if this is a name, find the id with `facegate people list`"):
        Request(operation=Operation.VERIFY, pictures=(b"x",), valid_for_s=1, person="Ada")


@pytest.mark.parametrize("person", [*HOSTILE, "a" * 10_000])
def test_request_refuses_a_hostile_person_id(person: str) -> None:
    with pytest.raises(BadRequest, match="1 to 53"):
        Request(operation=Operation.VERIFY, pictures=(b"x",), valid_for_s=1, person=person)


def test_request_deadline_counts_from_when_it_was_received() -> None:
    request = Request(operation=Operation.DETECT, pictures=(b"x",), valid_for_s=60, origin=Origin(received=1000.0))
    assert request.deadline == 1060


def test_origin_ages_from_when_it_was_received() -> None:
    assert Origin(received=time.monotonic() - 5).age() >= 5


def test_event_ids_differ_and_begin_with_the_time() -> None:
    ids = [Origin().id for _ in range(20)]
    assert len(set(ids)) == 20
    assert all(re.fullmatch(r"\d{10}\.\d{3}-[0-9a-f]{6}", each) for each in ids)


@pytest.mark.parametrize("operation", Operation)
def test_annotate_is_refused_for_all_but_face_rec_and_detect(operation: Operation) -> None:
    person = "alice" if operation in (Operation.VERIFY, Operation.ENROLL) else None
    pictures = (b"x",) * (2 if operation is Operation.FACE_MATCH else 1)
    if operation in (Operation.FACE_REC, Operation.DETECT):
        assert Request(operation=operation, pictures=pictures, valid_for_s=1, annotate=True).annotate
    else:
        with pytest.raises(BadRequest, match="only face_rec and detect annotate"):
            Request(operation=operation, pictures=pictures, valid_for_s=1, person=person, annotate=True)


def test_request_has_no_landmarks_and_no_annotation_by_default() -> None:
    request = Request(operation=Operation.DETECT, pictures=(b"x",), valid_for_s=1)
    assert (request.annotate, request.landmarks) == (False, 0)


def test_box_area() -> None:
    assert Box(left=10, top=20, right=13, bottom=24).area == 12


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        pytest.param(Box(1, 2, 30, 40), Box(1, 2, 30, 40), id="within"),
        pytest.param(Box(0, 0, 100, 50), Box(0, 0, 100, 50), id="all of it"),
        pytest.param(Box(-5, -7, 30, 40), Box(0, 0, 30, 40), id="over the left and the top"),
        pytest.param(Box(90, 40, 130, 80), Box(90, 40, 100, 50), id="over the right and the bottom"),
        pytest.param(Box(-10, -10, 900, 900), Box(0, 0, 100, 50), id="larger than the picture"),
        pytest.param(Box(-40, 10, -10, 40), Box(0, 10, 1, 40), id="beyond the left"),
        pytest.param(Box(100, 50, 140, 90), Box(99, 49, 100, 50), id="beyond the right and the bottom"),
        pytest.param(Box(20, 20, 20, 20), Box(20, 20, 21, 21), id="empty"),
    ],
)
def test_clipped_box_has_at_least_one_pixel(box: Box, inside: Box) -> None:
    assert box.clipped_to(100, 50) == inside
    assert inside.area >= 1


def test_box_is_shifted_from_a_part_to_the_whole_picture() -> None:
    assert Box(1, 2, 30, 40).shifted_by(100, -2) == Box(101, 0, 130, 38)


def test_box_is_scaled_from_a_shrunk_picture() -> None:
    assert Box(1, 2, 30, 40).scaled_by(3) == Box(3, 6, 90, 120)


def test_single_face_returns_the_only_face() -> None:
    picture = seen(descriptor(1))
    assert picture.single_face() is picture.faces[0]


def test_single_face_raises_for_no_face() -> None:
    with pytest.raises(NoFace):
        seen().single_face()


def test_single_face_raises_for_two_faces() -> None:
    with pytest.raises(MultipleFaces, match="2 faces"):
        seen(descriptor(1), descriptor(2)).single_face()


def test_best_face_is_the_best_match_of_any_size() -> None:
    good, better = face(20, Judgement("match", ALICE, 0.7)), face(10, Judgement("match", BOB, 0.9))
    largest = face(300, Judgement("unknown", None, 0.95))
    assert recognition(good, better, largest).best is better


def test_best_face_without_a_match_is_the_largest() -> None:
    small = face(10, Judgement("unknown", None, 0.4))
    large = face(20, Judgement("ambiguous", None, 0.1))
    assert recognition(small, large).best is large


def test_best_face_without_judgements_is_the_largest() -> None:
    assert recognition(face(10), large := face(20)).best is large


def test_best_face_is_none_without_faces() -> None:
    assert recognition().best is None


@pytest.mark.parametrize("changes", [{}, {"person": "alice", "name": "Alice"}])
def test_enroll_needs_a_person_or_a_name_and_not_both(changes: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match="enroll needs either a name, or the id"):
        Request(operation=Operation.ENROLL, pictures=(b"x",), valid_for_s=1, **changes)  # type: ignore[arg-type]


def test_name_is_refused_for_face_rec() -> None:
    with pytest.raises(BadRequest, match="face_rec takes no name"):
        Request(operation=Operation.FACE_REC, pictures=(b"x",), valid_for_s=1, name="Alice")


@pytest.mark.parametrize(
    ("given", "stored"),
    [(" Ada\t Lovelace ", "Ada Lovelace"), ("Jose\u0301", "José"), ("Пётр", "Пётр"), ("王芳", "王芳"), ("😀", "😀")],
)
def test_name_is_free_text_in_composed_form(given: str, stored: str) -> None:
    assert checked_name(given) == stored


@pytest.mark.parametrize("given", ["", "  ", "a" * 101, "a\0b", "a\u202eb", "a\ud800", None, 3, b"Ada"])
def test_name_that_cannot_be_shown_is_refused(given: object) -> None:
    with pytest.raises(BadRequest):
        checked_name(given)
