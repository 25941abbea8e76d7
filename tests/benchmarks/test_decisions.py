from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import decisions
from benchmarks.accuracy import Bools, Floats, Indices
from benchmarks.decisions import (
    DrawnGallery,
    EngineResults,
    Folder,
    Outcome,
    Shares,
    at_most,
    by_facegate,
    by_stock,
    compare,
    compared,
    draw,
    possible,
    sizes,
    split,
)
from benchmarks.faces import DescribedPictures, Vectors
from gateway.model import Person
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.people.similarity import Similarity, typical_faces
from gateway.store.records import Changes, GallerySnapshot


def unit(vectors: Any) -> Vectors:
    each = np.array(vectors, np.float32)
    made: Vectors = each / np.linalg.norm(each, axis=1, keepdims=True)
    return made


def folder_of(people: Any, vectors: Vectors, found: Bools | None = None, facegate: Bools | None = None) -> Folder:
    """Return a folder. Both engines return the same descriptor if they find a face."""
    everywhere = np.ones(len(vectors), bool)
    sides = (DescribedPictures(everywhere if each is None else each, vectors, vectors) for each in (found, facegate))
    return Folder(np.array(people), *sides)


def crowd(people: int, pictures: int, noise: float = 0.3) -> Folder:
    """Return a folder of different people. The pictures of a person differ slightly."""
    random = np.random.default_rng(0)
    middles = np.repeat(unit(random.normal(size=(people, 128))), pictures, axis=0)
    own = np.repeat(np.arange(people), pictures)
    return folder_of(own, unit(middles + noise * unit(random.normal(size=middles.shape))))


def decision(target: float = 0.01) -> Decision:
    return Decision(target, 0.001, measured_curves("facegate"))


def zeros(*shape: int) -> Floats:
    return np.zeros(shape, np.float32)


def indices(*each: Any) -> Indices:
    return np.array(each, np.intp)


def outcomes(folder: Folder, *draws: DrawnGallery, target: float = 0.01) -> tuple[Outcome, Outcome]:
    """Return the errors with the tolerance of stock, and with the gateway's policy."""
    results = EngineResults(folder, draws, [0] * len(draws))
    return results.by_tolerance(), results.by_policy(decision(target))


def test_probe_similar_to_an_enrolled_person_gets_its_name() -> None:
    """Persons 0 and 1 are enrolled with pictures 0 and 2. Person 2 is similar to 0, person 3 to no one."""
    random = np.random.default_rng(0)
    faces = unit(random.normal(size=(3, 128)))
    folder = folder_of([0, 0, 1, 2, 3], faces[[0, 0, 1, 0, 2]])
    twin, other = (DrawnGallery(indices([0], [2]), indices(1), indices(each)) for each in (3, 4))
    for outcome in outcomes(folder, twin):
        assert outcome.shares() == {"fpir": 1, "fnir": 0}
        assert outcome.mistakes.tolist() == [[0, 2, 0]]
    for outcome in outcomes(folder, other):
        assert outcome.shares() == {"fpir": 0, "fnir": 0}
    for outcome in outcomes(folder, twin, other):
        assert outcome.fpir.share() == 0.5


def test_unreachable_threshold_misses_all_enrolled_people() -> None:
    folder = crowd(12, 3, noise=0.9)
    drawn = DrawnGallery(indices([0], [3], [6]), indices(1, 2, 4, 5, 7, 8), indices(9, 12))
    _, within_reach = outcomes(folder, drawn, target=0.5)
    _, beyond = outcomes(folder, drawn, target=1e-30)
    assert (within_reach.fnir.share(), beyond.fnir.share()) == (0, 1)
    assert beyond.fpir.share() == beyond.another.share() == 0


def test_confused_person_is_missed_and_counted() -> None:
    """Picture 1 of person 0 is similar to picture 2, which is enrolled as person 1."""
    faces = unit(np.random.default_rng(0).normal(size=(3, 128)))
    folder = folder_of([0, 0, 1, 1, 2], faces[[0, 1, 1, 1, 2]])
    for outcome in outcomes(folder, DrawnGallery(indices([0], [2]), indices(1, 3), indices(4))):
        assert (outcome.fnir.share(), outcome.another.share()) == (0.5, 0.5)
        assert outcome.fpir.share() == 0


