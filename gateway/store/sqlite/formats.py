"""The formats of all SQLite files in the data folder, which are checked before any of them is changed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from gateway.store.sqlite import audit_schema, key_file, schema, token_file
from gateway.store.sqlite.audit_file import AUDIT_FILE
from gateway.store.sqlite.live_files import STORE_FILE
from gateway.store.sqlite.newer_files import check_format

FORMATS = {
    STORE_FILE: schema.VERSION,
    AUDIT_FILE: audit_schema.VERSION,
    token_file.ACCESS_FILE: token_file.VERSION,
    key_file.KEY_FILE: key_file.VERSION,
}
"""The newest format of each file that this version reads. It reads all older ones too."""

UPGRADE_COPIES = {STORE_FILE: "before-version-*.sqlite", AUDIT_FILE: audit_schema.UPGRADE_COPIES}
"""The names of the copies in ``backups`` that are made before a file is upgraded to another format."""


def check_formats(data: Path, *, without: Collection[str] = ()) -> None:
    """Raise NewerFileError if a newer Facegate wrote a file of the data folder. ``without``: names of files."""
    # All are checked before one is opened: an upgrade of one file must not be followed by a refusal of another.
    for name, known in FORMATS.items():
        if name not in without:
            check_format(data / name, known, UPGRADE_COPIES.get(name, ""))
