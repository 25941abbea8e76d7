from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import gallery as benchmark
from benchmarks.gallery import RECIPE, Vectors, batches, check, faces, fill, lap_ms, opened, started
from benchmarks.snapshots import roll
from gateway.model import Person
from gateway.model.caller import Caller
from gateway.people.gallery import Gallery
from gateway.people.similarity import Similarity, typical_faces
from gateway.store.records import Changes, ExportedPerson
from gateway.store.sqlite.archive import SqlitePeopleArchive

PEOPLE = 1_300


def everybody() -> Vectors:
    return np.concatenate(list(batches(PEOPLE)))


def filled(known: Vectors, *, plain: bool = False) -> Gallery:
    """People are called by their row from 0 on, as those of the benchmark are."""
    gallery = Gallery(Similarity(None if plain else typical_faces()))
    people = [Person(f"p{row}", f"Person {row}") for row in range(len(known))]
    gallery.apply(Changes(1, replace(roll(known), people=people), ()))
    return gallery


def test_the_same_people_are_made_each_time_and_in_batches() -> None:
    sizes = [len(batch) for batch in batches(PEOPLE)]
    assert sizes == [1_000, 300]
    assert (everybody() == everybody()).all()
    assert (everybody()[:1_100] == np.concatenate(list(batches(1_100)))).all()
    assert np.linalg.norm(everybody(), axis=1) == pytest.approx(1, abs=1e-5)
    assert len(np.unique(everybody()[:, 0])) == PEOPLE


def test_half_of_the_probes_are_of_somebody() -> None:
    cosines = (faces(PEOPLE) @ everybody().T).max(axis=1)
    assert (cosines > 0.7).tolist() == [True] * 4 + [False] * 4


def test_the_search_is_exact() -> None:
    check(filled(everybody()), PEOPLE, faces(PEOPLE))


@pytest.mark.parametrize("place", [0, 1])
def test_who_is_missed_by_a_search_is_noticed(place: int) -> None:
    """The best or the next best of a probe is somewhere else."""
    known, probe = everybody(), faces(PEOPLE)[:1]
    found = filled(known).nearest(probe[0], np.zeros(6, np.float32)).candidates[place]
    known[int(found.person.name.split()[-1])] *= -1
    with pytest.raises(AssertionError, match="more alike"):
        check(filled(known), PEOPLE, probe)


def test_another_similarity_or_a_shorter_gallery_is_noticed() -> None:
    with pytest.raises(AssertionError, match="alike"):
        check(filled(everybody(), plain=True), PEOPLE, faces(PEOPLE))
    with pytest.raises(AssertionError, match="people were searched"):
        check(filled(everybody()[:-1]), PEOPLE, faces(PEOPLE))


def test_a_store_is_filled_and_opened(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    assert fill(path, PEOPLE) > 0
    store, gallery = opened(path)
    with closing(store):
        kept, descriptors = store.faces.read_faces(RECIPE)
    rows = [int(person.name.split()[-1]) for person in kept]
    assert sorted(rows) == list(range(PEOPLE))
    assert (descriptors == everybody()[rows]).all()
    check(gallery, PEOPLE, faces(PEOPLE))
    begun = started(path)
    assert begun["start_s"] > 0
    assert 10 < begun["rss_mb"] < 10_000


def test_people_are_not_held_in_memory_while_they_are_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A batch is imported before the next is made."""
    events: list[str] = []
    adopt = SqlitePeopleArchive.import_people

    def made(people: int) -> Iterator[Vectors]:
        for batch in batches(people):
            events.append("made")
            yield batch

    def adopted(archive: SqlitePeopleArchive, people: Iterator[ExportedPerson], caller: Caller) -> int:
        events.append("imported")
        return adopt(archive, people, caller)

    monkeypatch.setattr(benchmark, "BATCH", 10)
    monkeypatch.setattr(benchmark, "batches", made)
    monkeypatch.setattr(SqlitePeopleArchive, "import_people", adopted)
    fill(tmp_path / "people.sqlite", 25)
    assert events == ["made", "imported"] * 3


def test_a_lap_is_per_search() -> None:
    searched: list[float] = []
    ticks = iter([1.0, 3.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "perf_counter", lambda: next(ticks))
        assert lap_ms(lambda probe: searched.append(float(probe[0])), list(np.eye(4, dtype=np.float32))) == 500
    assert searched == [1, 0, 0, 0]


def test_json_is_one_document_and_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_without_json_it_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "start", started)  # in this process: a start of Python less
    result = CliRunner().invoke(benchmark.main, ["--people", "1500", "--rounds", "1"], catch_exceptions=False)
    assert "1,500" in result.stdout
    assert "ratio" in result.stdout
