"""The error about a store that cannot be opened though nothing in it is damaged."""

from __future__ import annotations


class IntactStoreError(ValueError):
    """An undamaged store that cannot be used now. The message says what to do."""
