"""Tracks: which face of a frame continues which track."""

from __future__ import annotations

import pytest

from gateway.live.tracks import Follower, SeenFace, Track, overlap
from gateway.model import Box, Descriptor
from gateway.people.curves import measured_curves
from tests.examples import descriptor, near

ADA, BOB = descriptor(1), descriptor(2)
CURVE = measured_curves("facegate").for_pictures(1)
HERE, BESIDE, FAR = Box(100, 100, 200, 200), Box(140, 100, 240, 200), Box(400, 100, 500, 200)


def follower() -> Follower[str]:
    """Return the rules. The owner of a track is a name, or empty."""
    return Follower[str](lambda one, other: CURVE.decades_at(float(one @ other)), bool)


def track(face: Descriptor | None, *, owner: str = "ada", box: Box = HERE, usable: bool = True) -> Track[str]:
    begun = Track("t1", owner, box, 0.0, 0.0)
    begun.see(SeenFace(box, face, usable), 0.0, "agrees" if face is not None else "overlaps")
    return begun


def continues(begun: Track[str], face: SeenFace, moment: float) -> bool:
    return follower().follow([begun], [face], moment) == [begun]


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (HERE, HERE, 1.0),
        (HERE, FAR, 0.0),
        (HERE, Box(150, 100, 250, 200), 1 / 3),
        (HERE, Box(200, 100, 300, 200), 0.0),
        (HERE, Box(100, 100, 200, 150), 0.5),
    ],
)
def test_overlap_is_the_intersection_over_the_union(one: Box, other: Box, shared: float) -> None:
    assert overlap(one, other) == pytest.approx(shared)
    assert overlap(other, one) == overlap(one, other)


@pytest.mark.parametrize("moment", [0.1, 1.0, 4.0])
@pytest.mark.parametrize("box", [HERE, BESIDE, FAR])
def test_same_face_continues_its_track_anywhere(moment: float, box: Box) -> None:
    assert continues(track(ADA), SeenFace(box, near(ADA, 0.98), True), moment)


@pytest.mark.parametrize(("moment", "expected"), [(0.1, True), (1.0, True), (2.0, False)])
def test_face_without_descriptor_continues_by_its_place_for_a_short_time(moment: float, expected: bool) -> None:
    assert continues(track(ADA), SeenFace(HERE, None, False), moment) is expected
    assert not continues(track(ADA), SeenFace(FAR, None, False), moment)


def test_other_face_in_the_same_place_is_in_doubt_twice_and_then_a_conflict() -> None:
    begun, other = track(ADA), SeenFace(HERE, BOB, True)
    assert continues(begun, other, 0.1)
    assert begun.in_doubt
    assert continues(begun, other, 0.2)
    assert not continues(begun, other, 0.3)
    assert follower().conflicts(begun, other)


def test_doubt_ends_with_a_face_that_agrees() -> None:
    begun = track(ADA)
    for n in range(6):
        assert continues(begun, SeenFace(HERE, BOB if n % 2 else ADA, True), 0.1 * n)
    assert begun.doubts == 1


def test_other_face_later_is_a_conflict_immediately() -> None:
    assert not continues(track(ADA), SeenFace(HERE, BOB, True), 0.6)


def test_other_face_elsewhere_is_no_conflict() -> None:
    assert not follower().conflicts(track(ADA), SeenFace(FAR, BOB, True))


def test_poor_face_does_not_continue_a_named_track_elsewhere() -> None:
    poor = SeenFace(FAR, near(ADA, 0.99), False)
    assert not continues(track(ADA), poor, 0.1)
    assert continues(track(ADA, owner=""), poor, 0.1)


def test_good_face_continues_a_track_of_poor_faces_that_are_alike() -> None:
    begun = track(near(ADA, 0.95), owner="", usable=False)
    assert continues(begun, SeenFace(FAR, ADA, True), 2.0)
    assert begun.usable


def test_more_alike_face_wins_over_the_nearer_one() -> None:
    ada, bob = track(ADA, box=HERE), Track("t2", "bob", FAR, 0.0, 0.0)
    bob.see(SeenFace(FAR, BOB, True), 0.0, "agrees")
    swapped = [SeenFace(HERE, near(BOB, 0.98), True), SeenFace(FAR, near(ADA, 0.98), True)]
    assert follower().follow([ada, bob], swapped, 0.1) == [bob, ada]


def test_one_track_gets_one_face() -> None:
    begun = track(ADA)
    twins = [SeenFace(HERE, near(ADA, 0.97, 1), True), SeenFace(BESIDE, near(ADA, 0.99, 2), True)]
    assert follower().follow([begun], twins, 0.1) == [None, begun]


def test_track_ends_after_its_last_face_that_agrees() -> None:
    begun = track(ADA)
    for n in range(1, 60):
        continues(begun, SeenFace(HERE, None, False), 0.1 * n)
    assert begun.last == pytest.approx(5.9)
    assert not begun.is_over(4.9, 5.0)
    assert begun.is_over(5.1, 5.0)


def test_track_without_any_descriptor_ends_after_its_last_face() -> None:
    begun = track(None, owner="")
    for n in range(1, 60):
        continues(begun, SeenFace(HERE, None, False), 0.1 * n)
    assert not begun.is_over(10.0, 5.0)
    assert begun.is_over(11.0, 5.0)
