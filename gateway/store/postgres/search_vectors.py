"""The search among people in the database itself: exact, by pgvector, in half precision.

The vectors follow each change of people within its transaction. The search reads them on connections of its own, with
shorter limits of time, and takes no lock that a change needs.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gateway.errors import Busy
from gateway.model import Person
from gateway.model.recipes import dimensions_of
from gateway.store.postgres.connections import MAX_SEARCHES, TimeLimits
from gateway.store.postgres.database import PostgresConnection, PostgresDatabase
from gateway.store.postgres.failures import RETRY_S
from gateway.store.postgres.search_tables import (
    SearchState,
    create_tables,
    delete_vectors,
    drop_tables,
    find_schema,
    has_tables,
    prepare_pgvector,
    read_state,
    vector_text,
    write_state,
    write_vectors,
)
from gateway.store.protocols.search_vectors import FoundPeople
from gateway.store.records import Changes, GallerySnapshot
from gateway.store.relational.faces import RelationalFaces

log = logging.getLogger(__name__)

SEARCH_LIMITS = TimeLimits(statement=5, answer=6)
"""The limits of a search: many frames may wait for it."""

PEOPLE_PER_STEP = 2_000
"""People whose vectors are written at a time. Until then other changes of people wait: a third of a second."""

_MADE = "vectors that are not encrypted are written into PostgreSQL for gallery.in_memory"

STEPS_PER_REPORT = 10
"""Steps between two lines of the log about the progress."""

COUNTED_PICTURES = 5
"""The largest number of pictures of one person that has a limit of its own."""

_CHANGED = """
SELECT p.id, slug, name, revision, v.person IS NOT NULL FROM people p LEFT JOIN search_vectors v ON v.person = p.id
WHERE revision > ? ORDER BY revision LIMIT ?
"""
_REMOVED = "SELECT person FROM gone WHERE revision > ?"
_FIND = """
SELECT person, surplus FROM (
    SELECT person, bonus - (half OPERATOR({schema}.<#>) CAST(? AS {schema}.halfvec))
        - (CAST(? AS DOUBLE PRECISION[]))[pictures] AS surplus
    FROM search_vectors
) found ORDER BY surplus DESC LIMIT ?
"""

Correct = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Returns the number that is added to each similarity of a person, (n,), for descriptors (n, d)."""


class PostgresSearchVectors:
    """The vectors, as store.protocols.search_vectors describes them. Several threads may share the object.

    The object takes part in the changes of the store's database (``Participant``).
    """

    def __init__(
        self,
        url: str,
        database: PostgresDatabase,
        faces: RelationalFaces,
        *,
        recipe: str,
        correct: Correct,
        correction: str,
    ) -> None:
        """``correction``: a text that differs if ``correct`` returns other numbers."""
        self._database = database
        self._faces = faces
        self._recipe = recipe
        self._dimensions = dimensions_of(recipe)
        self._correct = correct
        self._correction = correction
        self._schema = ""
        self._connections = PostgresDatabase(url, limits=SEARCH_LIMITS, most_connections=MAX_SEARCHES)
        self._search_faces = faces.on(self._connections)
        self._margin = _margin(self._dimensions)

    def close(self) -> None:
        """Close the connections of the search."""
        self._connections.close()

    def fill(self) -> None:
        """Make the vectors of all people, in steps between which others can change people.

        Raise ConfigError if the database has no pgvector.
        """
        self._schema = prepare_pgvector(self._database)
        with self._database.transaction() as db:
            if not has_tables(self._database) or self._read_state() is None:
                create_tables(db, self._schema, self._dimensions, self._recipe, self._correction)
        steps = people = 0
        (total,) = self._database.row("SELECT count(*) FROM people") or (0,)
        while True:
            with self._database.transaction() as db:
                state = self._read_state()
                if state is None or (state.complete and state.revision >= state.newest):
                    break
                revision, written = self._write_step(db, state.revision)
                write_state(db, revision, complete=state.complete or revision >= state.newest)
            people, steps = people + written, steps + 1
            if steps % STEPS_PER_REPORT == 0:
                log.info("%s, so far of %d of %d people", _MADE, people, total)
        if people:
            log.info("%s, of %d people", _MADE, people)
        self._database.add_participant(self)

    def use_existing(self) -> bool:
        """Use the vectors that another process made, if they are those of everybody. Return whether they are."""
        state = self._read_state() if has_tables(self._database) else None
        if state is None or not state.complete or (schema := find_schema(self._database)) is None:
            return False
        self._schema = schema
        self._database.add_participant(self)
        return True

    def changes(self, since: int, max_people: int = 50_000) -> Changes:
        self._follow()
        with self._database.reading() as db:
            self._check_state(self._database)
            (end,) = db.execute("SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'revision'").fetchone() or (0,)
            rows = db.execute(_CHANGED, (since, max_people)).fetchall()
            removed = [key for (key,) in db.execute(_REMOVED, (since,))]
        revision = rows[-1][3] if len(rows) == max_people else end
        present = [row for row in rows if row[4]]
        people = [Person(slug, name) for _, slug, name, *_ in present]
        keys = np.array([row[0] for row in present], np.int64)
        no_vectors = np.empty((len(people), 0), np.float32)
        no_counters = np.empty((0, 0), np.float32)
        snapshot = GallerySnapshot(
            keys, people, no_vectors, np.zeros(len(people), np.int64), no_counters, np.empty(0, np.int64)
        )
        return Changes(revision, snapshot, [*removed, *(row[0] for row in rows if not row[4])])

    def find(
        self, probe: NDArray[np.float32], limits: NDArray[np.float32], count: int, also: Collection[int] = ()
    ) -> FoundPeople:
        half = vector_text(probe)
        # The database counts from 1, and nobody without a picture has a vector.
        values = half, limits[1 : COUNTED_PICTURES + 1].astype(float).tolist(), count
        with self._connections.reading() as db:
            self._check_state(self._connections)
            found = db.execute(_FIND.format(schema=self._schema), values).fetchall()
            snapshot = self._search_faces.read_people({*also, *(key for key, _ in found)}, self._recipe)
        if len(found) < count:
            return FoundPeople(snapshot, -np.inf)
        return FoundPeople(snapshot, float(found[-1][1]) + self._margin)

    def read(self, key: int) -> GallerySnapshot:
        return self._search_faces.read_people([key], self._recipe)

    def before_commit(self) -> None:
        """Write the vectors of the people who were changed in this transaction."""
        self._follow()

    def after_commit(self) -> None:
        """Do nothing: the vectors are in the same transaction."""

    def after_rollback(self) -> None:
        """Do nothing, as after a commit."""

    def _follow(self) -> None:
        """Write the vectors of all people who were changed since. Before ``fill`` has ended, do nothing."""
        if not _is_behind(self._read_state()):
            return
        with self._database.transaction() as db:
            state = self._read_state()
            # Another process may have done it since.
            while state is not None and _is_behind(state):
                revision, _ = self._write_step(db, state.revision)
                write_state(db, revision, complete=True)
                state = replace(state, revision=revision)

    def _write_step(self, db: PostgresConnection, since: int) -> tuple[int, int]:
        """Write the vectors of the people who were changed first after a revision.

        Return the revision of the last one, and the number of the people.
        """
        changes = self._faces.changes(since, self._recipe, PEOPLE_PER_STEP)
        snapshot = changes.snapshot
        delete_vectors(db, changes.removed_keys)
        pictures = np.minimum(snapshot.pictures, COUNTED_PICTURES)
        bonus = self._correct(snapshot.descriptors)
        write_vectors(db, self._schema, snapshot.keys, pictures, bonus, snapshot.descriptors)
        return changes.revision, len(snapshot.people)

    def _read_state(self, database: PostgresDatabase | None = None) -> SearchState | None:
        """Return the state of the vectors, None if there are none of this recipe and correction."""
        state = read_state(database or self._database)
        return state if state is not None and state.describes(self._recipe, self._correction) else None

    def _check_state(self, database: PostgresDatabase) -> None:
        """Raise Busy if the vectors cannot be used."""
        if (state := self._read_state(database)) is None or not state.complete:
            raise Busy(
                "the database has no vectors to search any more: another gateway was started without gallery.in_memory,"
                " or with another recogniser; give all of them the same settings, and start this one again",
                RETRY_S,
            )


def drop_vectors(database: PostgresDatabase) -> None:
    """Delete the vectors, if there are any."""
    if has_tables(database):
        with database.transaction() as db:
            dropped = drop_tables(db)
        database.scrub()
        if dropped:
            log.info(
                "the unencrypted vectors for the search in the database were deleted: gallery.in_memory is not set"
            )


def _is_behind(state: SearchState | None) -> bool:
    return state is not None and state.complete and state.revision < state.newest


def _margin(dimensions: int) -> float:
    """Return the largest error of a similarity in half precision. The vectors have unit length."""
    # Rounding changes each number of either vector by 2**-11 of it at most, and very small ones by 2**-25.
    rounding = 2.0**-10 + 2.0**-22 + 2 * 2.0**-25 * math.sqrt(dimensions)
    # Sums of products in single precision, in the database and in memory.
    sums = 4 * dimensions * 2.0**-24
    # Lengths that are not exactly 1, and corrections in single precision.
    return 1.001 * (rounding + sums) + 1e-6
