"""A store in PostgreSQL with many people: enrolment, following, start and search.

``python -m benchmarks.gallery --store postgres --json`` runs it. The server is one of its own, and each commit waits
for the disk. Two stores are open, as two gateways have them. The second one follows the first by LISTEN, and the delay
is the time from the end of an enrolment until the second gallery has the person.

The search in the database is that of ``gallery.in_memory: 0`` (people/database_search.py). All answers, in memory and
in the database, are compared with brute force.
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

from benchmarks.gallery import check, facegate, lap_ms, measure_start_in_process
from benchmarks.gallery_people import RECIPE, Vectors, faces, fill, open_database_gallery, open_gallery, open_store
from device_sim.postgres_server import PostgresServer
from gateway.model.caller import CLI_CALLER
from gateway.people.gallery import Gallery
from gateway.periodic_thread import PeriodicThread
from gateway.store.postgres.opening import drop_search_vectors
from gateway.store.protocols import Store
from gateway.store.records import Picture, StoredFace

ENROLMENTS = 200
"""Single enrolments that are timed, each followed by the second store."""

FOLLOW_TIMEOUT_S = 60.0
CLAIMS = 200
"""People who are compared with one face each, as for the claim to be one of them."""


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
        **_measure_database(server, url, people, probes, rounds),
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


def _measure_database(server: PostgresServer, url: str, people: int, probes: Vectors, rounds: int) -> dict[str, Any]:
    """Return the figures of the gateway's search in the database; nothing if the server has no pgvector."""
    if not server.has_vectors():
        return {"database_ms": None}
    begun = time.perf_counter()
    open_database_gallery(url)[0].close()
    fill_s = time.perf_counter() - begun
    with psycopg.connect(url, autocommit=True) as db:
        # As autovacuum does within a minute.
        db.execute("VACUUM ANALYZE facegate.search_vectors")
    start = measure_start_in_process(url, in_database=True)
    store, gallery = open_database_gallery(url)
    with closing(store):
        check(gallery, people, probes)
        search = facegate(gallery)
        laps = [lap_ms(search, list(probes)) for _ in range(rounds)]
        enrolled = gallery.people()
        claims = [slug for slug, _ in zip(enrolled, range(CLAIMS), strict=False)]
        begun = time.perf_counter()
        for slug in claims:
            gallery.compare_person(slug, probes[0])
        claim_ms = 1000 * (time.perf_counter() - begun) / len(claims)
    drop_vectors(url)
    return {
        "database_ms": round(statistics.median(laps), 3),
        "database_claim_ms": round(claim_ms, 3),
        "database_start_s": round(start["start_s"], 3),
        "database_rss_mb": round(start["rss_mb"]),
        "fill_s": round(fill_s, 3),
    }


def drop_vectors(url: str) -> None:
    """Delete the vectors, as a start without gallery.in_memory does."""
    with closing(open_store(url)) as store:
        drop_search_vectors(store)
