"""Sightings: their events, and what faces and pauses mean for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from gateway.errors import GatewayError
from gateway.live.camera import MAX_TRACKS
from gateway.live.evidence import Evidence
from gateway.model import Analysis, Descriptor, Judgement, Likeness, Person
from gateway.people.sighting_corrections import SightingCorrections
from tests.examples import descriptor, near
from tests.live.conftest import ADAS, BOBS
from tests.live.harness import CROP, IMAGE, START, LiveHarness, face

STRANGERS, OTHERS = descriptor(3), descriptor(4)
MakeLive = Callable[..., LiveHarness]


def looks(person: Descriptor, n: int) -> Descriptor:
    """Return the n-th look of a person: all are alike, none is the same."""
    return near(person, 0.985, n)


def show(live: LiveHarness, person: Descriptor, *, frames: int = 10, x: int = 100, camera: str = "porch") -> None:
    """Let a camera see a person in ten frames, or so many, five a second."""
    for n in range(frames):
        live.frame(face(looks(person, n), x=x + 2 * n), camera=camera)
        live.wait(0.2)


def test_known_person_is_recognised_once_and_ends_after_the_last_face(live: LiveHarness) -> None:
    show(live, ADAS, frames=30)
    assert live.announcer.told() == [("recognised", "ada_lovelace")]
    live.wait(130)
    assert live.announcer.told() == [("recognised", "ada_lovelace"), ("ended", "ada_lovelace")]
    ended = live.announcer.events[-1].sighting
    assert (ended.outcome, ended.since) == ("named", START.timestamp)
    assert ended.duration == pytest.approx(29 * 0.2)


def show_nobody(live: LiveHarness) -> None:
    """Let a camera send five frames a second without a face."""
    for _ in range(3):
        live.frame()
        live.wait(0.2)


def test_fast_camera_decides_about_two_faces_together(live: LiveHarness) -> None:
    show_nobody(live)
    live.frame(face(looks(ADAS, 1)))
    assert live.announcer.told() == []
    live.wait(0.2)
    live.frame(face(looks(ADAS, 2)))
    assert live.announcer.told() == [("recognised", "ada_lovelace")]
    assert live.announcer.events[0].sighting.frames == 2


def test_fast_camera_decides_about_one_face_if_no_second_one_comes(live: LiveHarness) -> None:
    show_nobody(live)
    live.frame(face(looks(ADAS, 1)))
    live.wait(0.25)
    assert live.announcer.told() == []
    live.wait(0.25)
    assert live.announcer.told() == [("recognised", "ada_lovelace")]


def test_snapshot_comes_before_its_event_and_presence_after(live: LiveHarness) -> None:
    live.frame(face(ADAS))
    kinds = [kind for kind, _ in live.announcer.all if kind in ("snapshot", "recognised", "presence")]
    assert kinds[-3:] == ["snapshot", "recognised", "presence"]
    assert live.announcer.snapshots == [("porch", CROP)]


def test_stranger_is_announced_after_two_faces_and_a_second(live: LiveHarness) -> None:
    live.frame(face(STRANGERS))
    live.wait(2)
    assert live.announcer.told() == []
    live.frame(face(looks(STRANGERS, 1)))
    (event,) = live.announcer.events
    assert (event.event_type, event.sighting.unknown, event.sighting.seen) == ("stranger", 1, 1)


def test_stranger_who_passes_within_a_second_is_announced_by_the_timer(live: LiveHarness) -> None:
    show(live, STRANGERS, frames=2)
    live.wait(2)
    assert live.announcer.told() == [("stranger", None)]


def test_stranger_who_returns_later_has_the_same_group(live: LiveHarness) -> None:
    show(live, STRANGERS)
    live.wait(200)
    show(live, STRANGERS)
    live.wait(200)
    assert live.announcer.told() == [("stranger", None), ("ended", None)] * 2
    assert [each.sighting.unknown for each in live.announcer.events] == [1, 1, 1, 1]
    assert [each.sighting.seen for each in live.announcer.events] == [1, 1, 2, 2]
    assert len({each.sighting.id for each in live.announcer.events}) == 2


def test_two_strangers_have_two_groups(live: LiveHarness) -> None:
    show(live, STRANGERS)
    show(live, OTHERS, x=300)
    assert [each.sighting.unknown for each in live.announcer.events] == [1, 2]


@pytest.mark.parametrize("pause", [1, 4, 10, 110])
def test_pause_shorter_than_again_s_is_one_sighting(live: LiveHarness, pause: float) -> None:
    show(live, ADAS)
    live.wait(pause)
    show(live, ADAS, x=400)
    live.wait(130)
    assert live.announcer.told() == [("recognised", "ada_lovelace"), ("ended", "ada_lovelace")]


def test_pause_longer_than_again_s_is_another_sighting(live: LiveHarness) -> None:
    for _ in range(2):
        show(live, ADAS)
        live.wait(125)
    assert live.announcer.told() == [("recognised", "ada_lovelace"), ("ended", "ada_lovelace")] * 2


def test_return_of_a_stranger_within_again_s_is_one_sighting(live: LiveHarness) -> None:
    show(live, STRANGERS)
    live.wait(60)
    show(live, STRANGERS, x=400)
    live.wait(130)
    assert live.announcer.told() == [("stranger", None), ("ended", None)]


@pytest.mark.parametrize("pause", [0.0, 0.1, 0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("other", ["stranger", "bob"])
def test_person_who_takes_anothers_place_does_not_inherit_the_name(live: LiveHarness, pause: float, other: str) -> None:
    show(live, ADAS, frames=10)
    live.wait(pause)
    person = STRANGERS if other == "stranger" else BOBS
    for n in range(20):
        shown = live.frame(face(looks(person, n), x=118))
        assert shown is not None
        assert [each.sighting.person.slug for each in shown if each.sighting.person] in ([], ["bob"])
        live.wait(0.2)
    expected = [("stranger", None)] if other == "stranger" else [("recognised", "bob")]
    assert live.announcer.told() == [("recognised", "ada_lovelace"), *expected]
    # Three frames in a row differ: then Ada is not there any more.
    assert [each.person.slug for each in live.announcer.presences[-1].people] == (
        [] if other == "stranger" else ["bob"]
    )


def test_two_people_who_cross_keep_their_names(live: LiveHarness) -> None:
    for n in range(30):
        ada, bob = face(looks(ADAS, n), x=20 * n), face(looks(BOBS, n + 100), x=600 - 20 * n)
        if n in (14, 15):
            # One hides the other, and the head is turned.
            shown = live.frame(face(None, x=20 * n))
        else:
            shown = live.frame(*([ada, bob] if n % 2 else [bob, ada]))
            assert shown is not None
            names = {each.face.box.left: each.sighting.person and each.sighting.person.slug for each in shown}
            assert names == {20 * n: "ada_lovelace", 600 - 20 * n: "bob"}
        live.wait(0.2)
    assert sorted(live.announcer.told()) == [("recognised", "ada_lovelace"), ("recognised", "bob")]


def test_person_who_follows_another_gets_no_wrong_name(live: LiveHarness) -> None:
    for person, name in ((ADAS, "ada_lovelace"), (STRANGERS, None), (BOBS, "bob")):
        for n in range(8):
            shown = live.frame(face(looks(person, n), x=100 + 30 * n))
            assert shown is not None
            assert {each.sighting.person and each.sighting.person.slug for each in shown} <= {name, None}
            live.wait(0.2)
    assert {each for each in live.announcer.told() if each[0] == "recognised"} == {
        ("recognised", "ada_lovelace"),
        ("recognised", "bob"),
    }


def test_face_that_jumps_keeps_its_track(live: LiveHarness) -> None:
    tracks = set()
    for n, x in enumerate([0, 500, 100, 400]):
        shown = live.frame(face(looks(ADAS, n), x=x))
        assert shown is not None
        tracks |= {each.track for each in shown}
        live.wait(0.5)
    assert len(tracks) == 1


def test_turned_head_does_not_end_a_track(live: LiveHarness) -> None:
    show(live, ADAS)
    for _ in range(12):
        live.frame(face(None, x=118))
        live.wait(0.25)
    assert live.announcer.presences[-1].text == "Ada Lovelace"
    show(live, ADAS, x=118)
    assert live.announcer.told() == [("recognised", "ada_lovelace")]
    assert [each.text for each in live.announcer.presences] == ["nobody", "Ada Lovelace"]


def test_name_does_not_outlive_gone_s_without_a_face_that_agrees(live: LiveHarness) -> None:
    show(live, ADAS)
    for _ in range(40):
        live.frame(face(None, x=118))
        live.wait(0.25)
    assert live.announcer.presences[-1].text == "nobody"


def test_presence_ends_by_the_timer_alone(live: LiveHarness) -> None:
    show(live, ADAS)
    live.wait(6)
    last = live.announcer.presences[-1]
    assert (last.text, last.last_text) == ("nobody", "Ada Lovelace")


def test_single_odd_picture_changes_nothing(live: LiveHarness) -> None:
    show(live, ADAS)
    shown = live.frame(face(STRANGERS, x=118))
    assert shown is not None
    assert shown[0].sighting.person is None
    live.wait(0.2)
    show(live, ADAS, x=118)
    live.wait(3)
    assert live.announcer.told() == [("recognised", "ada_lovelace")]


def test_doubled_frame_changes_nothing(live: LiveHarness) -> None:
    live.frame(face(STRANGERS), picture=b"one")
    live.wait(0.3)
    for n in range(10):
        live.frame(face(looks(STRANGERS, n)), picture=b"one")
        live.wait(0.3)
    live.wait(1)
    assert live.announcer.told() == []


def test_picture_that_stays_the_same_for_a_minute_shows_nobody(live: LiveHarness) -> None:
    for _ in range(70):
        live.frame(face(ADAS), picture=b"frozen")
        live.wait(1)
    assert live.announcer.presences[-1].text == "nobody"
    assert live.announcer.cameras[-1].connected


def test_frame_that_comes_too_late_is_not_followed(live: LiveHarness) -> None:
    show(live, ADAS)
    early, live.now = START, live.now
    now, live.now = live.now, early
    assert live.frame(face(STRANGERS)) is None
    live.now = now
    assert live.announcer.presences[-1].text == "Ada Lovelace"


def test_faces_that_stand_still_are_still_there(live: LiveHarness) -> None:
    live.frame(face(ADAS))
    box = face(ADAS).box
    for _ in range(30):
        live.wait(1)
        shown = live.frame(looked="nothing", still=(box,))
        assert shown is not None
        assert [each.sighting.person.name for each in shown if each.sighting.person] == ["Ada Lovelace"]
    assert live.announcer.presences[-1].text == "Ada Lovelace"
    live.wait(6)
    assert live.announcer.presences[-1].text == "nobody"


def test_sighting_lasts_as_long_as_its_face_stands_still(live: LiveHarness) -> None:
    """Regression: the sighting ended after ``again_s`` without a new face, while its person was still present."""
    live.frame(face(ADAS))
    for _ in range(200):
        live.wait(1)
        live.frame(looked="nothing", still=(face(ADAS).box,))
    assert live.announcer.told() == [("recognised", "ada_lovelace")]
    live.wait(130)
    assert live.announcer.told() == [("recognised", "ada_lovelace"), ("ended", "ada_lovelace")]
    assert live.announcer.events[-1].sighting.duration == pytest.approx(200)


def test_slow_camera_keeps_a_person_between_two_frames(live: LiveHarness) -> None:
    for _ in range(2):
        live.frame()
        live.wait(10)
    for n in range(6):
        live.frame(face(looks(ADAS, n)))
        live.wait(10)
    assert [each.text for each in live.announcer.presences] == ["nobody", "Ada Lovelace"]
    live.wait(20)
    assert live.announcer.presences[-1].text == "nobody"


def test_person_on_two_cameras_is_one_visit(live: LiveHarness) -> None:
    show(live, ADAS)
    show(live, ADAS, camera="hall")
    first, second = live.announcer.events
    assert first.sighting.id != second.sighting.id
    assert first.sighting.visit == second.sighting.visit
    assert live.announcer.people[-1].camera == "hall"


def test_visit_ends_after_again_s(live: LiveHarness) -> None:
    show(live, ADAS)
    live.wait(125)
    show(live, ADAS, camera="hall")
    assert len({each.sighting.visit for each in live.announcer.events}) == 2


def test_presence_of_a_person_follows_the_cameras(live: LiveHarness) -> None:
    show(live, ADAS)
    show(live, ADAS, camera="hall")
    live.wait(10)
    ada = [each for each in live.announcer.people if each.person.slug == "ada_lovelace"]
    assert [(each.present, each.camera) for each in ada] == [
        (False, None),
        (True, "porch"),
        (True, "hall"),
        (False, "hall"),
    ]


def test_undecided_sighting_announces_nothing_and_stores_its_reason(live: LiveHarness) -> None:
    for n in range(5):
        live.frame(face(None, x=100 + n))
        live.wait(0.2)
    live.wait(10)
    assert live.announcer.events == []
    (stored,) = live.people.sightings.list_sightings()
    assert (stored.outcome, stored.reason) == ("turned", "left")


def test_appeared_is_announced_if_wanted_and_ends(make_live: MakeLive) -> None:
    live = make_live(appeared=True)
    live.frame(face(None))
    live.wait(10)
    assert live.announcer.told() == [("appeared", None), ("ended", None)]
    assert live.announcer.events[-1].sighting.outcome == "turned"


def test_sightings_are_stored_with_their_face(live: LiveHarness) -> None:
    show(live, ADAS)
    live.wait(130)
    (stored,) = live.people.sightings.list_sightings()
    assert stored.person is not None
    assert (stored.outcome, stored.person.slug, stored.ended) == ("named", "ada_lovelace", stored.ended)
    assert live.people.sightings.read_crop(stored.id) == CROP


def test_switched_off_camera_ends_its_sightings(live: LiveHarness) -> None:
    show(live, ADAS)
    live.switches.turn("porch", False)
    live.state.note_switch("porch", live.now)
    assert live.announcer.told()[-1] == ("ended", "ada_lovelace")
    assert live.announcer.events[-1].sighting.reason == "disabled"
    assert live.announcer.presences[-1].text == "nobody"
    assert live.frame(face(ADAS)) is None
    assert not live.announcer.cameras[-1].enabled


def test_switches_of_many_names_do_not_grow_the_announcements(make_live: MakeLive) -> None:
    """Any topic can name a camera."""
    live = make_live(most_cameras=3)
    live.frame(camera="porch")
    refuse = partial(live.cameras.announce_refused, moment=live.now)
    for on in (False, True, False):
        for name in ("porch", *(f"camera{n}" for n in range(10))):
            live.switches.turn(name, on)
            live.state.note_switch(name, live.now)
            if not on:
                refuse(name)
    assert {each.camera for each in live.announcer.cameras} == {"porch", "camera0", "camera1"}
    assert not live.announcer.cameras[-1].enabled
    assert live.frame(camera="camera9") is None


def test_switch_of_a_camera_that_is_not_known_announces_nothing(make_live: MakeLive) -> None:
    """Regression: a misspelled name became a device of Home Assistant, also after a restart."""
    for again in (False, True):
        live = make_live(known=frozenset({"attic"}), again=again)
        for name in ("attic", "prch"):
            live.switches.turn(name, False)
            live.state.note_switch(name, live.now)
        assert [(each.camera, each.enabled) for each in live.announcer.cameras] == [("attic", False)]
        assert [each.camera for each in live.state.camera_states(live.now)] == ["attic", "prch"]


def test_switch_that_the_store_could_not_take_is_stored_later(
    live: LiveHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a camera that was switched off would be on again after a restart."""

    def fail(**_: object) -> None:
        raise GatewayError("the disk is full")

    live.switches.turn("porch", False)
    with monkeypatch.context() as patched:
        patched.setattr(live.store.camera_switches, "change_disabled", fail)
        live.state.note_switch("porch", live.now)
    assert live.store.camera_switches.read_disabled() == set()
    live.wait(2)
    assert live.store.camera_switches.read_disabled() == {"porch"}


