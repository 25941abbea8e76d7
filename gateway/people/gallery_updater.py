"""Update of the gallery from the store, after a change by this process or by another one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.people.gallery_review import MAX_WARNINGS, GalleryReview
from gateway.people.large_gallery import LargeGallery
from gateway.people.lookalikes import Pair
from gateway.store.protocols import Store
from gateway.store.records import Changes

log = logging.getLogger(__name__)


class GalleryUpdater:
    """The part that applies changes of the store to the gallery, and to the warnings about its people."""

    def __init__(
        self,
        store: Store,
        gallery: Gallery,
        decision: Decision,
        review: GalleryReview,
        *,
        recipe: str,
        large: LargeGallery | None = None,
    ) -> None:
        """``recipe``: the recipe of the engine's descriptors. Other descriptors are not in the gallery.

        ``large``: None to search in memory at any number of people.
        """
        self._store = store
        self._gallery = gallery
        self._decision = decision
        self._review = review
        self._large = large
        self._read_changes: Callable[[int], Changes] = partial(store.faces.changes, recipe=recipe)
        self._is_loaded = False
        self._refreshing = threading.Lock()
        self._revision = 0
        self._name_warnings: list[str] = []
        self._has_warned = False
        self.warnings: tuple[str, ...] = ()
        """Warnings about people that need a user's attention, after the last refresh."""
        self.removal_count = 0
        """Number that grows when people were removed, by any process. From then on nothing here names them."""
        self._has_removed = False
        self.finish_changes()
        self.refresh()

    def finish_changes(self) -> None:
        """Write what changes have left for later, whichever process made them. This waits for all other changes."""
        if self._store.effects.is_in_change():
            return
        self._store.audit.flush()
        self._store.keys.destroy_erased()

    def refresh(self) -> None:
        """Apply all changes of the store to the gallery. Within ``Registry.apply_once`` this has no effect.

        This only reads: the lease of a replica depends on it.
        """
        # A change that is not committed yet may be rolled back.
        if self._store.effects.is_in_change():
            return
        with self._refreshing:
            try:
                while self._store.faces.revision() != self._revision:
                    self._apply_changes()
                self._is_loaded = True
                self._review.review_next_block()
                self.warnings = (*self._review.warnings, *self._name_warnings)
            finally:
                # Last, so that nobody reads the new number beside an old warning.
                self.removal_count += self._has_removed
                self._has_removed = False

    def warnings_about(self, *slugs: str) -> list[str]:
        """Return the sentences about these people after the last refresh, at most MAX_WARNINGS, each once."""
        with self._refreshing:
            found = dict.fromkeys(each for slug in slugs for each in self._review.warnings_about(slug))
            return list(found)[:MAX_WARNINGS]

    def lookalikes(self) -> list[Pair]:
        """Return the pairs of people who looked alike after the last refresh."""
        with self._refreshing:
            return self._review.pairs

    def _apply_changes(self) -> None:
        changes = self._read_changes(self._revision)
        self._gallery.apply(changes)
        # The comparison of all people at the start would take hours in a database. They were compared when they came.
        if self._is_loaded or self._gallery.compares_everybody:
            self._review.mark_changed(person.slug for person in changes.snapshot.people)
        self._has_removed |= bool(changes.removed_keys)
        self._revision = changes.revision
        self._warn_of_size()
        self._name_warnings = self._store.status.find_name_warnings()
        if self._large is not None and len(self._gallery) > self._large.in_memory:
            self._search_in_database(self._large)

    def _search_in_database(self, large: LargeGallery) -> None:
        if self._gallery.compares_everybody:
            large.search_in_database(self._gallery)
            self._read_changes = large.vectors.changes

    def _warn_of_size(self) -> None:
        """Log once that the gallery is larger than the measured curves allow."""
        # The curves are extrapolated then. That is on the safe side: more faces are not recognised.
        measured = self._decision.max_measured_people()
        if measured < len(self._gallery) and not self._has_warned:
            self._has_warned = True
            log.warning(
                "%d people are enrolled; the curves were measured for %d at that rate of false names: more faces will"
                " not be recognised",
                len(self._gallery),
                measured,
            )
