"""The search in the database finds the same people as the search in memory, with the same similarities."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from device_sim.postgres_server import PostgresServer
from gateway.errors import Busy, UnknownPerson
from gateway.live.evidence import Evidence
from gateway.live.sighting_decision import SightingDecision
from gateway.model import Descriptor, FoundFace, Person
from gateway.model.caller import REST_CALLER
from gateway.people.curves import measured_curves
from gateway.people.database_search import FIRST_COUNT, DatabaseSearch
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery, Nearest
from gateway.people.group_comparison import GroupComparison
from gateway.people.similarity import Similarity, typical_faces
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.records import ExportedPerson, Picture, StoredFace, UnknownGroup
from tests.examples import BOX, QUALITY, unit

RECIPE = "dlib"
DECISION = Decision(0.01, 0.001, measured_curves("facegate"))
ROUNDING = 2e-6
"""The largest difference between two sums of the same products in another order."""

Faces = Mapping[str, Sequence[Descriptor]]


@dataclass(frozen=True)
class BothGalleries:
    """The same people, searched in memory and in the database, with changes of the store followed by both."""

    store: Any
    vectors: Any
    memory: Gallery
    database: Gallery

    def follow(self) -> None:
        self.memory.apply(self.store.faces.changes(0, RECIPE))
        self.database.apply(self.vectors.changes(0))
        assert self.memory.people() == self.database.people()

    def add(self, people: Faces, counters: Faces | None = None) -> None:
        exported = []
        for name, faces in people.items():
            pictures = [_picture(f"{name} {n}", face) for n, face in enumerate(faces)]
            against = (counters or {}).get(name, ())
            pictures += [_picture(f"not {name} {n}", face, counter=True) for n, face in enumerate(against)]
            exported.append(ExportedPerson(Person("", name), pictures, [0.0] * len(pictures)))
        self.store.archive.import_people(exported, REST_CALLER, merge=True)
        self.follow()

    def check(self, probe: Descriptor, limits: NDArray[np.float32] | None = None) -> Nearest:
        """Check that both find the same people for a probe, and decide the same. Return the result."""
        if limits is None:
            limits = DECISION.similarity_limits(len(self.memory))
        one, other = self.memory.nearest(probe, limits), self.database.nearest(probe, limits)
        assert other.people == one.people
        assert _rounded(other) == pytest.approx(_rounded(one), abs=ROUNDING)
        for mine, theirs in zip(one.candidates, other.candidates, strict=True):
            # People who are equally similar have no order.
            if mine.person != theirs.person:
                found = self.memory.compare_person(theirs.person.slug, probe)
                assert found.similarity == pytest.approx(theirs.similarity, abs=ROUNDING)
                assert found.pictures == theirs.pictures == mine.pictures
        assert DECISION.identify(other).verdict == DECISION.identify(one).verdict
        return other


def _picture(digest: str, face: Descriptor, *, counter: bool = False) -> Picture:
    return Picture(digest, "rest", RECIPE, StoredFace(face, None), None, counter)


def _rounded(nearest: Nearest) -> list[float]:
    return [each.similarity for each in nearest.candidates]


NO_LIMITS = np.full(6, -1, np.float32)


def names(nearest: Nearest) -> list[str]:
    return sorted(each.person.slug for each in nearest.candidates)


@pytest.fixture
def url(postgres_server: PostgresServer, postgres_url: str) -> str:
    if not postgres_server.has_vectors():
        pytest.skip("this PostgreSQL has no pgvector")
    return postgres_url


@pytest.fixture
def both(url: str) -> Iterator[BothGalleries]:
    from gateway.store.postgres.opening import open_search_vectors
    from gateway.store.postgres.store import PostgresStore

    similarity = Similarity(typical_faces())
    with closing(PostgresStore(url, Cipher(None), PeopleLimits())) as store:
        correction = similarity.fingerprint
        opened = open_search_vectors(url, store, recipe=RECIPE, correct=similarity.correction, correction=correction)
        with closing(opened) as vectors:
            vectors.fill()
            database = Gallery(similarity)
            database.search_with(DatabaseSearch(vectors, similarity, database.directory))
            yield BothGalleries(store, vectors, Gallery(similarity), database)


@pytest.fixture
def counts(both: BothGalleries, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of people that the searches ask the database for."""
    asked: list[int] = []
    find = both.vectors.find

    def note(probe: Any, limits: Any, count: int, also: Any = ()) -> Any:
        asked.append(count)
        return find(probe, limits, count, also)

    monkeypatch.setattr(both.vectors, "find", note)
    return asked


def random_faces(count: int, seed: int) -> list[Descriptor]:
    return [unit(each) for each in np.random.default_rng(seed).standard_normal((count, 128))]


def moved(face: Descriptor, distance: float, random: np.random.Generator) -> Descriptor:
    return unit(face + distance * unit(random.standard_normal(128)))