def test_lost_camera_is_announced(live: LiveHarness) -> None:
    show(live, ADAS)
    assert live.announcer.cameras[-1].connected
    live.wait(70)
    assert not live.announcer.cameras[-1].connected
    live.wait(60)
    assert live.announcer.events[-1].sighting.reason == "camera_lost"


def test_camera_that_still_sends_pictures_ends_with_left(live: LiveHarness) -> None:
    show(live, ADAS)
    for _ in range(130):
        live.frame()
        live.wait(1)
    assert live.announcer.events[-1].sighting.reason == "left"


def test_camera_silent_for_longest_is_forgotten_first(make_live: MakeLive) -> None:
    live = make_live(most_cameras=3)
    for n in range(5):
        live.frame(camera=f"camera{n}")
        live.wait(1)
        live.frame(camera="camera0")
    assert live.announcer.removed == ["camera1", "camera2"]
    assert [each.camera for each in live.state.camera_states(live.now)] == ["camera0", "camera3", "camera4"]


def test_removed_person_is_forgotten_at_once(live: LiveHarness) -> None:
    show(live, ADAS)
    live.people.registry.remove("ada_lovelace", live.caller)
    live.wait(0.25)
    assert live.announcer.removed == ["ada_lovelace"]
    assert (live.announcer.presences[-1].text, live.announcer.presences[-1].last_text) == ("nobody", "")
    (_, ended) = live.announcer.events
    assert (ended.event_type, ended.sighting.person) == ("ended", None)
    assert live.people.sightings.list_sightings() == []


