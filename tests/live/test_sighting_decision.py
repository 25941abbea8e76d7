from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gateway.live.evidence import MAX_EVIDENCE_FACES, Evidence, EvidenceFace
from gateway.live.sighting_decision import FIRST_LOOK_WAIT_S, LOOKS, SightingDecision
from gateway.model import Descriptor, FoundFace, Person, Quality
from gateway.people.curves import Curve, Curves
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.store.records import Changes, GallerySnapshot
from tests.examples import ALICE, BOB, BOX, QUALITY, descriptor, near

POINTS = np.array([1.0, 7.0])
CURVES = Curves(
    (Curve(np.array([0.0, 1.2]), POINTS),),
    {probes: (Curve(np.array([0.1, 1.3]), POINTS),) for probes in (2, 3, 5)},
    same_cosine=0.8,
)
"""Curves by which one picture has 5 decades for a cosine of 1, and the mean of several has half a decade less."""

DECISION = Decision(0.01, 0.001, CURVES)
"""Decision that names one picture from a cosine of 0.23 on among one person, at the first look."""


def gallery(**people: Descriptor) -> Gallery:
    """Return a gallery of people with one picture each, by id."""
    found = Gallery()
    numbers = np.arange(len(people))
    persons = [Person(slug, slug.capitalize()) for slug in people]
    no_counters = np.empty((0, 128), np.float32), np.empty(0, np.int64)
    ones = np.ones(len(people), np.int64)
    found.apply(Changes(1, GallerySnapshot(numbers, persons, np.stack([*people.values()]), ones, *no_counters), []))
    return found


def face(found: Descriptor | None, quality: Quality = QUALITY) -> FoundFace:
    return FoundFace(BOX, found, quality=quality)


ADA = descriptor(1)
ALIKE = near(ADA, 0.9, seed=5)


@pytest.fixture
def rules() -> SightingDecision:
    return SightingDecision(gallery(alice=ADA, bob=descriptor(2)), DECISION)


def test_shares_of_all_looks_sum_to_one() -> None:
    assert sum(look.share for look in LOOKS) == pytest.approx(1)
    assert [look.faces for look in LOOKS] == sorted(look.faces for look in LOOKS)


def test_first_usable_face_of_a_slow_camera_is_the_first_look(rules: SightingDecision) -> None:
    evidence = Evidence()
    judgement = rules.add_face(evidence, face(ALIKE), 0)
    assert judgement
    assert judgement.person == ALICE
    assert (evidence.person, evidence.looks, evidence.spent) == ("alice", 1, LOOKS[0].share)


def test_first_look_of_a_fast_camera_is_at_two_faces(rules: SightingDecision) -> None:
    evidence = Evidence()
    assert rules.add_face(evidence, face(ALIKE), 0, more_follow=True) is None
    # The next frame comes too soon, and the second face is nearly the same picture.
    assert rules.add_face(evidence, face(ALIKE), 0.1, more_follow=True) is None
    judgement = rules.add_face(evidence, face(ALIKE), 0.2, more_follow=True)
    assert judgement
    assert judgement.person == ALICE
    assert (evidence.frames, evidence.looks, evidence.spent) == (2, 1, LOOKS[0].share)


def test_first_look_is_at_one_face_if_no_second_one_comes_in_time(rules: SightingDecision) -> None:
    evidence = Evidence()
    assert rules.decide_waiting(evidence, np.inf) is None
    rules.add_face(evidence, face(ALIKE), 0, more_follow=True)
    assert rules.decide_waiting(evidence, FIRST_LOOK_WAIT_S - 0.01) is None
    judgement = rules.decide_waiting(evidence, FIRST_LOOK_WAIT_S)
    assert judgement
    assert judgement.person == ALICE
    assert rules.decide_waiting(evidence, 10) is None


def test_poor_second_face_does_not_delay_the_first_look(rules: SightingDecision) -> None:
    evidence = Evidence()
    rules.add_face(evidence, face(ALIKE), 0, more_follow=True)
    judgement = rules.add_face(evidence, face(None), FIRST_LOOK_WAIT_S, more_follow=True)
    assert judgement
    assert judgement.person == ALICE


def test_mean_of_different_faces_needs_more_similarity_than_that_of_similar_ones() -> None:
    similar, different = (CURVES.different_probes(length, 2) for length in (0.999, 0.95))
    limits = [float(DECISION.similarity_limits(10, probes)[1]) for probes in (1, similar, different, 2)]
    assert limits == sorted(limits)
    assert 1 < similar < different == 2


def test_look_uses_single_faces_if_no_mean_was_measured() -> None:
    single = Decision(0.01, 0.001, Curves(CURVES.by_pictures))
    rules, evidence = SightingDecision(gallery(alice=ADA), single), Evidence()
    # The better face alone is similar enough; the mean of both is not.
    poor = replace(QUALITY, sharpness=0.2)
    rules.add_face(evidence, face(near(descriptor(9), 0.9), poor), 0, more_follow=True)
    judgement = rules.add_face(evidence, face(near(ADA, 0.21)), 1, more_follow=True)
    assert judgement
    assert judgement.similarity == pytest.approx(0.21, abs=1e-3)


def test_poor_face_is_no_evidence(rules: SightingDecision) -> None:
    evidence = Evidence()
    blurred = Quality(pixels=100, brightness=0.5, sharpness=0.01, pose=0.9, inside=1)
    assert rules.add_face(evidence, face(ALIKE, blurred), 0) is None
    assert rules.add_face(evidence, face(None), 1) is None
    assert (evidence.frames, evidence.spent) == (0, 0)


