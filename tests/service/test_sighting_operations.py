"""The operations on sightings, unknown groups that are ignored or joined, and cameras."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import BadRequest, Conflict, TooLarge, UnknownPerson
from gateway.model import Descriptor, DrawTask, Face, Image, Judgement, Person, Quality, Recognition
from gateway.model.caller import CLI_CALLER
from gateway.model.cameras import CameraReport, LastFrame, Reason
from gateway.model.people import Likeness
from gateway.model.sightings import ALL_CAMERAS, CameraState, Presence, PresentPerson, Sighting
from gateway.people.archive import read_archive
from gateway.people.group_rules import IgnoredRules, UnknownRules
from gateway.people.sighting_corrections import MAX_CONFIRMED_PICTURES
from gateway.service.enrolment_vision import WorkerVision
from gateway.service.live_cameras import CorrectionEvent
from gateway.service.live_notes import NOTE_LIFETIME_S, LiveNotes, StoredCameras
from gateway.store.records import SightingRecord, StoredFace
from tests.examples import BOX, QUALITY, descriptor, near
from tests.people.environment import build_services, files_with, make_rules, open_environment
from tests.service.test_administration import AdministrationHarness
from tests.support import WAIT_S

ALICE, BOB = Person("alice", "Alice"), Person("bob", "Bob")
FACE = near(descriptor(1), 0.8, 9)


class RecordedCameras:
    """Live cameras that record the changes."""

    def __init__(self) -> None:
        self.changes: list[tuple[object, ...]] = []
        self.all_enabled = True
        self.followed: list[int] = []
        self.count_people: Callable[[], int] = lambda: 0

    def cameras(self) -> Sequence[CameraState]:
        return [
            CameraState(camera="yard", enabled=False),
            CameraState(camera="porch", connected=True, last_frame=1_790_000_000.1234),
        ]

    def presences(self) -> Sequence[Presence]:
        return [Presence(camera="porch", people=(PresentPerson(ALICE, 1.0),), strangers=1)]

    def camera_reports(self) -> Mapping[str, CameraReport]:
        face = Face(BOX, judgement=Judgement("match", ALICE, 0.9))
        result = Recognition(faces=(face,), image=Image(640, 480, 5000), threshold=0.4, timing={})
        reasons = (Reason("too_dark", 3, 5.0),)
        report = CameraReport(
            rate=4.9, delay_ms=41.5, dropped=2, hint=None, reasons=reasons, result=result, result_at=6.0
        )
        return {"porch": report}

    def last_frame(self, camera: str) -> LastFrame | None:
        face = Face(BOX, judgement=Judgement("match", ALICE, 0.9))
        return LastFrame(b"frame", 6.0, (face,)) if camera == "porch" else None

    def follow_people(self) -> None:
        self.followed.append(self.count_people())

    def set_enabled(self, camera: str | None, on: bool) -> None:
        self.changes.append((camera, on))

    def forget_camera(self, camera: str) -> None:
        self.changes.append((camera,))

    def correct(self, sighting: Sighting, event_type: CorrectionEvent, previous: Person | None) -> None:
        self.changes.append((sighting.id, event_type, previous))


@pytest.fixture
def live() -> RecordedCameras:
    return RecordedCameras()


@pytest.fixture
def harness(tmp_path: Path, live: RecordedCameras) -> Iterator[AdministrationHarness]:
    """Give an administration with Alice and Bob enrolled."""
    with open_environment(tmp_path) as env:
        harness = AdministrationHarness(env, live)
        for name, seed in (("Alice", 1), ("Bob", 2)):
            harness.enrol(name, seed)
        yield harness
        harness.changes.shutdown()
        harness.reads.shutdown()


def face(vector: Descriptor = FACE, n: int = 1, quality: Quality | None = QUALITY) -> StoredFace:
    return StoredFace(vector, b"chips of sighting %d" % n, b"\xff\xd8 crop of sighting %d" % n, quality)


def save(harness: AdministrationHarness, n: int = 1, found: StoredFace | None = None, **values: Any) -> str:
    """Store a sighting with a face. Return its id."""
    values = {"camera": "porch", "ended": time.time(), "reason": "left", **values}
    moment = time.time() - 60 + n
    sighting = Sighting(id=f"s{n}", visit=f"v{n}", since=moment, last_seen=moment + 1, **values)
    harness.env.people.sightings.save([SightingRecord(sighting, found if found is not None else face(n=n))])
    return sighting.id


def add_group(harness: AdministrationHarness, seed: int = 7) -> int:
    """Begin an unknown group of two faces. Return its id."""
    groups = harness.env.people.groups
    stored = harness.env.store.unknown_groups("dlib")
    group = stored.add_group("porch", time.time() - 10, 0.5, StoredFace(descriptor(seed), b"chips"))
    stored.add_face(group, 0.6, StoredFace(near(descriptor(seed), 0.95, 1), b"other chips"))
    groups.reload()
    return group.id


def pictures(harness: AdministrationHarness, person: str = "alice") -> list[tuple[str, bool]]:
    return [(each["source"], each["counter"]) for each in harness.do("people/show", person=person)["pictures"]]


def test_sightings_are_listed_in_pages(harness: AdministrationHarness) -> None:
    for n in range(1, 4):
        save(harness, n, outcome="named", person=ALICE)
    save(harness, 4, camera="yard", outcome="stranger")
    first = harness.do("sightings/list", limit=2, camera="porch")
    assert ([each["sighting"] for each in first["sightings"]], first["next"]) == (["s3", "s2"], "s2")
    second = harness.do("sightings/list", limit=2, camera="porch", before=first["next"])
    assert ([each["sighting"] for each in second["sightings"]], second["next"]) == (["s1"], None)
    strangers = harness.do("sightings/list", outcome="stranger", since=f"{time.time() - 100:.3f}")
    assert [each["sighting"] for each in strangers["sightings"]] == ["s4"]


def test_sighting_is_shown_with_its_picture(harness: AdministrationHarness) -> None:
    save(harness, outcome="named", person=ALICE)
    found = harness.do("sightings/show", sighting="s1")
    assert (found["sighting"], found["name"], found["camera"]) == ("s1", "Alice", "porch")
    assert base64.b64decode(found["picture"]) == b"\xff\xd8 crop of sighting 1"


def test_confirmed_sighting_adds_its_face_to_the_person(harness: AdministrationHarness, live: RecordedCameras) -> None:
    save(harness, outcome="named", person=ALICE)
    done = harness.do_once("sightings/confirm", sighting="s1")
    assert (done["name"], done["picture_of"], done["outcome"]) == ("Alice", "alice", "named")
    assert pictures(harness) == [("rest", False), ("sighting:porch/s1", False)]
    assert live.changes == [("s1", "confirmed", ALICE)]
    assert harness.do_once("sightings/confirm", sighting="s1") == done
    assert len(live.changes) == 1


def test_confirmation_is_undone_in_one_step(harness: AdministrationHarness) -> None:
    save(harness, outcome="named", person=ALICE)
    done = harness.do("sightings/confirm", sighting="s1")
    harness.do("people/remove_picture", person=done["picture_of"], picture=done["picture"])
    assert pictures(harness) == [("rest", False)]


def test_confirmation_can_give_a_name(harness: AdministrationHarness, live: RecordedCameras) -> None:
    candidates = (Likeness(BOB, 0.7, 0.9), Likeness(ALICE, 0.6, 0.8))
    save(harness, outcome="ambiguous", candidates=candidates)
    with pytest.raises(BadRequest, match="s1 has no name: give person"):
        harness.do("sightings/confirm", sighting="s1")
    harness.do("sightings/confirm", sighting="s1", person="alice")
    found = harness.do("sightings/show", sighting="s1")
    assert (found["outcome"], found["person"], "candidates" in found) == ("named", "alice", False)
    assert live.changes == [("s1", "confirmed", None)]


def test_person_has_a_limited_number_of_pictures_from_sightings(harness: AdministrationHarness) -> None:
    for n in range(1, MAX_CONFIRMED_PICTURES + 3):
        save(harness, n, face(near(descriptor(1), 0.8, n), n), camera=f"camera{n}", outcome="named", person=ALICE)
        harness.do("sightings/confirm", sighting=f"s{n}")
    confirmed = [source for source, _ in pictures(harness) if source != "rest"]
    assert confirmed == [f"sighting:camera{n}/s{n}" for n in range(3, MAX_CONFIRMED_PICTURES + 3)]
    assert len(pictures(harness)) == MAX_CONFIRMED_PICTURES + 1


def test_poor_face_is_not_enrolled_but_the_sighting_gets_the_name(harness: AdministrationHarness) -> None:
    poor = face(quality=Quality(pixels=52, brightness=0.5, sharpness=0.9, pose=0.9, inside=1.0))
    save(harness, found=poor, outcome="undecided")
    done = harness.do("sightings/confirm", sighting="s1", person="alice")
    assert (done["person"], done["picture"]) == ("alice", None)
    assert done["warnings"][0].startswith("only the sighting was corrected: the picture cannot be used")
    assert pictures(harness) == [("rest", False)]


def test_sighting_without_a_face_is_corrected(harness: AdministrationHarness) -> None:
    sightings = harness.env.people.sightings
    one = Sighting(id="s1", visit="v1", camera="porch", since=time.time(), last_seen=time.time(), person=ALICE)
    sightings.save([SightingRecord(one)])
    for operation in ("sightings/confirm", "sightings/not_them"):
        done = harness.do(operation, sighting="s1")
        assert done["picture"] is None
        assert "no face of this sighting is stored" in done["warnings"][0]


def test_sighting_of_somebody_else_becomes_a_counter_example(
    harness: AdministrationHarness, live: RecordedCameras
) -> None:
    assert harness.env.who(FACE) == "alice"
    save(harness, outcome="named", person=ALICE, score=0.8)
    done = harness.do_once("sightings/not_them", sighting="s1")
    assert (done["outcome"], done["person"], done["score"], done["picture_of"]) == ("stranger", None, None, "alice")
    assert pictures(harness) == [("rest", False), ("sighting:porch/s1", True)]
    assert harness.env.who(FACE) is None
    assert live.changes == [("s1", "not_them", ALICE)]
    harness.do("people/remove_picture", person="alice", picture=done["picture"])
    assert harness.env.who(FACE) == "alice"


def test_wrong_confirmation_is_turned_into_a_counter_example(harness: AdministrationHarness) -> None:
    save(harness, outcome="named", person=ALICE)
    harness.do("sightings/confirm", sighting="s1")
    harness.do("sightings/not_them", sighting="s1")
    assert pictures(harness) == [("rest", False), ("sighting:porch/s1", True)]


@pytest.mark.parametrize(("first", "second"), [("not_them", "confirm"), ("confirm", "not_them")])
def test_correction_takes_back_the_opposite_one_of_the_same_sighting(
    harness: AdministrationHarness, first: str, second: str
) -> None:
    """Regression: the best face had changed between the two, and both pictures stayed, one as a counter-example."""
    save(harness, outcome="named", person=ALICE)
    harness.do(f"sightings/{first}", sighting="s1", person="alice")
    save(harness, found=face(near(descriptor(1), 0.8, 10), 2), outcome="named", person=ALICE)
    done = harness.do(f"sightings/{second}", sighting="s1", person="alice")
    assert pictures(harness) == [("rest", False), ("sighting:porch/s1", second == "not_them")]
    shown = harness.do("people/show", person="alice")["pictures"]
    assert done["picture"] == shown[1]["id"]
    assert not [each for each in done["warnings"] if "look like" in each]


def test_correction_does_not_remove_the_last_picture_of_a_person(harness: AdministrationHarness) -> None:
    save(harness, outcome="named", person=ALICE)
    harness.do("sightings/confirm", sighting="s1")
    (first, _) = harness.do("people/show", person="alice")["pictures"]
    harness.do("people/remove_picture", person="alice", picture=first["id"])
    save(harness, found=face(near(descriptor(1), 0.8, 10), 2), outcome="named", person=ALICE)
    harness.do("sightings/not_them", sighting="s1")
    assert pictures(harness) == [("sighting:porch/s1", False), ("sighting:porch/s1", True)]


def test_candidate_of_an_ambiguous_sighting_can_be_ruled_out(harness: AdministrationHarness) -> None:
    save(harness, outcome="ambiguous", candidates=(Likeness(BOB, 0.7, 0.9), Likeness(ALICE, 0.6, 0.8)))
    first = harness.do("sightings/not_them", sighting="s1", person="bob")
    assert (first["outcome"], [each["person"] for each in first["candidates"]]) == ("ambiguous", ["alice"])
    second = harness.do("sightings/not_them", sighting="s1", person="alice")
    assert (second["outcome"], "candidates" in second) == ("stranger", False)


def test_correction_leaves_the_face_and_the_evidence(harness: AdministrationHarness) -> None:
    moment = time.time()
    going_on = Sighting(id="s1", visit="v1", camera="porch", since=moment, last_seen=moment, person=ALICE)
    sightings = harness.env.people.sightings
    sightings.save([SightingRecord(going_on, face(), b"evidence")])
    harness.do("sightings/not_them", sighting="s1")
    (record,) = sightings.read_open()
    assert record.evidence == b"evidence"
    assert record.face is not None


def test_reply_to_a_correction_does_not_name_an_erased_person(harness: AdministrationHarness, tmp_path: Path) -> None:
    save(harness, outcome="named", person=ALICE)
    harness.do_once("sightings/not_them", sighting="s1")
    harness.do("people/erase", person="alice")
    harness.env.store.database.scrub()
    assert files_with(tmp_path, b"alice", b"Alice") == set()
    with pytest.raises(Conflict, match="no longer exists"):
        harness.do_once("sightings/not_them", sighting="s1")


@pytest.mark.parametrize("operation", ["people/remove", "people/erase"])
def test_sightings_that_may_show_a_removed_person_are_deleted(
    harness: AdministrationHarness, tmp_path: Path, operation: str
) -> None:
    group = add_group(harness)
    save(harness, 1, outcome="named", person=ALICE)
    save(harness, 2, outcome="ambiguous", candidates=(Likeness(ALICE, 0.6, 0.8), Likeness(BOB, 0.6, 0.8)))
    save(harness, 3, face(near(descriptor(1), 0.9, 3), 3), outcome="stranger")
    save(harness, 4, face(near(descriptor(1), 0.9, 4), 4), outcome="named", person=BOB)
    save(harness, 5, face(descriptor(50), 5), outcome="stranger", unknown=group, camera="yard")
    backup = harness.env.store.backups.make()
    harness.do(operation, person="alice")
    assert [each["sighting"] for each in harness.do("sightings/list")["sightings"]] == ["s5"]
    harness.env.store.database.scrub()
    remains = [b"crop of sighting %d" % n for n in (1, 2, 3, 4)]
    assert files_with(tmp_path, *remains) == set()
    names = files_with(tmp_path, b"alice", b"Alice")
    assert names == ({backup.name} if operation == "people/remove" else set())


def test_sightings_of_a_group_that_may_show_a_removed_person_are_deleted(harness: AdministrationHarness) -> None:
    """The face of a single sighting may be too poor to tell."""
    group = add_group(harness, seed=1)
    save(harness, 1, face(descriptor(50)), outcome="stranger", unknown=group)
    save(harness, 2, face(descriptor(51)), outcome="stranger")
    harness.do("people/remove", person="alice")
    assert [each["sighting"] for each in harness.do("sightings/list")["sightings"]] == ["s2"]


def test_sighting_with_an_unreadable_face_is_deleted_with_any_person(harness: AdministrationHarness) -> None:
    save(harness, 1, face(descriptor(50)), outcome="stranger")
    save(harness, 2, face(descriptor(51)), outcome="stranger")
    with harness.env.store.database.transaction() as db:
        db.execute("UPDATE sighting_faces SET descriptor = x'00' WHERE sighting = 1")
    harness.do("people/remove", person="bob")
    assert [each["sighting"] for each in harness.do("sightings/list")["sightings"]] == ["s2"]


def test_naming_a_group_names_its_sightings(harness: AdministrationHarness) -> None:
    group = add_group(harness)
    save(harness, 1, face(descriptor(7)), outcome="stranger", unknown=group, seen=1)
    open_one = Sighting(id="s2", visit="v2", camera="yard", since=1.0, last_seen=1.0, outcome="stranger", unknown=group)
    sightings = harness.env.people.sightings
    sightings.save([SightingRecord(open_one)])
    harness.do_once("unknowns/name", unknown=group, name="Carol")
    assert [each["name"] for each in harness.do("sightings/list")["sightings"]] == ["Carol", "Carol"]
    # The live cameras write the sighting again, with the group that does not exist any more.
    sightings.save([SightingRecord(open_one)])
    assert harness.do("sightings/show", sighting="s2")["person"] == "carol"


def test_group_is_ignored_and_announced_again(harness: AdministrationHarness) -> None:
    groups = harness.env.people.groups
    group = add_group(harness)
    assert groups.waiting == 1
    assert harness.do_once("unknowns/ignore", unknown=group)["ignored"] is True
    assert groups.is_ignored(group)
    assert groups.waiting == 0
    assert [each["ignored"] for each in harness.do("unknowns/list")["unknowns"]] == [True]
    groups.reload()
    assert groups.is_ignored(group)
    assert harness.do("unknowns/show", unknown=group)["ignored"] is True
    assert harness.do("unknowns/unignore", unknown=group)["ignored"] is False
    assert not groups.is_ignored(group)
    assert not groups.is_ignored(999)
    with pytest.raises(UnknownPerson):
        harness.do("unknowns/ignore", unknown=999)


def test_ignored_group_is_exported_like_a_person(harness: AdministrationHarness) -> None:
    group = add_group(harness)
    harness.do("unknowns/ignore", unknown=group)
    (exported,) = read_archive(base64.b64decode(harness.do("unknowns/export", unknown=group)["archive"]))
    assert (exported.person.slug, exported.person.name) == (f"unknown_{group}", f"unknown {group}")
    assert [each.face.chips for each in exported.pictures] == [b"other chips", b"chips"]
    assert harness.do("people/audit", limit=1)["audit"][0]["action"] == "export_unknown"
    with pytest.raises(UnknownPerson):
        harness.do("unknowns/export", unknown=999)


def lines(harness: AdministrationHarness) -> list[tuple[str, str]]:
    """Return action and detail of the lines in the audit, the oldest first, without those of the first enrolments."""
    return [(line.action, line.detail) for line in harness.env.store.audit.read_lines(99)[::-1]][2:]


def test_changes_of_groups_are_in_the_audit_once(harness: AdministrationHarness) -> None:
    one, other = add_group(harness, 7), add_group(harness, 8)
    for _ in range(2):
        harness.do_once("unknowns/ignore", unknown=one)
    harness.do("unknowns/unignore", unknown=one)
    harness.do("unknowns/join", unknown=one, into=other)
    with pytest.raises(UnknownPerson):
        harness.do("unknowns/forget", unknown=one)
    harness.do("unknowns/forget", unknown=other)
    assert lines(harness) == [
        ("unknowns/ignore", f"unknown {one}"),
        ("unknowns/unignore", f"unknown {one}"),
        ("unknowns/join", f"unknown {one}"),
        ("unknowns/forget", f"unknown {other}"),
    ]


def test_groups_are_joined_with_their_sightings(harness: AdministrationHarness) -> None:
    one, other = add_group(harness, 7), add_group(harness, 8)
    save(harness, 1, face(descriptor(7)), outcome="stranger", unknown=one)
    done = harness.do_once("unknowns/join", unknown=one, into=other)
    assert (done["unknown"], done["seen"], done["pictures"]) == (other, 2, 4)
    assert [each["unknown"] for each in harness.do("unknowns/list")["unknowns"]] == [other]
    assert harness.do("sightings/list", unknown=other)["sightings"][0]["sighting"] == "s1"
    with pytest.raises(Conflict, match="joined with itself"):
        harness.do("unknowns/join", unknown=other, into=other)
    with pytest.raises(UnknownPerson):
        harness.do("unknowns/join", unknown=one, into=other)


def test_forgotten_group_takes_its_sightings_along(harness: AdministrationHarness) -> None:
    group = add_group(harness)
    save(harness, 1, outcome="stranger", unknown=group)
    save(harness, 2, outcome="stranger")
    harness.do("unknowns/forget", unknown=group)
    assert [each["sighting"] for each in harness.do("sightings/list")["sightings"]] == ["s2"]


def test_ignored_groups_have_limits_of_their_own(tmp_path: Path) -> None:
    with open_environment(tmp_path) as env:
        rules = UnknownRules(1, 7, IgnoredRules(most=2, keep_days=90))
        people = build_services(tmp_path, env.store, make_rules(tmp_path, unknowns=rules))
        stored, now, day = env.store.unknown_groups("dlib"), time.time(), 86_400
        ages = [1, 80, 100, 1, 2]
        keys = [
            stored.add_group("porch", now - day * age, 0.5, face(descriptor(n), n)).id for n, age in enumerate(ages, 1)
        ]
        people.groups.reload()
        people.groups.ignore(keys[0])
        people.groups.ignore(keys[1])
        with pytest.raises(TooLarge, match=r"2 strangers are ignored already, and ignored\.most allows no more"):
            people.groups.ignore(keys[2])
        people.groups.unignore(keys[0])
        people.groups.ignore(keys[2])
        people.groups.tidy()
        # One group that is not ignored, the newest; the ignored one of 80 days; the one of 100 days has expired.
        kept = {group.id for group in people.groups.list_groups()}
        assert keys[1] in kept
        assert keys[2] not in kept
        assert len(kept) == 2


def test_group_that_another_process_ignored_is_ignored(harness: AdministrationHarness, tmp_path: Path) -> None:
    group = add_group(harness)
    gateway = harness.env.people.groups
    command = build_services(tmp_path, harness.env.store, make_rules(tmp_path)).groups
    command.ignore(group)
    gateway.tidy()
    assert gateway.is_ignored(group)
    other = add_group(harness, 8)
    command.reload()
    command.join(other, group)
    gateway.tidy()
    assert [len(each.faces) for each in gateway.list_groups()] == [4]


def test_cameras_are_listed_in_pages(harness: AdministrationHarness) -> None:
    first = harness.do("cameras/list", limit=1)
    assert ([each["camera"] for each in first["cameras"]], first["next"]) == (["porch"], "porch")
    second = harness.do("cameras/list", limit=1, after=first["next"])
    assert ([each["camera"] for each in second["cameras"]], second["next"]) == (["yard"], None)
    found = harness.do("cameras/list", search="ARD")
    assert ([each["camera"] for each in found["cameras"]], found["found"], found["known"]) == (["yard"], 1, 2)


def test_cameras_are_listed(harness: AdministrationHarness) -> None:
    assert harness.do("cameras/list") == {
        "enabled": True,
        "cameras": [
            {
                "camera": "porch",
                "enabled": True,
                "connected": True,
                "last_frame": 1_790_000_000.123,
                "present": "Alice, 1 stranger",
                "people": [{"person": "alice", "name": "Alice", "since": 1.0}],
                "strangers": 1,
                "rate": 4.9,
                "delay_ms": 41.5,
                "hint": None,
            },
            {
                "camera": "yard",
                "enabled": False,
                "connected": False,
                "last_frame": None,
                "present": "nobody",
                "people": [],
                "strangers": 0,
                "rate": None,
                "delay_ms": None,
                "hint": None,
            },
        ],
        "known": 2,
        "found": 2,
        "next": None,
    }


def test_camera_is_shown_with_its_last_result(harness: AdministrationHarness) -> None:
    shown = harness.do("cameras/show", camera="porch")
    assert (shown["camera"], shown["rate"], shown["dropped"]) == ("porch", 4.9, 2)
    assert shown["reasons"] == [{"reason": "too_dark", "count": 3, "last": 5.0}]
    assert shown["last_result"] == {
        "timestamp": 6.0,
        "name": "Alice",
        "person": "alice",
        "threshold": 0.4,
        "faces": [{"box": (10, 20, 110, 140), "name": "Alice", "person": "alice", "verdict": "match", "score": 0.9}],
        "image": {"width": 640, "height": 480, "bytes": 5000},
    }
    assert harness.do("cameras/show", camera="yard")["last_result"] is None
    with pytest.raises(UnknownPerson, match="no camera 'prch' is known"):
        harness.do("cameras/show", camera="prch")


def test_snapshot_is_the_last_frame_with_marks_on_request(
    harness: AdministrationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[DrawTask] = []

    def draw(_: WorkerVision, frame: bytes, task: DrawTask) -> bytes:
        drawn.append(task)
        return frame

    monkeypatch.setattr(WorkerVision, "_draw", draw)
    shown = harness.do("cameras/snapshot", camera="porch")
    assert (shown["timestamp"], shown["live"], base64.b64decode(shown["picture"])) == (6.0, True, b"frame")
    harness.do("cameras/snapshot", camera="porch", annotate=True, width="320")
    assert [([mark.label for mark in task.marks], task.width) for task in drawn] == [([], None), (["Alice"], 320)]


def test_snapshot_that_the_caller_has_is_not_drawn_again(
    harness: AdministrationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[DrawTask] = []

    def draw(_: WorkerVision, frame: bytes, task: DrawTask) -> bytes:
        drawn.append(task)
        return frame

    monkeypatch.setattr(WorkerVision, "_draw", draw)
    choices: list[dict[str, Any]] = [{}, {"width": 320}, {"width": 640}, {"annotate": True}]
    versions = [harness.do("cameras/snapshot", camera="porch", **each)["version"] for each in choices]
    assert len(set(versions)) == len(drawn) == 4
    for each, version in zip(choices, versions, strict=True):
        request = {"camera": "porch", **each}
        again = harness.submit("cameras/snapshot", request, held_versions=frozenset({version})).result(WAIT_S)
        assert again.document() == {"version": version}
    assert len(drawn) == 4


@pytest.mark.parametrize("width", [15, 8193, 0, -1, "wide", 1.5])
def test_width_of_a_snapshot_has_bounds(harness: AdministrationHarness, width: object) -> None:
    with pytest.raises(BadRequest, match=r"width must be (from 16 to 8192 pixels|a whole number)"):
        harness.do("cameras/snapshot", camera="porch", width=width)


def test_reply_to_a_change_waits_until_the_cameras_know_it(
    harness: AdministrationHarness, live: RecordedCameras
) -> None:
    """Regression: for up to 0.25 s after an erasure, the last frame of a camera still showed the person."""
    live.count_people = lambda: len(harness.env.people.gallery)
    harness.do_once("people/erase", person="bob")
    harness.do("people/remove", person="alice")
    harness.do("people/list")
    # No camera names a token, or a switch.
    assert harness.do("tokens/add", name="phone", role="viewer")["token"]
    harness.do("cameras/switch", camera="porch", enabled=False)
    assert live.followed == [1, 0]


def test_picture_that_was_drawn_during_an_erasure_is_not_sent(
    harness: AdministrationHarness, live: RecordedCameras, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: a snapshot that a worker process drew meanwhile was sent after the reply to the erasure."""
    erase = [lambda: harness.do("people/erase", person="bob")]
    frames = [b"after the erasure", b"before the erasure"]

    def draw(_: WorkerVision, frame: bytes, _task: object) -> bytes:
        if erase:
            erase.pop()()
        return frame

    monkeypatch.setattr(WorkerVision, "_draw", draw)
    monkeypatch.setattr(live, "last_frame", lambda _: LastFrame(frames.pop(), 6.0, ()))
    shown = harness.do("cameras/snapshot", camera="porch")
    assert base64.b64decode(shown["picture"]) == b"after the erasure"