def test_renamed_person_gets_the_new_name_in_presence(live: LiveHarness) -> None:
    show(live, ADAS)
    live.people.registry.rename("ada_lovelace", "Ada King", live.caller)
    live.wait(0.25)
    assert live.announcer.presences[-1].text == "Ada King"
    assert live.announcer.people[-1].person.name == "Ada King"


def test_old_name_of_a_renamed_person_is_not_the_last_one_of_a_camera(live: LiveHarness) -> None:
    show(live, ADAS)
    live.wait(130)
    assert live.announcer.presences[-1].last_text == "Ada Lovelace"
    live.people.registry.rename("ada_lovelace", "Ada King", live.caller)
    live.wait(0.25)
    assert live.announcer.presences[-1].last_text == ""


def test_correction_with_a_person_who_was_removed_meanwhile_names_nobody(live: LiveHarness) -> None:
    show(live, STRANGERS)
    (stored,) = live.people.sightings.list_sightings()
    done = SightingCorrections(live.store, live.people.sightings, live.people.registry).confirm(
        stored.id, "ada_lovelace", live.caller
    )
    live.people.registry.remove("ada_lovelace", live.caller)
    live.state.correct(done.sighting, "confirmed", done.previous, live.now)
    live.wait(0.25)
    assert live.announcer.told() == [("stranger", None)]
    assert not any(each.people or each.last_text == "Ada Lovelace" for each in live.announcer.presences)