def test_similar_frames_are_one_look(rules: SightingDecision) -> None:
    evidence = Evidence()
    stranger = descriptor(7)
    taken = [rules.add_face(evidence, face(near(stranger, 0.98, seed)), seed) for seed in range(50)]
    assert [each is not None for each in taken] == [True] + [False] * 49
    assert evidence.looks == 1


def test_looks_never_spend_more_than_the_allowed_rate(rules: SightingDecision) -> None:
    evidence = Evidence()
    stranger = descriptor(7)
    taken = [rules.add_face(evidence, face(near(stranger, 0.8, seed)), seed) for seed in range(50)]
    judgements = [each for each in taken if each]
    assert [each.verdict for each in judgements] == ["unknown"] * len(LOOKS)
    assert evidence.spent == pytest.approx(1)
    assert evidence.frames == MAX_EVIDENCE_FACES


def test_name_is_not_decided_again_while_the_faces_agree(rules: SightingDecision) -> None:
    evidence = Evidence()
    taken = [rules.add_face(evidence, face(near(ADA, 0.8, seed)), seed) for seed in range(50)]
    assert [each is not None for each in taken] == [True] + [False] * 49
    assert evidence.spent == LOOKS[0].share


def test_name_is_replaced_by_a_look_if_the_faces_speak_clearly_against_it(rules: SightingDecision) -> None:
    evidence = Evidence()
    rules.add_face(evidence, face(near(ADA, 0.3, seed=3)), 0)
    assert evidence.person == "alice"
    taken = [rules.add_face(evidence, face(near(descriptor(2), 0.8, seed)), seed) for seed in range(1, 9)]
    assert [each.person for each in taken if each] == [BOB]
    assert evidence.spent == pytest.approx(LOOKS[0].share + LOOKS[1].share)


def test_name_is_taken_away_without_a_look(rules: SightingDecision) -> None:
    evidence = Evidence()
    evidence.add(EvidenceFace(descriptor(7), 1), 0, 1)
    evidence.spend(1, "alice")
    taken = [rules.add_face(evidence, face(near(descriptor(7), 0.8, seed)), seed) for seed in range(1, 9)]
    assert [each.verdict for each in taken if each] == ["unknown"]
    assert (evidence.person, evidence.spent) == (None, 1)


def test_two_similar_people_are_ambiguous() -> None:
    rules = SightingDecision(gallery(alice=ADA, bob=near(ADA, 0.9)), DECISION)
    judgement = rules.add_face(Evidence(), face(ALIKE), 0)
    assert judgement
    assert judgement.verdict == "ambiguous"
    assert {each.person for each in judgement.candidates} == {ALICE, BOB}


def test_face_of_the_same_person_agrees(rules: SightingDecision) -> None:
    evidence = Evidence()
    assert rules.agrees(evidence, ADA)
    rules.add_face(evidence, face(ALIKE), 0)
    assert rules.agrees(evidence, ADA)
    assert not rules.agrees(evidence, descriptor(3))
    assert not rules.agrees(evidence, descriptor(3, 64))


def test_sightings_of_one_person_are_the_same_person(rules: SightingDecision) -> None:
    one, other, third = Evidence(), Evidence(), Evidence()
    rules.add_face(one, face(near(ADA, 0.9, 1)), 0)
    rules.add_face(other, face(near(ADA, 0.9, 2)), 0)
    rules.add_face(third, face(descriptor(3)), 0)
    assert rules.same_person(one, other)
    assert not rules.same_person(one, third)
    assert not rules.same_person(one, Evidence())


def test_joined_evidence_has_both_budgets() -> None:
    one, other = Evidence(), Evidence()
    for number, each in enumerate((one, other)):
        for seed in range(4):
            each.add(EvidenceFace(descriptor(10 * number + seed), seed), seed, 1)
        each.spend(0.7, None)
    one.join(other)
    assert (one.spent, one.looks, one.frames) == (1.4, 2, MAX_EVIDENCE_FACES)


def test_evidence_survives_a_restart(rules: SightingDecision) -> None:
    evidence = Evidence()
    for seed in range(20):
        rules.add_face(evidence, face(near(descriptor(7), 0.8, seed)), seed)
    data = evidence.to_bytes()
    again = Evidence.from_bytes(data)
    assert len(data) < 3000
    assert (again.spent, again.looks, again.person) == (evidence.spent, evidence.looks, None)
    assert np.array_equal(again.probe(5).descriptor, evidence.probe(5).descriptor)


@pytest.mark.parametrize("data", [b"", b"\xff", b"{}", b"\xa0", b"\xa1espent"])
def test_bytes_that_are_no_evidence_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not the evidence"):
        Evidence.from_bytes(data)


def test_clearly_better_face_replaces_one_that_is_nearly_the_same() -> None:
    evidence = Evidence(spent=0.9, looks=1)
    same = near(ADA, 0.99)
    assert evidence.add(EvidenceFace(ADA, 0.5), 0, 0.98)
    assert not evidence.add(EvidenceFace(same, 0.6), 1, 0.98)
    assert evidence.add(EvidenceFace(same, 0.9), 2, 0.98)
    assert evidence.frames == 1
    assert np.allclose(evidence.probe(1).descriptor, same)


def test_faces_of_one_moment_are_kept_once() -> None:
    evidence = Evidence()
    assert evidence.add(EvidenceFace(descriptor(1), 1), 0, 1)
    assert not evidence.add(EvidenceFace(descriptor(2), 1), 0.01, 1)
