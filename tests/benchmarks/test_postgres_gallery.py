from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import gallery, postgres_gallery
from benchmarks.gallery import batches, faces
from device_sim.postgres_server import PostgresServer
from gateway.people.similarity import CROWD_WEIGHT, typical_faces

PEOPLE = 300


def test_all_figures_are_measured(monkeypatch: pytest.MonkeyPatch, postgres_server: PostgresServer) -> None:
    # The fixture shows that a server can run here. The benchmark starts its own.
    assert postgres_server.is_running
    monkeypatch.setattr(postgres_gallery, "ENROLMENTS", 3)
    words = ["--store", "postgres", "--people", str(PEOPLE), "--rounds", "1", "--json"]
    done = CliRunner().invoke(gallery.main, words, catch_exceptions=False)
    (found,) = json.loads(done.stdout)
    assert (found["people"], found["exact"]) == (PEOPLE, True)
    assert 0 < found["follow_ms"]["median"] <= found["follow_ms"]["p95"]
    for name in ("import_per_s", "start_s", "rss_mb", "memory_ms", "enrolments_per_s"):
        assert found[name] > 0
    assert (found["database_ms"] is not None) == postgres_server.has_vectors()


def test_check_notices_a_missed_person_and_a_wrong_similarity() -> None:
    probe, typical = faces(PEOPLE)[0], typical_faces()
    known = np.concatenate(list(batches(PEOPLE)))
    alike = known @ probe - CROWD_WEIGHT * (known @ typical.T).max(axis=1)
    best = [(int(row), float(alike[row])) for row in np.argsort(-alike)[:3]]
    postgres_gallery._check_found(best[:2], PEOPLE, probe, typical)
    with pytest.raises(AssertionError, match="is more alike"):
        postgres_gallery._check_found(best[1:], PEOPLE, probe, typical)
    with pytest.raises(AssertionError, match="is alike by"):
        postgres_gallery._check_found(
            [(row, similarity + 0.01) for row, similarity in best[:2]], PEOPLE, probe, typical
        )