def test_policy_gives_no_name_if_two_people_pass() -> None:
    faces = unit(np.random.default_rng(0).normal(size=(2, 128)))
    folder = folder_of([0, 0, 1, 2], faces[[0, 0, 0, 1]])
    stock, facegate = outcomes(folder, DrawnGallery(indices([0], [2]), indices(1), indices(3)))
    assert facegate.shares() == {"fpir": 0, "fnir": 1}
    assert facegate.another.share() == 0
    assert stock.fnir.share() == 0


def test_probe_without_a_face_gets_no_name() -> None:
    faces = unit(np.random.default_rng(0).normal(size=(1, 128)))
    found = np.array([True, False, False, True])
    folder = folder_of([0, 0, 1, 1], faces[[0, 0, 0, 0]], found)
    stock, facegate = outcomes(folder, DrawnGallery(indices([0]), indices(1), indices(2)))
    assert stock.shares() == {"fpir": 0, "fnir": 1}
    assert facegate.shares() == {"fpir": 1, "fnir": 0}
    assert [each.tolist() for each in folder.enrollable()] == [[0], [3]]


def test_stock_uses_the_nearest_picture_and_facegate_the_mean() -> None:
    """Person 0 is enrolled with two pictures at right angles. The probe equals one of them, not their mean."""
    one, other, third = np.eye(128, dtype=np.float32)[[3, 4, 5]]
    folder = folder_of([0, 0, 0, 1, 1, 2], np.stack([one, other, one, third, third, -third]))
    drawn = DrawnGallery(indices([0, 1], [3, 4]), indices(2), indices(5))
    (stock,), (facegate,) = by_stock(folder, [drawn]), by_facegate(folder, [drawn])
    assert stock.best[0] == pytest.approx(0, abs=1e-6)
    mean = unit([one + other])[0]
    assert facegate.best[0] == pytest.approx(Similarity(typical_faces()).compare(one, mean), abs=1e-6)


@pytest.mark.parametrize("pictures", [1, 3])
def test_policy_equals_that_of_the_gateway(pictures: int) -> None:
    """The verdicts equal those of the gateway's gallery and decision. Each person has a similar one."""
    folder = folder_of(np.repeat(np.arange(60), 5), crowd(30, 10, noise=0.8).facegate.stream)
    drawn = draw(folder, np.arange(60), folder.enrollable(), 30, pictures, np.random.default_rng(0))
    policy = decision(0.9)
    sums = folder.facegate.enrolment[drawn.enrolled].sum(axis=1)
    owners = folder.people[drawn.enrolled[:, 0]]
    people = [Person(f"p{owner}", str(owner)) for owner in owners.tolist()]
    counts, nobody = np.full(30, pictures), (np.empty((0, 128), np.float32), np.empty(0, np.int64))
    gallery = Gallery(Similarity(typical_faces()))
    gallery.apply(Changes(1, GallerySnapshot(np.arange(30), people, unit(sums), counts, *nobody), ()))
    judgements = [
        policy.identify(gallery.nearest(folder.facegate.stream[probe], policy.similarity_limits(30)))
        for probe in (*drawn.known.tolist(), *drawn.strangers.tolist())
    ]
    (answers,) = by_facegate(folder, [drawn])
    named = answers.named(float(policy.similarity_limits(30)[pictures]), ambiguous=True)
    verdicts = [each.verdict for each in judgements]
    assert named.tolist() == [verdict == "match" for verdict in verdicts]
    assert all(verdicts.count(verdict) >= 3 for verdict in ("match", "unknown", "ambiguous"))
    names = [each.person.name for each in judgements if each.person]
    assert answers.person[named].tolist() == [int(name) for name in names]


