from __future__ import annotations

from contextlib import closing
from pathlib import Path

from benchmarks.people_pages import fill, summary
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.sqlite import open_store


def test_store_is_filled_with_people_who_have_chips(tmp_path: Path) -> None:
    fill(tmp_path / "data", 3, 2)
    with closing(open_store(tmp_path / "data", Cipher(None), PeopleLimits())) as store:
        entries = store.people.list_entries()
        assert [(entry.person.name, entry.picture_count) for entry in entries] == [(f"Person {n}", 2) for n in range(3)]
        assert store.people.count_people(containing="son 1") == 1
        assert store.people.count_people() == 3


def test_summary_has_the_median_and_the_slowest_page() -> None:
    found = summary([1.0, 9.0, 2.0])
    assert (found["pages"], found["p50_ms"], found["worst_ms"]) == (3, 2.0, 9.0)