def test_snapshot_knows_an_erasure_by_another_process(harness: AdministrationHarness, live: RecordedCameras) -> None:
    harness.env.store.people.remove("bob", CLI_CALLER, erase=True, also=(), closes_folders=False)
    seen: list[bool] = []
    live.count_people = lambda: len(harness.env.people.gallery)
    for operation, fields in (("cameras/list", {}), ("cameras/show", {"camera": "porch"})):
        harness.do(operation, **fields)
        seen.append("bob" in harness.env.people.gallery)
    assert seen == [False, False]


def test_snapshot_without_a_frame_is_that_of_the_last_sighting(harness: AdministrationHarness) -> None:
    with pytest.raises(UnknownPerson, match="there is no picture of the camera yard"):
        harness.do("cameras/snapshot", camera="yard")
    with pytest.raises(UnknownPerson, match="no camera 'prch' is known"):
        harness.do("cameras/snapshot", camera="prch")
    save(harness, camera="yard")
    crop = harness.env.people.sightings.read_crop("s1")
    assert crop is not None
    shown = harness.do("cameras/snapshot", camera="yard")
    assert (shown["live"], base64.b64decode(shown["picture"])) == (False, crop)


def test_cameras_are_switched_and_forgotten(harness: AdministrationHarness, live: RecordedCameras) -> None:
    assert harness.do_once("cameras/disable", camera="porch") == {"camera": "porch", "enabled": False}
    harness.do_once("cameras/disable", camera="porch")
    assert harness.do("cameras/switch", camera="porch", enabled=True) == {"camera": "porch", "enabled": True}
    assert harness.do("cameras/enable") == {"camera": None, "enabled": True}
    assert harness.do("cameras/forget", camera="yard") == {"camera": "yard"}
    assert live.changes == [("porch", False), ("porch", True), (None, True), ("yard",)]
    assert lines(harness) == [
        ("cameras/disable", "porch"),
        ("cameras/switch", "porch"),
        ("cameras/enable", "all cameras"),
        ("cameras/forget", "yard"),
    ]