def test_at_most_lets_at_most_its_share_pass() -> None:
    best = np.random.default_rng(0).permutation(np.arange(1_000, dtype=np.float32))
    limit = at_most(best, 0.01)
    assert (best >= limit).sum() == 10
    same = np.zeros(1_000, np.float32)
    assert (same >= at_most(same, 0.01)).sum() == 0
    unseen = np.full(1_000, -np.inf, np.float32)
    assert (unseen >= at_most(unseen, 0.01)).sum() == 0


def test_each_half_uses_the_distance_of_the_other_half() -> None:
    """Strangers of the first gallery are similar to enrolled people, those of the second are not."""
    faces = unit(np.random.default_rng(0).normal(size=(4, 128)))
    folder = folder_of([0, 0, 1, 2, 2, 3], faces[[0, 0, 0, 1, 1, 2]])
    draws = [DrawnGallery(indices([0]), indices(1), indices(2)), DrawnGallery(indices([3]), indices(4), indices(5))]
    outcome = EngineResults(folder, draws, [0, 1]).at_target()
    assert outcome.fpir.happened[:, [1, 3]].tolist() == [[1, 0], [0, 0]]  # with the distance of the other half
    assert outcome.fnir.happened[:, [0, 2]].tolist() == [[0, 0], [0, 1]]  # no probe is nearer than similar strangers


def test_galleries_have_people_with_enough_pictures() -> None:
    people = np.repeat(np.arange(40), np.tile([1, 2, 3, 5], 10))
    found = np.ones(len(people), bool)
    found[people == 3] = False
    folder = folder_of(people, unit(np.random.default_rng(0).normal(size=(len(people), 128))), found)
    half = np.arange(0, 40)
    drawn = draw(folder, half, folder.enrollable(), 15, 3, np.random.default_rng(0))
    owners = people[drawn.enrolled]
    assert drawn.enrolled.shape == (15, 3)
    assert (owners == owners[:, :1]).all()
    assert len(np.unique(owners[:, 0])) == 15
    assert not (set(owners[:, 0].tolist()) & {3, *range(0, 40, 4), *range(1, 40, 4)})
    assert not set(drawn.known.tolist()) & set(drawn.enrolled.ravel().tolist())
    assert set(people[drawn.known].tolist()) == {each for each in owners[:, 0].tolist() if each % 4 == 3}
    assert people[drawn.strangers].tolist() == sorted(set(range(40)) - set(owners[:, 0].tolist()))


def test_split_distributes_people_evenly_by_their_pictures() -> None:
    people = np.repeat(np.arange(40), np.tile([1, 2, 3, 5], 10))
    halves = split(folder_of(people, np.ones((len(people), 128), np.float32)))
    assert sorted(np.concatenate(halves).tolist()) == list(range(40))
    for half in halves:
        assert np.bincount(np.bincount(people)[half])[[1, 2, 3, 5]].tolist() == [5] * 4


def test_sizes_are_limited_to_the_possible_ones() -> None:
    assert sizes((10, 100, 500), 83) == [10, 83]
    assert sizes((10, 100, 500), 100) == [10, 100]
    assert sizes((10, 100, 500), 0) == []
    enrollable = [np.arange(3)] * 20 + [np.arange(1)] * 10
    assert possible(np.arange(30), enrollable, 3) == 18
    assert possible(np.arange(30), enrollable, 1) == 20


def test_shares_are_over_pictures_and_the_worst_over_people() -> None:
    """There are three people and twenty galleries. One person always gets a name, one never, one has few pictures."""
    seen, happened = zeros(20, 3), zeros(20, 3)
    seen[:, :2] = happened[:, 0] = 1
    seen[0, 2] = happened[0, 2] = 1
    tally = Shares(happened, seen)
    assert tally.share() == pytest.approx(21 / 41, abs=1e-5)
    assert tally.spread() == [0.5, pytest.approx(0.508, abs=0.001)]
    assert tally.worst() == 1
    assert Shares(happened[:, 1:], seen[:, 1:]).worst() == 0
    assert Shares(happened[:3], seen[:3]).worst() is None
    low, high = tally.interval()
    assert (low, high) == (0, 1)  # two people are few, with any number of galleries