def test_enrolled_person_is_announced(live: LiveHarness) -> None:
    live.enrol("Carol", descriptor(9))
    live.wait(0.25)
    assert (live.announcer.people[-1].person.name, live.announcer.people[-1].present) == ("Carol", False)


def test_stranger_who_is_named_meanwhile_gets_the_name(live: LiveHarness) -> None:
    show(live, STRANGERS)
    live.people.registry.enrol_unknown(1, "Carol", live.caller)
    show(live, STRANGERS, frames=12)
    assert live.announcer.told() == [("stranger", None), ("changed", "carol")]
    assert live.announcer.presences[-1].text == "Carol"
    live.wait(130)
    assert live.announcer.told()[2:] == [("ended", "carol")]
    (stored,) = live.people.sightings.list_sightings()
    assert stored.person is not None
    assert (stored.person.slug, stored.unknown) == ("carol", None)


def test_ignored_stranger_is_announced_no_more(live: LiveHarness) -> None:
    show(live, STRANGERS)
    live.people.groups.ignore(1)
    show(live, STRANGERS, frames=12)
    assert live.announcer.presences[-1].text == "nobody"
    live.wait(200)
    # The visit that was announced has its end.
    assert live.announcer.told() == [("stranger", None), ("ended", None)]
    show(live, STRANGERS)
    live.wait(200)
    assert live.announcer.told()[2:] == []
    newest, oldest = live.people.sightings.list_sightings()
    assert (newest.outcome, newest.unknown, newest.ignored) == ("stranger", 1, True)
    assert newest.since > oldest.since