def test_camera_that_is_not_known_is_switched_with_a_warning_and_not_forgotten(
    harness: AdministrationHarness, live: RecordedCameras
) -> None:
    """Regression: a misspelled name was switched off and forgotten with success."""
    warnings = ["the camera prch is not known yet: it will be off when it sends its first picture"]
    done = harness.do_once("cameras/disable", camera="prch")
    coded = [{"code": "unknown_camera", "text": warnings[0]}]
    assert done == {"camera": "prch", "enabled": False, "warnings": warnings, "coded_warnings": coded}
    assert harness.do_once("cameras/disable", camera="prch") == done
    with pytest.raises(UnknownPerson, match="no camera 'prch' is known: cameras/list"):
        harness.do("cameras/forget", camera="prch")
    assert live.changes == [("prch", False)]
    save(harness, camera="prch")
    assert "warnings" not in harness.do("cameras/enable", camera="prch")
    assert harness.do("cameras/forget", camera="prch") == {"camera": "prch"}


def test_changes_by_a_command_reach_a_running_gateway_once(
    harness: AdministrationHarness, live: RecordedCameras
) -> None:
    store = harness.env.store
    command, gateway = (
        StoredCameras(store, harness.env.people.sightings),
        LiveNotes(store, harness.env.people.sightings, live),
    )
    gateway.apply()
    assert live.changes == []
    save(harness, outcome="stranger")
    (sighting,) = harness.env.people.sightings.list_sightings()
    command.set_enabled("porch", False)
    command.set_enabled(None, False)
    command.set_enabled("porch", True)
    command.forget_camera("yard")
    command.correct(sighting, "not_them", ALICE)
    command.correct(sighting, "confirmed", None)
    assert (command.all_enabled, command.cameras()) == (False, [CameraState(camera="porch")])
    assert store.camera_switches.read_disabled() == {ALL_CAMERAS}
    for _ in range(2):
        gateway.apply()
        assert live.changes == [
            ("porch", False),
            (None, False),
            ("porch", True),
            ("yard",),
            ("s1", "not_them", None),
            ("s1", "confirmed", None),
        ]


