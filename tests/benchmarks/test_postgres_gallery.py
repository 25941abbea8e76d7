from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from benchmarks import gallery, postgres_gallery
from device_sim.postgres_server import PostgresServer

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
    if not postgres_server.has_vectors():
        pytest.skip("this PostgreSQL has no pgvector")
    for name in ("database_ms", "database_claim_ms", "database_start_s", "database_rss_mb", "fill_s"):
        assert found[name] > 0