def test_stranger_who_is_taken_back_is_announced_again(live: LiveHarness) -> None:
    show(live, STRANGERS)
    live.people.groups.ignore(1)
    live.wait(200)
    live.people.groups.unignore(1)
    show(live, STRANGERS)
    assert live.announcer.told() == [("stranger", None), ("ended", None), ("stranger", None)]


def test_sighting_that_a_user_corrects_loses_its_name(live: LiveHarness) -> None:
    show(live, ADAS)
    stored = live.people.sightings.list_sightings()[0]
    corrections = SightingCorrections(live.people.store, live.people.sightings, live.people.registry)
    done = corrections.not_them(stored.id, None, live.caller)
    live.state.correct(done.sighting, "not_them", done.previous, live.now)
    event = live.announcer.events[-1]
    assert event.previous is not None
    assert (event.event_type, event.sighting.person, event.previous.slug) == ("not_them", None, "ada_lovelace")
    assert live.announcer.presences[-1].people == ()
    live.wait(130)
    assert live.announcer.told()[-1] == ("ended", None)
    assert [each for each, _ in live.announcer.told()].count("ended") == 1


def test_correction_of_a_sighting_that_ended_is_announced(live: LiveHarness) -> None:
    show(live, ADAS)
    live.wait(130)
    stored = live.people.sightings.list_sightings()[0]
    corrections = SightingCorrections(live.people.store, live.people.sightings, live.people.registry)
    done = corrections.confirm(stored.id, None, live.caller)
    live.state.correct(done.sighting, "confirmed", done.previous, live.now)
    assert live.announcer.told()[-1] == ("confirmed", "ada_lovelace")


