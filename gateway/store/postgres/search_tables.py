"""The tables of the vectors that PostgreSQL compares by itself, with the extension pgvector.

Most stores do not have these tables: they are made on request, and dropped when nobody wants them any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import Busy, ConfigError, GatewayError
from gateway.store.postgres.database import PostgresConnection, PostgresDatabase
from gateway.store.postgres.schema import SCHEMA

TABLES = ("search_vectors", "search_state")
"""The vectors, and a row that says which ones they are. A dump without both is complete."""

# Removing a person removes the vector in the same statement. A plain value is read without another access.
# Statistics of the planner would have vectors of erased people.
_CREATE = """
CREATE TABLE search_vectors (
    person BIGINT PRIMARY KEY REFERENCES people ON DELETE CASCADE,
    pictures SMALLINT NOT NULL,
    bonus DOUBLE PRECISION NOT NULL,
    half {schema}.halfvec({dimensions}) NOT NULL
);
ALTER TABLE search_vectors ALTER half SET STORAGE PLAIN, ALTER half SET STATISTICS 0, ALTER bonus SET STATISTICS 0
"""
_CREATE_STATE = """
CREATE TABLE IF NOT EXISTS search_state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    recipe TEXT COLLATE "C" NOT NULL,
    correction TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    complete BOOLEAN NOT NULL
)
"""
_STATE = """
SELECT recipe, correction, s.revision, complete, CAST(value AS BIGINT) FROM search_state s, meta
WHERE key = 'revision'
"""
_WRITE = """
INSERT INTO search_vectors (person, pictures, bonus, half)
SELECT person, pictures, bonus, CAST(half AS {schema}.halfvec)
FROM unnest(CAST(? AS BIGINT[]), CAST(? AS BIGINT[]), CAST(? AS DOUBLE PRECISION[]), CAST(? AS TEXT[]))
    AS new (person, pictures, bonus, half)
ON CONFLICT (person) DO UPDATE SET pictures = excluded.pictures, bonus = excluded.bonus, half = excluded.half
"""
_FIND_SCHEMA = "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector'"
_IS_AVAILABLE = "SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"


@dataclass(frozen=True, slots=True)
class SearchState:
    """The state of the vectors.

    ``recipe``, ``correction``: of the vectors. They are those of all changes up to ``revision``, and people changed
    up to ``newest``. ``complete``: they have been those of everybody once.
    """

    recipe: str
    correction: str
    revision: int
    complete: bool
    newest: int

    def describes(self, recipe: str, correction: str) -> bool:
        """Return whether the vectors are of this recipe, with this correction."""
        return (self.recipe, self.correction) == (recipe, correction)


def prepare_pgvector(database: PostgresDatabase) -> str:
    """Create the extension if it is missing. Return its schema. Raise ConfigError, with a sentence about what to do."""
    place = f"gallery.in_memory needs the extension pgvector, 0.7 or later, in PostgreSQL at {database.address.place}"
    advice = (
        "install its package on the machine of the database, such as postgresql-17-pgvector, and run `CREATE EXTENSION"
        " vector` in this database as a superuser; or remove gallery.in_memory"
    )
    if database.row(_FIND_SCHEMA) is None:
        if database.row(_IS_AVAILABLE) is None:
            raise ConfigError(f"{place}, and the server does not have it: {advice}.")
        try:
            with database.transaction() as db:
                db.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except Busy:
            raise
        except GatewayError as error:
            raise ConfigError(f"{place}, and it cannot be created ({error}): {advice}.") from None
    (schema,) = database.row(_FIND_SCHEMA) or ("",)
    if database.row(f"SELECT to_regtype('{schema}.halfvec')::text") == (None,):
        raise ConfigError(f"{place}, and an older one is installed, without the type halfvec: {advice}.")
    return str(schema)


def find_schema(database: PostgresDatabase) -> str | None:
    """Return the schema of the extension, None if it is not in the database."""
    row = database.row(_FIND_SCHEMA)
    return None if row is None else str(row[0])


def has_tables(database: PostgresDatabase) -> bool:
    """Return whether the tables have been made. The one of the vectors may be dropped again."""
    return database.row(f"SELECT to_regclass('{SCHEMA}.search_state')::text") != (None,)


def create_tables(db: PostgresConnection, schema: str, dimensions: int, recipe: str, correction: str) -> None:
    """Make empty tables, in place of older ones."""
    db.execute("DROP TABLE IF EXISTS search_vectors")
    db.execute(_CREATE.format(schema=schema, dimensions=dimensions))
    db.execute(_CREATE_STATE)
    db.execute("DELETE FROM search_state")
    db.execute("INSERT INTO search_state VALUES (1, ?, ?, 0, FALSE)", (recipe, correction))


def drop_tables(db: PostgresConnection) -> bool:
    """Delete all vectors, with the files that contain them. Return whether there were any."""
    if db.execute(f"SELECT to_regclass('{SCHEMA}.search_vectors')::text").fetchone() == (None,):
        return False
    # The table of the state stays: another process may look into it within a change.
    db.execute("DROP TABLE search_vectors; DELETE FROM search_state")
    return True


def read_state(database: PostgresDatabase) -> SearchState | None:
    """Return the state, None if there are no vectors. The tables must have been made."""
    row = database.row(_STATE)
    return None if row is None else SearchState(*row)


def write_state(db: PostgresConnection, revision: int, *, complete: bool) -> None:
    db.execute("UPDATE search_state SET revision = ?, complete = ?", (revision, complete))


def write_vectors(
    db: PostgresConnection,
    schema: str,
    keys: NDArray[np.int64],
    pictures: NDArray[np.int64],
    bonus: NDArray[np.float32],
    descriptors: NDArray[np.float32],
) -> None:
    """Write the vectors of people, in place of their older ones."""
    # Of a person whose mean is undefined nothing can be compared.
    sound = np.isfinite(descriptors).all(axis=1) & np.isfinite(bonus)
    delete_vectors(db, keys[~sound].tolist())
    texts = list(map(vector_text, descriptors[sound]))
    columns: Sequence[Any] = (keys[sound].tolist(), pictures[sound].tolist(), bonus[sound].tolist(), texts)
    db.execute(_WRITE.format(schema=schema), columns)


def delete_vectors(db: PostgresConnection, keys: Sequence[int]) -> None:
    """Delete the vectors of people."""
    if keys:
        db.execute("DELETE FROM search_vectors WHERE person = ANY(CAST(? AS BIGINT[]))", (list(keys),))


def vector_text(descriptor: NDArray[np.float32]) -> str:
    """Return a vector as pgvector reads it, rounded to half precision."""
    # Five digits distinguish all numbers of half precision.
    return "[" + ",".join([f"{number:.5g}" for number in descriptor.astype(np.float16).tolist()]) + "]"