def test_command_lists_the_cameras_that_are_known(harness: AdministrationHarness) -> None:
    """Regression: only those that were off were listed."""
    command = StoredCameras(harness.env.store, harness.env.people.sightings, ["attic"])
    save(harness, camera="yard")
    for name in ("porch", "yard"):
        command.set_enabled(name, False)
    command.set_enabled("yard", True)
    assert command.all_enabled
    assert [(each.camera, each.enabled) for each in command.cameras()] == [
        ("attic", True),
        ("porch", False),
        ("yard", True),
    ]
    assert command.presences() == ()
    for name in ("porch", "yard"):
        command.forget_camera(name)
    assert [each.camera for each in command.cameras()] == ["attic"]


def test_old_and_damaged_notes_change_nothing(
    harness: AdministrationHarness, live: RecordedCameras, caplog: pytest.LogCaptureFixture
) -> None:
    now = time.time()
    notes = [
        json.dumps({"at": now - NOTE_LIFETIME_S - 1, "change": "switch", "camera": "porch", "on": False}),
        "{",
        "[]",
        json.dumps({"at": "x"}),
        json.dumps({"change": "switch"}),
        json.dumps({"at": now, "change": "switch", "camera": "a/b", "on": False}),
        json.dumps({"at": now, "change": "switch", "camera": 7, "on": False}),
        json.dumps({"at": now, "change": "not_them", "sighting": "s99"}),
    ]
    for n, note in enumerate(notes):
        harness.env.store.notes.write_note(f"live_cameras {n}", note)
    gateway = LiveNotes(harness.env.store, harness.env.people.sightings, live)
    gateway.apply()
    assert live.changes == []
    assert caplog.text.count("the note of a command is damaged") == 6
    assert harness.env.store.notes.take_notes("live_cameras ") == []


def test_thread_applies_notes(harness: AdministrationHarness, live: RecordedCameras) -> None:
    notes = LiveNotes(harness.env.store, harness.env.people.sightings, live)
    notes.start()
    StoredCameras(harness.env.store, harness.env.people.sightings).set_enabled("porch", False)
    deadline = time.monotonic() + 60
    while not live.changes and time.monotonic() < deadline:
        time.sleep(0.02)
    notes.stop()
    assert live.changes == [("porch", False)]