def test_picture_of_frigate_gives_the_sighting_its_event_and_zones(live: LiveHarness) -> None:
    for n, event in enumerate(["1790000000.1-abc", "1790000009.2-def"]):
        analysis = Analysis(IMAGE, (face(looks(ADAS, n)),), {})
        live.analysed(analysis, picture=b"%d" % n, frigate_event=event, zones=("drive",))
        live.wait(1)
    live.wait(130)
    recognised, ended = live.announcer.events
    assert (recognised.sighting.frigate_event, recognised.sighting.zones) == ("1790000000.1-abc", ("drive",))
    assert ended.sighting.frigate_event == "1790000009.2-def"


def test_frames_end_with_a_bounded_number_of_sightings(live: LiveHarness) -> None:
    for n in range(60):
        live.frame(*(face(descriptor(100 + 3 * n + k), x=150 * k) for k in range(3)))
        live.wait(0.5)
    assert len(live.book.open.on_camera("porch")) <= 32
    live.wait(200)
    told = live.announcer.told()
    assert told.count(("stranger", None)) == told.count(("ended", None))


def test_frames_end_with_a_bounded_number_of_tracks(live: LiveHarness) -> None:
    """Many faces that jump around begin many tracks, each of which costs time in every later frame."""
    for n in range(20):
        live.frame(*(face(descriptor(100 + 20 * n + k), x=150 * k) for k in range(20)))
        live.wait(0.1)
    assert len(live.cameras._cameras["porch"].tracks) <= MAX_TRACKS + 20


def test_means_of_looks_are_alike() -> None:
    """The looks of one person agree strongly, and those of two people do not."""
    assert float(looks(ADAS, 1) @ looks(ADAS, 2)) > 0.96
    assert abs(float(np.dot(looks(ADAS, 1), looks(BOBS, 2)))) < 0.4


