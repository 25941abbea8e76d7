"""A store in PostgreSQL with many people: enrolment, following, start and search.

``python -m benchmarks.gallery --store postgres --json`` runs it. The server is one of its own, and each commit waits
for the disk. Two stores are open, as two gateways have them. The second one follows the first by LISTEN, and the delay
is the time from the end of an enrolment until the second gallery has the person.

The search in the database is pgvector without an index, so that it is exact, in a table with half precision. The best
people by half precision are compared again in full precision. All answers are compared with brute force.
"""

from __future__ import annotations

import hashlib
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from benchmarks.gallery import (
    RECIPE,
    ROUNDING,
    Vectors,
    batches,
    check,
    facegate,
    faces,
    fill,
    lap_ms,
    measure_start_in_process,
    open_gallery,
    open_store,
)
from device_sim.postgres_server import PostgresServer
from gateway.model.caller import CLI_CALLER
from gateway.people.gallery import Gallery
from gateway.people.similarity import CROWD_WEIGHT, typical_faces
from gateway.periodic_thread import PeriodicThread
from gateway.store.protocols import Store
from gateway.store.records import Picture, StoredFace

ENROLMENTS = 200
"""Single enrolments that are timed, each followed by the second store."""

FOLLOW_TIMEOUT_S = 60.0
CANDIDATES = 20
"""The best people by half precision that are compared again."""

SEARCHES_PER_ROUND = 8


def measure_all(people: Sequence[int], rounds: int) -> list[dict[str, Any]]:
    """Measure a store with each number of people."""
    with PostgresServer(durable=True) as server:
        return [_measure(server, count, rounds) for count in people]


def _measure(server: PostgresServer, people: int, rounds: int) -> dict[str, Any]:
    url = server.create_database()
    import_per_s = fill(url, people)
    # The first opening after the import moves its lines to the audit, which is no part of a start.
    open_store(url).close()
    start = measure_start_in_process(url)
    store, gallery = open_gallery(url)
    probes = faces(people)
    with closing(store):
        check(gallery, people, probes)
        search = facegate(gallery)
        search(probes[0])
        memory_ms = statistics.median(lap_ms(search, list(probes)) for _ in range(rounds))
    found = {
        "people": people,
        "import_per_s": round(import_per_s),
        "start_s": round(start["start_s"], 3),
        "rss_mb": round(start["rss_mb"]),
        "memory_ms": round(memory_ms, 3),
        "database_ms": _measure_database(server, url, people, probes, rounds),
        "exact": True,
    }
    return {**found, **_measure_enrolments(url, people)}


def _measure_enrolments(url: str, people: int) -> dict[str, Any]:
    """Return the enrolments a second, and the delay until another store follows."""
    most = people + 2 * ENROLMENTS
    with closing(open_store(url, most)) as one, _following(url) as gallery:
        begun = time.perf_counter()
        for number in range(ENROLMENTS):
            _enrol(one, people + number)
        per_s = ENROLMENTS / (time.perf_counter() - begun)
        _wait_for(gallery, people + ENROLMENTS)
        delays = []
        for number in range(ENROLMENTS, 2 * ENROLMENTS):
            _enrol(one, people + number)
            begun = time.perf_counter()
            _wait_for(gallery, people + number + 1)
            delays.append(1000 * (time.perf_counter() - begun))
    median, p95 = np.percentile(delays, [50, 95])
    return {"enrolments_per_s": round(per_s), "follow_ms": {"median": round(median, 1), "p95": round(p95, 1)}}


def _enrol(store: Store, number: int) -> None:
    descriptor = np.random.default_rng([2, number]).standard_normal(128).astype(np.float32)
    face = StoredFace(descriptor / np.linalg.norm(descriptor), None)
    digest = hashlib.sha256(f"enrolled {number}".encode()).hexdigest()
    store.people.enrol(f"Enrolled {number}", [Picture(digest, "rest", RECIPE, face)], CLI_CALLER)


