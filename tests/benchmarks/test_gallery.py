from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import gallery as benchmark
from benchmarks import gallery_people
from benchmarks.gallery import check, lap_ms, measure_start
from benchmarks.gallery_people import RECIPE, Vectors, batches, faces, fill, open_gallery
from benchmarks.snapshots import snapshot_of
from gateway.model import Person
from gateway.model.caller import Caller
from gateway.people.gallery import Gallery
from gateway.people.similarity import Similarity, typical_faces
from gateway.store.records import Changes, ExportedPerson
from gateway.store.relational.archive import RelationalPeopleArchive
from tests.support import set_clock

PEOPLE = 1_300


def all_people() -> Vectors:
    return np.concatenate(list(batches(PEOPLE)))


def filled(known: Vectors, *, plain: bool = False) -> Gallery:
    """Return a gallery. People are named by their row from 0, as in the benchmark."""
    gallery = Gallery(Similarity(None if plain else typical_faces()))
    people = [Person(f"p{row}", f"Person {row}") for row in range(len(known))]
    gallery.apply(Changes(1, replace(snapshot_of(known), people=people), ()))
    return gallery


def test_batches_are_the_same_at_each_call() -> None:
    sizes = [len(batch) for batch in batches(PEOPLE)]
    assert sizes == [1_000, 300]
    assert (all_people() == all_people()).all()
    assert (all_people()[:1_100] == np.concatenate(list(batches(1_100)))).all()
    assert np.linalg.norm(all_people(), axis=1) == pytest.approx(1, abs=1e-5)
    assert len(np.unique(all_people()[:, 0])) == PEOPLE


def test_half_of_the_probes_are_of_enrolled_people() -> None:
    cosines = (faces(PEOPLE) @ all_people().T).max(axis=1)
    assert (cosines > 0.7).tolist() == [True] * 4 + [False] * 4


def test_check_accepts_the_gallery() -> None:
    check(filled(all_people()), PEOPLE, faces(PEOPLE))


@pytest.mark.parametrize("place", [0, 1])
def test_check_notices_a_missed_person(place: int) -> None:
    """The most similar, or the second most similar person of a probe is missing."""
    known, probe = all_people(), faces(PEOPLE)[:1]
    found = filled(known).nearest(probe[0], np.zeros(6, np.float32)).candidates[place]
    known[int(found.person.name.split()[-1])] *= -1
    with pytest.raises(AssertionError, match="more alike"):
        check(filled(known), PEOPLE, probe)


def test_check_notices_another_similarity_or_a_missing_person() -> None:
    with pytest.raises(AssertionError, match="alike"):
        check(filled(all_people(), plain=True), PEOPLE, faces(PEOPLE))
    with pytest.raises(AssertionError, match="people were searched"):
        check(filled(all_people()[:-1]), PEOPLE, faces(PEOPLE))


def test_store_is_filled_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    assert fill(path, PEOPLE) > 0
    store, gallery = open_gallery(path)
    with closing(store):
        kept, descriptors = store.faces.read_faces(RECIPE)
    rows = [int(person.name.split()[-1]) for person in kept]
    assert sorted(rows) == list(range(PEOPLE))
    assert (descriptors == all_people()[rows]).all()
    check(gallery, PEOPLE, faces(PEOPLE))
    begun = measure_start(path, in_database=False)
    assert begun["start_s"] > 0
    assert 10 < begun["rss_mb"] < 10_000


def test_fill_imports_people_in_batches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A batch is imported before the next one is created."""
    events: list[str] = []
    adopt = RelationalPeopleArchive.import_people

    def made(people: int) -> Iterator[Vectors]:
        for batch in batches(people):
            events.append("made")
            yield batch

    def adopted(archive: RelationalPeopleArchive, people: Iterator[ExportedPerson], caller: Caller) -> int:
        events.append("imported")
        return adopt(archive, people, caller)

    monkeypatch.setattr(gallery_people, "BATCH_PEOPLE", 10)
    monkeypatch.setattr(gallery_people, "batches", made)
    monkeypatch.setattr(RelationalPeopleArchive, "import_people", adopted)
    fill(tmp_path / "people.sqlite", 25)
    assert events == ["made", "imported"] * 3


def test_lap_ms_is_per_search() -> None:
    measure_searches: list[float] = []
    ticks = iter([1.0, 3.0])
    with pytest.MonkeyPatch.context() as patch:
        set_clock(patch, benchmark, perf_counter=lambda: next(ticks))
        assert lap_ms(lambda probe: measure_searches.append(float(probe[0])), list(np.eye(4, dtype=np.float32))) == 500
    assert measure_searches == [1, 0, 0, 0]


def test_gallery_prints_one_json_document_and_removes_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = CliRunner().invoke(
        benchmark.main, ["--people", "30", "--people", "2", "--rounds", "1", "--json"], catch_exceptions=False
    )
    document = json.loads(result.stdout)
    assert [each["people"] for each in document] == [30, 2]
    for each in document:
        assert list(each) == ["people", "stock_ms", "facegate_ms", "ratio", "rss_mb", "import_per_s", "start_s"]
        assert min(each.values()) > 0
    assert not list(tmp_path.iterdir())


def test_gallery_prints_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        benchmark, "measure_start_in_process", partial(measure_start, in_database=False)
    )  # in this process: a start of Python less
    result = CliRunner().invoke(benchmark.main, ["--people", "1500", "--rounds", "1"], catch_exceptions=False)
    assert "1,500" in result.stdout
    assert "ratio" in result.stdout