# Two looks of the stranger have a cosine of 0.96 and 0.93: the second is too little to recognise the return.
@pytest.mark.parametrize("cosine", [0.98, 0.965])
def test_stranger_who_returns_with_another_look_has_no_new_rate(
    live: LiveHarness, monkeypatch: pytest.MonkeyPatch, cosine: float
) -> None:
    """Regression: each return that was not recognised began a sighting with the whole allowed rate."""
    shares: list[float] = []
    spend = Evidence.spend

    def record(evidence: Evidence, share: float, person: str | None) -> None:
        shares.append(share)
        spend(evidence, share, person)

    monkeypatch.setattr(Evidence, "spend", record)
    for visit in range(10):
        for n in range(6):
            live.frame(face(near(STRANGERS, cosine, 6 * visit + n), x=100 + 3 * n))
            live.wait(0.25)
        live.wait(20)
    assert 0 < sum(shares) <= 1 + 1e-6


def test_person_who_is_removed_and_enrolled_again_at_once_gets_no_old_face(live: LiveHarness) -> None:
    """Regression: within one step of the timer nobody noticed, and the new person got the sighting of the old one."""
    show(live, ADAS)
    live.people.registry.remove("ada_lovelace", live.caller)
    live.enrol("Ada Lovelace", descriptor(77))
    live.wait(0.25)
    assert live.announcer.told() == [("recognised", "ada_lovelace"), ("ended", None)]
    assert live.announcer.presences[-1].text == "nobody"
    live.wait(130)
    assert live.people.sightings.list_sightings() == []


def test_write_that_failed_gives_no_old_face_to_a_person_of_the_same_name(
    live: LiveHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the write was repeated after another person had got the name."""

    def fail(_seconds: float) -> None:
        monkeypatch.undo()
        live.people.registry.remove("ada_lovelace", live.caller)
        live.enrol("Ada Lovelace", descriptor(77))
        live.state.tick(live.now)

    monkeypatch.setattr("gateway.live.journal.time.sleep", fail)
    monkeypatch.setattr(live.people.sightings, "save", _full_disk)
    show(live, ADAS, frames=2)
    live.wait(1)
    assert live.people.sightings.list_sightings(person="ada_lovelace") == []


def _full_disk(_records: object, _owner: object) -> list[str]:
    raise GatewayError("the disk is full")


@pytest.mark.parametrize("by_another_process", [False, True])
def test_erasure_deletes_unnamed_sightings_around_those_of_the_person(
    live: LiveHarness, by_another_process: bool
) -> None:
    """Regression: the picture of a tilted face of the erased person stayed, since it resembled nobody."""
    show(live, STRANGERS, camera="garden")
    show(live, ADAS, frames=5)
    # Tilted, the same person resembles nobody.
    show(live, OTHERS, frames=2, x=400)
    if by_another_process:
        live.store.people.remove("ada_lovelace", live.caller, erase=True)
    else:
        live.people.registry.erase("ada_lovelace", live.caller)
    live.people.updater.refresh()
    live.wait(60)
    # The sighting was open. Its camera does not come back.
    assert {each.camera for each in live.people.sightings.list_sightings()} == {"garden"}
    show(live, OTHERS, frames=2, x=400)
    live.wait(130)
    assert {each.camera for each in live.people.sightings.list_sightings()} == {"garden"}


def test_removal_without_erasure_keeps_unnamed_sightings(live: LiveHarness) -> None:
    show(live, ADAS)
    show(live, OTHERS, x=400)
    live.people.registry.remove("ada_lovelace", live.caller)
    live.wait(130)
    (stranger,) = live.people.sightings.list_sightings()
    assert (stranger.outcome, stranger.reason) == ("stranger", "camera_lost")


def test_judgement_from_before_a_change_of_people_is_made_again(live: LiveHarness) -> None:
    def judge_again(*earlier: Judgement) -> Judgement:
        shown = live.analysed(Analysis(IMAGE, (face(ADAS),), {}), picture=b"%d" % hash(earlier), judgements=earlier)
        assert shown is not None
        return shown[0].judgement

    ada = live.people.gallery.person("ada_lovelace")
    current = Judgement("match", ada, 0.125)
    assert judge_again(current) is current
    removed, renamed = Person("cyd", "Cyd"), Person("ada_lovelace", "Ada Byron")
    for person in (removed, renamed):
        assert judge_again(Judgement("match", person, 0.125)).person == ada
        likely = Likeness(ada, 0.125, 0.5), Likeness(person, 0.125, 0.5)
        assert judge_again(Judgement("ambiguous", candidates=likely)).person == ada
