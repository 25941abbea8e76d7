"""The store in SQLite: the only package that knows SQLite. Other packages use the functions below, and nothing else."""

from gateway.store.sqlite.opening import open_store, path_of_store, restore_backup, store_exists

__all__ = ["open_store", "path_of_store", "restore_backup", "store_exists"]
