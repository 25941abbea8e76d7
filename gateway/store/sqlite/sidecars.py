"""The files that SQLite puts beside a database."""

from __future__ import annotations

SIDECARS = ("-wal", "-shm", "-journal")
"""Suffixes of the files beside a database that SQLite reads, writes and deletes together with the database.

They belong to that one database: beside another one SQLite may write their pages into it.
"""
