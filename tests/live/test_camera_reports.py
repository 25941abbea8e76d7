"""The reports of live cameras, and their last frames."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.live import camera_reports
from gateway.live.camera_reports import MAX_CAMERAS, RATE_S, REASONS_S, CameraReports
from gateway.live.moment import Moment
from gateway.model import Face, Image, Judgement, Operation, Origin, Person, Recognition, Request
from gateway.model.caller import camera_caller
from gateway.model.sightings import Sighting
from tests.examples import ALICE, BOX

MATCH = Face(BOX, landmarks={"nose_tip": [(1, 2)]}, judgement=Judgement("match", ALICE, 0.9))
DARK = Face(BOX, judgement=Judgement("too_dark"))
STRANGER = Face(BOX, judgement=Judgement("unknown", None, 0.2))


def at(seconds: float) -> Moment:
    return Moment(seconds, 1_790_000_000 + seconds)


def note(
    reports: CameraReports, *faces: Face, seconds: float = 0.0, camera: str = "porch", picture: bytes = b"frame"
) -> None:
    origin = Origin(caller=camera_caller(camera), timestamp=at(seconds).timestamp)
    request = Request(operation=Operation.FACE_REC, pictures=(picture,), valid_for_s=60, origin=origin, live=True)
    reply = Recognition(
        faces=faces, image=Image(64, 48, 5), threshold=0.4, timing={"total": 10 + seconds}, dropped=1, annotated=b"x"
    )
    reports.note(request, reply, at(seconds))


def test_rate_delay_and_dropped_frames_are_reported() -> None:
    reports = CameraReports()
    for n in range(20):
        note(reports, MATCH, seconds=float(n))
    report = reports.report("porch", at(19.0))
    assert report is not None
    assert (report.rate, report.delay_ms, report.dropped) == (10 / RATE_S, 19.5, 20)
    later = reports.report("porch", at(60.0))
    assert later is not None
    assert later.rate == 0
    assert reports.report("yard", at(19.0)) is None
    assert reports.reports(at(19.0)) == {"porch": report}


def test_reasons_why_nobody_was_named_are_counted_until_they_are_old() -> None:
    reports = CameraReports()
    for n, faces in enumerate([(), (DARK,), (DARK,), (STRANGER,), (MATCH, DARK)]):
        note(reports, *faces, seconds=float(n))
    report = reports.report("porch", at(5.0))
    assert report is not None
    assert report.hint is None
    assert [(each.reason, each.count, each.last - at(0).timestamp) for each in report.reasons] == [
        ("no_face", 1, 0.0),
        ("too_dark", 2, 2.0),
        ("unknown", 1, 3.0),
    ]
    note(reports, DARK, seconds=REASONS_S + 4)
    report = reports.report("porch", at(REASONS_S + 4))
    assert report is not None
    assert (report.hint, [each.reason for each in report.reasons]) == ("too_dark", ["too_dark"])


def test_last_result_has_no_landmarks_and_no_drawing() -> None:
    reports = CameraReports()
    note(reports, MATCH, seconds=3.0)
    report = reports.report("porch", at(3.0))
    assert report is not None
    assert report.result is not None
    assert (report.result.person, report.result.annotated, report.result.faces[0].landmarks) == (ALICE, None, None)
    assert report.result_at == at(3.0).timestamp


def test_last_frames_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_reports, "MAX_FRAMES_BYTES", 100)
    reports = CameraReports()
    for n, camera in enumerate(("porch", "yard", "porch", "door")):
        note(reports, seconds=float(n), camera=camera, picture=bytes([n]) * 40)
    found = {camera: reports.last_frame(camera) for camera in ("porch", "yard", "door")}
    assert {camera: frame and frame.picture for camera, frame in found.items()} == {
        "porch": b"\2" * 40,
        "yard": None,
        "door": b"\3" * 40,
    }
    note(reports, camera="huge", picture=bytes(101))
    assert [reports.last_frame(camera) for camera in ("porch", "door", "huge")] == [None] * 3
    note(reports, camera="porch", picture=b"small")
    assert reports.last_frame("porch") is not None


def test_number_of_cameras_is_bounded() -> None:
    reports = CameraReports()
    for n in range(MAX_CAMERAS + 1):
        note(reports, camera=f"c{n}")
    assert len(reports.reports(at(0.0))) == MAX_CAMERAS
    assert (reports.report("c0", at(0.0)), reports.last_frame("c0")) == (None, None)


def test_forgotten_camera_has_no_frame() -> None:
    reports = CameraReports()
    note(reports, MATCH, camera="porch")
    note(reports, MATCH, camera="yard")
    reports.forget("porch")
    assert (reports.last_frame("porch"), reports.report("porch", at(0.0))) == (None, None)
    assert reports.last_frame("yard") is not None
    reports.forget_all()
    assert (reports.last_frame("yard"), reports.reports(at(0.0))) == (None, {})


def test_last_result_and_frame_have_the_present_name() -> None:
    """Regression: after a rename, the old name was shown until the next frame."""
    reports = CameraReports()
    sighting = Sighting(id="s1", visit="s1", camera="porch", since=1.0, last_seen=1.0, outcome="named", person=ALICE)
    note(reports, MATCH, replace(MATCH, sighting=sighting), STRANGER, Face(BOX))
    renamed = Person(ALICE.slug, "Alicia")
    reports.rename_person(Person("somebody_else", "Else"))
    reports.rename_person(renamed)
    report, frame = reports.report("porch", at(0.0)), reports.last_frame("porch")
    assert report is not None
    assert report.result is not None
    assert frame is not None
    for faces in (report.result.faces, frame.faces):
        assert [each.person for each in faces] == [renamed, renamed, None, None]
