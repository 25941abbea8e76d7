"""The store in SQLite: the only package that knows SQLite. Other packages use the functions below, and nothing else."""

from gateway.store.sqlite.opening import (
    check_backup,
    check_master_key,
    open_store,
    path_of_store,
    restore_backup,
    store_exists,
)

__all__ = ["check_backup", "check_master_key", "open_store", "path_of_store", "restore_backup", "store_exists"]