@contextmanager
def _following(url: str) -> Iterator[Gallery]:
    """Give a gallery that follows the store as the one of another gateway does."""
    store, gallery = open_gallery(url)
    revision = store.faces.revision()
    lock = threading.Lock()

    def follow() -> None:
        nonlocal revision
        with lock:
            while store.faces.revision() != revision:
                changes = store.faces.changes(revision, RECIPE)
                gallery.apply(changes)
                revision = changes.revision

    thread = PeriodicThread("people", 0.5, follow, "the store cannot be followed")
    with closing(store):
        thread.start()
        stop = store.listen(thread.wake)
        try:
            yield gallery
        finally:
            stop()
            thread.stop()


def _wait_for(gallery: Gallery, people: int) -> None:
    end = time.monotonic() + FOLLOW_TIMEOUT_S
    while len(gallery) < people:
        assert time.monotonic() < end, f"the second gallery has {len(gallery)} people, not {people}"
        time.sleep(0.0005)


def _measure_database(server: PostgresServer, url: str, people: int, probes: Vectors, rounds: int) -> float | None:
    """Return the milliseconds of a search in the database, None if the server has no pgvector."""
    if not server.has_vectors():
        return None
    typical = typical_faces()
    with psycopg.connect(url, autocommit=True) as db:
        _write_vectors(db, people, typical)
        for probe in probes:
            _check_found(_search(db, probe), people, probe, typical)
        laps = []
        for _ in range(rounds):
            begun = time.perf_counter()
            for probe in probes[:SEARCHES_PER_ROUND]:
                _search(db, probe)
            laps.append(1000 * (time.perf_counter() - begun) / SEARCHES_PER_ROUND)
        db.execute("DROP TABLE searched")
    return round(statistics.median(laps), 3)


def _write_vectors(db: psycopg.Connection[Any], people: int, typical: Vectors) -> None:
    db.execute("CREATE EXTENSION IF NOT EXISTS vector")
    db.execute(
        "CREATE TABLE searched (id bigint, half halfvec(128), exact vector(128) NOT NULL, crowd double precision);"
        # As plain values of the row: a value beside the row takes another read.
        " ALTER TABLE searched ALTER half SET STORAGE PLAIN, ALTER exact SET STORAGE PLAIN;"
        " SET max_parallel_workers_per_gather = 0"
    )
    number = 0
    with db.cursor().copy("COPY searched FROM STDIN") as copy:
        for batch in batches(people):
            crowds = (batch @ typical.T).max(axis=1)
            for descriptor, crowd in zip(batch, crowds.tolist(), strict=True):
                text = _text(descriptor)
                copy.write_row((number, text, text, crowd))
                number += 1
    db.execute("VACUUM ANALYZE searched")


# The similarity as in people/similarity.py, without the terms that are the same for all people.
_SEARCH = f"""
WITH best AS MATERIALIZED (
    SELECT id, exact, crowd FROM searched
    ORDER BY (half <#> %(half)s::halfvec) + {CROWD_WEIGHT} * crowd LIMIT {CANDIDATES}
)
SELECT id, -(exact <#> %(probe)s::vector) - {CROWD_WEIGHT} * crowd AS alike FROM best ORDER BY alike DESC LIMIT 2
"""  # noqa: S608 (constants)


def _search(db: psycopg.Connection[Any], probe: Vectors) -> list[tuple[int, float]]:
    text = _text(probe)
    return db.execute(_SEARCH, {"half": text, "probe": text}).fetchall()


def _check_found(found: list[tuple[int, float]], people: int, probe: Vectors, typical: Vectors) -> None:
    """Check that the two best people were found, by a separate computation in float64."""
    exact, crowd = probe.astype(np.float64), typical.astype(np.float64)
    alike: NDArray[np.float64] = np.concatenate(
        [
            batch.astype(np.float64) @ exact - CROWD_WEIGHT * (batch.astype(np.float64) @ crowd.T).max(axis=1)
            for batch in batches(people)
        ]
    )
    for (row, similarity), right in zip(found, np.argsort(-alike)[:2].tolist(), strict=True):
        assert alike[row] > alike[right] - ROUNDING, f"{row} was found, and {right} is more alike"
        assert abs(similarity - alike[right]) < ROUNDING, f"{right} is alike by {alike[right]}, not {similarity}"


def _text(descriptor: Vectors) -> str:
    return "[" + ",".join(map(str, descriptor.tolist())) + "]"
