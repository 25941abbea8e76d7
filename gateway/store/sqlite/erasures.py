"""The erasures of a store, which a backup that replaces the store must repeat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.store.relational.removal_marks import RelationalRemovalMarks
from gateway.store.relational.writes import delete_person, delete_picture, has_showing_picture
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.meta import read_meta


@dataclass(frozen=True, slots=True)
class Erasures:
    """The keyed digests of all erased pictures and names, and the secret that keys the digests."""

    digests: Iterable[bytes]
    secret: bytes


def read_erasures(database: Database) -> Erasures:
    """Return the erasures of a store. Raise ValueError if it is damaged, and GatewayError."""
    rows = database.rows("SELECT digest FROM tombstones WHERE erased")
    return Erasures([digest for (digest,) in rows], bytes(read_meta(database, "secret", bytes)))


def apply_erasures(database: Database, erasures: Erasures) -> None:
    """Erase from a backup the people who were erased from the store since. Raise GatewayError.

    The backup gets the secret of the store, and must be opened again before it is used.
    """
    marks = RelationalRemovalMarks(database, erasures.secret)
    with database.transaction() as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'secret'", (erasures.secret,))
        db.executemany("INSERT OR REPLACE INTO tombstones VALUES (?, 1)", ((each,) for each in erasures.digests))
        erased = {each for (each,) in db.execute("SELECT digest FROM tombstones WHERE erased")}
        rows = db.execute("SELECT person, digest, counter FROM pictures").fetchall()
        for person, digest, counter in rows:
            if marks.to_digest(digest) in erased and counter:
                delete_picture(db, person, digest)
            elif marks.to_digest(digest) in erased:
                db.execute("DELETE FROM pictures WHERE person = ?", (person,))
        for person in {row[0] for row in rows}:
            if not has_showing_picture(db, person):
                delete_person(db, person)
    database.scrub()