def test_random_people_are_found_alike(both: BothGalleries, counts: list[int]) -> None:
    random = np.random.default_rng(1)
    faces = random_faces(400, 2)
    both.add({f"P {n}": [face, *(moved(face, 0.5, random) for _ in range(n % 7))] for n, face in enumerate(faces)})
    verdicts = set()
    for n in range(100):
        probe = moved(faces[n], random.uniform(0, 2), random) if n % 2 else unit(random.standard_normal(128))
        verdicts.add(DECISION.identify(both.check(probe)).verdict)
        for level in (-0.5, 0.0, 0.2, 0.5):
            both.check(probe, np.array([np.inf, *(level + 0.05 * np.arange(5))], np.float32))
    assert verdicts == {"match", "unknown"}
    # One query is enough for nearly all.
    assert sum(count == FIRST_COUNT for count in counts) == 500


def test_near_duplicates_are_found_alike(both: BothGalleries) -> None:
    """Many people lie so near to each other that half precision cannot order them."""
    random = np.random.default_rng(3)
    centre = random_faces(1, 4)[0]
    crowd = {f"P {n}": [moved(centre, 0.0005 * (1 + n % 3), random)] for n in range(200)}
    both.add({**crowd, **{f"Q {n}": [face] for n, face in enumerate(random_faces(100, 5))}})
    verdicts = set()
    for distance in (0.0, 0.0003, 0.01, 0.3, 0.8, 1.5):
        probe = moved(centre, distance, random)
        verdicts.add(DECISION.identify(both.check(probe)).verdict)
        best = max(_rounded(both.memory.nearest(probe, np.full(6, -1, np.float32))))
        # The limit lies among the crowd, so that the number of people who reach it depends on the last digits.
        for offset in (-0.002, -0.0005, -0.00005, 0, 0.00005):
            both.check(probe, np.array([np.inf, *[best + offset] * 5], np.float32))
    assert verdicts == {"ambiguous", "unknown"}


def test_more_equal_people_than_the_first_query_returns_are_found(both: BothGalleries, counts: list[int]) -> None:
    face, stranger = random_faces(2, 6)
    equal = {f"P {n}": [face] for n in range(3 * FIRST_COUNT)}
    # The right person is hidden by a crowd of people who are excluded by what they are not.
    not_them = {name: [moved(face, 0.25, np.random.default_rng(7))] for name in equal}
    both.add({**equal, "Right": [moved(face, 0.5, np.random.default_rng(8))], "Far": [stranger]}, not_them)
    found = both.check(not_them["P 0"][0])
    assert [each.person.name for each in found.candidates] == ["Right", "Far"]
    assert max(counts) > FIRST_COUNT
    assert DECISION.identify(both.check(face)).verdict == "ambiguous"


def test_numbers_of_pictures_have_their_own_limits(both: BothGalleries) -> None:
    random = np.random.default_rng(9)
    face = random_faces(1, 10)[0]
    both.add({f"P {n}": [moved(face, 0.6, random) for _ in range(1 + n % 8)] for n in range(60)})
    for _ in range(20):
        probe = moved(face, 0.8, random)
        both.check(probe, np.array([np.inf, *random.uniform(0.3, 0.9, 5)], np.float32))


def test_all_comparisons_are_alike(both: BothGalleries) -> None:
    random = np.random.default_rng(11)
    faces = random_faces(50, 12)
    people = {f"P {n}": [face] for n, face in enumerate(faces)}
    people |= {f"Twin {n}": [moved(faces[n], 0.05 + 0.01 * n, random)] for n in range(30)}
    both.add(people, {f"Twin {n}": [moved(faces[n], 0.001, random)] for n in range(10)})
    memory, database = both.memory, both.database
    slugs = list(memory.people())
    limits = DECISION.similarity_limits(len(memory))
    assert database.lookalikes(slugs, limits) == memory.lookalikes(slugs, limits) != set()
    assert database.lookalikes(["p_20", "nobody"], limits) == memory.lookalikes(["p_20", "nobody"], limits)
    assert memory.by_age() == database.by_age()
    for slug in slugs:
        one, other = memory.closest_to(slug, limits), database.closest_to(slug, limits)
        assert one is not None
        assert other is not None
        assert other.person == one.person
        pair = memory.compare_people(slug, "p_1"), database.compare_people(slug, "p_1")
        claim = memory.compare_person(slug, faces[2]), database.compare_person(slug, faces[2])
        for mine, theirs in ((one, other), pair, claim):
            assert theirs.similarity == pytest.approx(mine.similarity, abs=ROUNDING)
            assert (theirs.person, theirs.pictures) == (mine.person, mine.pictures)
    for unknown in (database.compare_person, database.closest_to):
        with pytest.raises(UnknownPerson):
            unknown("nobody", faces[0])


