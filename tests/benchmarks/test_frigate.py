"""A short run of the bench with Frigate: its events come over a real broker to a real gateway process."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.frigate import run
from tests.support import prepare_data_folder


@pytest.mark.extra
def test_known_people_are_named_and_nobody_else(tmp_path: Path) -> None:
    prepare_data_folder(tmp_path / "data")
    found = run(tmp_path, minutes=0.1, events=12, versions=["0.18"], seed=3, short=True)
    assert found["names_wrong"] == 0
    assert found["names_missed"] == {}
    assert found["names_written"] == found["names_expected"] >= 2
    assert found["counts"]["frigate_names"] == found["names_written"]
    assert found["kept"]["gateway never ended"]
