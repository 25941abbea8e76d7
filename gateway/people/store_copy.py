"""The copy of the people store from SQLite into PostgreSQL, or back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager

from gateway.config import Settings
from gateway.errors import StartError
from gateway.model.caller import CLI_CALLER
from gateway.people.postgres_extra import extra_postgres
from gateway.people.wiring import cipher, describe_store, has_store, open_store
from gateway.store.copied_tables import StoreTables, copy_tables, count_content, count_rows
from gateway.store.limits import PeopleLimits
from gateway.store.protocols import Store
from gateway.store.sqlite import tables as sqlite_tables

NoteRows = Callable[[int], object]
"""Called with each number of rows that were copied."""


def copy_store(source: Settings, target: Settings, begin: Callable[[int], NoteRows]) -> Mapping[str, int]:
    """Copy the people store, and return the number of rows of each table. Nothing is changed after an error.

    ``begin`` is called with the number of all rows, and returns the function that is told of the progress. Nobody else
    may use the two stores. Raise GatewayError.
    """
    check_copy(source, target)
    with closing(open_store(source, PeopleLimits(), may_encrypt=False)) as store:
        store.audit.record(CLI_CALLER, "copy_store", detail=f"into {describe_store(target)}")
        _flush_audit(store)
    with _reading(source) as original, _replacing(target) as copy:
        counts = count_rows(original)
        copy_tables(original, copy, begin(sum(counts.values())))
    return counts


def count_copy(source: Settings, target: Settings) -> Mapping[str, int]:
    """Check that the store can be copied, and return the number of rows of each table. Raise GatewayError."""
    check_copy(source, target)
    with closing(open_store(source, PeopleLimits(), may_encrypt=False)):
        pass
    with _reading(source) as original:
        return count_rows(original)


def check_copy(source: Settings, target: Settings) -> None:
    """Raise StartError unless there is a store to copy, and none with any content at the target."""
    if (source.people.postgres_url is None) == (target.people.postgres_url is None):
        raise StartError(
            "One of the two stores must be sqlite, and the other one in PostgreSQL. Between two databases of"
            " PostgreSQL, use pg_dump and pg_restore."
        )
    if not has_store(source):
        raise StartError(f"There is no people store at {describe_store(source)}: nothing was copied.")
    if found := _find_content(target):
        remedy = (
            f"move these files elsewhere first: {', '.join(sqlite_tables.find_files(target.data))}"
            if target.people.postgres_url is None
            else "name another database, or remove the store with `DROP SCHEMA facegate CASCADE`"
        )
        raise StartError(
            f"The store at {describe_store(target)} is not empty ({found}), and a copy would replace it: {remedy}."
        )


def _find_content(settings: Settings) -> str:
    """Return the tables with rows, or the files, that a new store has not. Raise GatewayError."""
    if not has_store(settings):
        is_sqlite = settings.people.postgres_url is None
        # The audit and the keys also count without the people.
        return ", ".join(sqlite_tables.find_files(settings.data)) if is_sqlite else ""
    with closing(open_store(settings, PeopleLimits(), may_encrypt=False)) as store:
        _flush_audit(store)
        store.audit.read_head()
    with _reading(settings) as tables:
        return ", ".join(f"{table}: {count}" for table, count in count_content(tables).items())


def _flush_audit(store: Store) -> None:
    store.audit.flush()
    if not store.audit.is_writable:
        raise StartError("Lines wait for the audit, which cannot be written (`facegate doctor` says why).")


@contextmanager
def _reading(settings: Settings) -> Iterator[StoreTables]:
    if (url := settings.people.postgres_url) is None:
        tables: AbstractContextManager[StoreTables] = sqlite_tables.reading_tables(settings.data)
    else:
        with extra_postgres():
            from gateway.store.postgres.tables import reading_tables
        tables = reading_tables(url, cipher(settings))
    with tables as found:
        yield found


@contextmanager
def _replacing(settings: Settings) -> Iterator[StoreTables]:
    if (url := settings.people.postgres_url) is None:
        tables: AbstractContextManager[StoreTables] = sqlite_tables.new_tables(settings.data, cipher(settings))
    else:
        with extra_postgres():
            from gateway.store.postgres.tables import new_tables
        tables = new_tables(url, cipher(settings))
    with tables as found:
        yield found