def test_interval_does_not_shrink_with_galleries_of_the_same_people() -> None:
    """All errors concern one of ten people, who may occur three times or never in a resample."""
    galleries, people = 50, 200
    members, seen = zeros(galleries, people), zeros(galleries, people)
    members[:, :10], seen[:, 10:] = 1, 1
    mistakes = np.array([(gallery, 10 + person, 0) for gallery in range(galleries) for person in range(0, 190, 10)])
    happened = zeros(galleries, people)
    happened[mistakes[:, 0], mistakes[:, 1]] = 1
    fpir = Shares(happened, seen)
    low, high = Outcome(fpir, fpir, fpir, mistakes, members).fpir_interval()
    narrow = fpir.interval()
    assert fpir.share() == 0.1
    assert 0.03 < narrow[0] < 0.1 < narrow[1] < 0.17
    assert low == 0
    assert high > 0.25


def test_compare_separates_very_different_people(capsys: pytest.CaptureFixture[str]) -> None:
    result = compare(crowd(60, 4, noise=0.1), decision(), 10, (10, 500))
    assert [(each["gallery"], each["pictures"]) for each in result] == [(10, 1), (50, 1), (10, 3), (50, 3)]
    calibrated = [each["stock_calibrated_on"] for each in result]
    assert calibrated == ["other people", "the same people"] * 2  # a half has fewer than 50
    for each in result:
        assert each["galleries"] == 10
        assert each["stock"] == {"fpir": 0, "fnir": 0}
        assert each["facegate"]["fpir"] == each["facegate"]["fnir"] == each["facegate"]["known_as_another"] == 0
        assert each["facegate"]["fpir_interval"] == each["facegate"]["fnir_interval"] == [0, 0]
    assert capsys.readouterr().err.count("500 people") == 2


def test_compare_with_equal_faces() -> None:
    people = np.repeat(np.arange(60), 2)
    folder = folder_of(people, unit(np.ones((120, 128))))
    drawn = draw(folder, np.arange(60), folder.enrollable(), 20, 1, np.random.default_rng(0))
    result = compared(folder, decision(), [(0, drawn), (1, drawn)])
    assert result["stock"] == {"fpir": 1, "fnir": 0.95}
    assert result["stock_at_target"] == {"fpir": 0, "fnir": 1}
    assert (result["facegate"]["fpir"], result["facegate"]["fnir"]) == (0, 1)


def test_too_few_people_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match="too few people"):
        compare(crowd(10, 2), decision(), 10)
    result = CliRunner().invoke(decisions.main, ["--pictures", str(tmp_path)])
    assert result.exit_code == 1
    assert "no pictures" in result.output


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = crowd(80, 2)
    for person in range(80):
        for number in (1, 2):
            (tmp_path / f"person{person:03}_{number:04}.jpg").touch()
    monkeypatch.setattr(decisions, "describe", lambda paths, name: folder.facegate)
    return tmp_path


def test_decisions_print_one_json_document(described: Path) -> None:
    result = CliRunner().invoke(decisions.main, ["--pictures", str(described), "--galleries", "20", "--json"])
    document = json.loads(result.stdout)
    assert [(each["gallery"], each["pictures"]) for each in document] == [(10, 1), (70, 1)]
    for each in document:
        assert list(each) == [
            "gallery", "pictures", "galleries", "stock", "stock_at_target", "stock_calibrated_on", "facegate",
        ]  # fmt: skip
        assert list(each["stock"]) == list(each["stock_at_target"]) == ["fpir", "fnir"]
        assert list(each["facegate"]) == [
            "fpir", "fnir", "target_fpir", "fpir_interval", "fnir_interval", "known_as_another", "fpir_galleries",
            "worst_stranger",
        ]  # fmt: skip
    assert "with 3 pictures each" in result.stderr


def test_decisions_print_a_table(described: Path) -> None:
    result = CliRunner().invoke(decisions.main, ["--pictures", str(described), "--galleries", "2"])
    assert result.exit_code == 0
    assert "missed" in result.stdout