def test_few_people_are_found_alike(both: BothGalleries) -> None:
    face, other = random_faces(2, 13)
    assert both.check(face) == Nearest((), 0)
    both.add({"Ada": [face]})
    both.check(face)
    both.check(other)
    both.add({"Ben": [other]})
    both.check(face)
    both.check(other)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_opposite_pictures_of_a_person_match_nobody(both: BothGalleries) -> None:
    """The mean of such pictures is undefined."""
    face, other = random_faces(2, 14)
    both.add({"Ada": [face], "Ben": [other]})
    both.store.people.enrol("Nil", [_picture("n0", face), _picture("n1", -face)], REST_CALLER)
    both.memory.apply(both.store.faces.changes(0, RECIPE))
    both.database.apply(both.vectors.changes(0))
    limits = DECISION.similarity_limits(3)
    for gallery in (both.memory, both.database):
        assert names(gallery.nearest(face, limits)) == ["ada", "ben"]


def test_removed_person_is_never_found(both: BothGalleries) -> None:
    face, other, third = random_faces(3, 15)
    both.add({"Ada": [face], "Ben": [other], "Cyd": [third]})
    both.database.compare_person("ada", face)
    # The store has removed the person, and the gallery has not followed.
    both.store.people.remove("ada", REST_CALLER, erase=True)
    assert names(both.database.nearest(face, NO_LIMITS)) == ["ben", "cyd"]
    both.follow()
    with pytest.raises(UnknownPerson):
        both.database.compare_person("ada", face)


def test_removal_during_a_search_is_followed(both: BothGalleries, monkeypatch: pytest.MonkeyPatch) -> None:
    face, other, third = random_faces(3, 16)
    both.add({"Ada": [face], "Ben": [other], "Cyd": [third]})
    find: Callable[..., Any] = both.vectors.find
    removed: list[object] = []

    def find_and_remove(*arguments: Any) -> Any:
        found = find(*arguments)
        if not removed:
            removed.append(both.store.people.remove("ada", REST_CALLER))
            both.follow()
        return found

    monkeypatch.setattr(both.vectors, "find", find_and_remove)
    assert names(both.database.nearest(face, NO_LIMITS)) == ["ben", "cyd"]


def test_person_who_is_not_followed_yet_is_not_found(both: BothGalleries) -> None:
    face, other = random_faces(2, 17)
    both.add({"Ada": [face], "Ben": [other]})
    both.store.people.enrol("New", [_picture("new", face)], REST_CALLER)
    assert names(both.database.nearest(face, NO_LIMITS)) == ["ada", "ben"]
    both.follow()
    both.check(face)


def test_search_is_busy_while_the_database_is_away(both: BothGalleries, postgres_server: PostgresServer) -> None:
    face, other = random_faces(2, 18)
    both.add({"Ada": [face], "Ben": [other]})
    both.check(face)
    postgres_server.stop()
    try:
        with pytest.raises(Busy, match="cannot be reached now"):
            both.database.nearest(face, DECISION.similarity_limits(2))
        with pytest.raises(Busy, match="cannot be reached now"):
            both.database.compare_person("ben", face)
        assert both.database.find_name("ada") == "Ada"
    finally:
        postgres_server.start()
    both.check(face)


def test_sighting_is_decided_when_the_database_is_back(both: BothGalleries, postgres_server: PostgresServer) -> None:
    face, other = random_faces(2, 19)
    both.add({"Ada": [face], "Ben": [other]})
    decision, evidence = SightingDecision(both.database, DECISION), Evidence()
    seen = FoundFace(BOX, face, quality=QUALITY)
    postgres_server.stop()
    try:
        assert decision.add_face(evidence, seen, 0.0) is None
        assert decision.decide_waiting(evidence, math.inf) is None
    finally:
        postgres_server.start()
    judgement = decision.decide_waiting(evidence, math.inf)
    assert judgement is not None
    assert judgement.person == Person("ada", "Ada")
    # The name stays while the evidence cannot be compared again.
    postgres_server.stop()
    try:
        random = np.random.default_rng(20)
        for moment in range(1, 6):
            again = FoundFace(BOX, moved(other, 0.2, random), quality=QUALITY)
            assert decision.add_face(evidence, again, float(moment)) is None
        assert evidence.person == "ada"
    finally:
        postgres_server.start()


def test_groups_of_strangers_are_compared_again_only_after_a_change(both: BothGalleries, counts: list[int]) -> None:
    faces = random_faces(4, 21)
    both.add({"Ada": [faces[0]], "Ben": [faces[1]]})
    groups = [UnknownGroup(n, 0.0, 0.0, 1, ["porch"], [(1.0, StoredFace(faces[n], None))]) for n in (2, 3)]
    comparison = GroupComparison(both.database, DECISION)
    assert comparison.find_enrolled(groups) == comparison.find_enrolled(groups) == set()
    assert len(counts) == 2
    both.add({"Cyd": [faces[2]]})
    assert comparison.find_enrolled(groups) == {2}
    assert len(counts) == 4
