"""The choice of the search: in memory, or in the database for more people than the settings allow in memory."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from gateway.config import Settings
from gateway.people.database_search import DatabaseSearch
from gateway.people.gallery import Gallery
from gateway.people.postgres_extra import extra_postgres
from gateway.people.similarity import Similarity
from gateway.store.protocols import Store
from gateway.store.protocols.search_vectors import SearchVectors

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LargeGallery:
    """The vectors in the database, and the number of people above which they are searched there."""

    in_memory: int
    vectors: SearchVectors

    def search_in_database(self, gallery: Gallery) -> None:
        """Let a gallery search in the database from now on, until the process ends."""
        gallery.search_with(DatabaseSearch(self.vectors, gallery.similarity, gallery.directory))
        log.info(
            "more than %d people are enrolled (gallery.in_memory): faces are compared in the database", self.in_memory
        )


def open_large_gallery(
    settings: Settings, store: Store, similarity: Similarity, recipe: str, *, for_command: bool
) -> LargeGallery | None:
    """Return the vectors in the database, or None if the settings do not ask for them. Raise StartError.

    The gateway makes the vectors if they are missing, and deletes them when nobody asks for them any more. A command
    uses them only if they are there.
    """
    if (url := settings.people.postgres_url) is None:
        return None
    with extra_postgres():
        from gateway.store.postgres.opening import drop_search_vectors, open_search_vectors

    if (in_memory := settings.gallery.in_memory) is None:
        if not for_command:
            drop_search_vectors(store)
        return None
    vectors = open_search_vectors(
        url, store, recipe=recipe, correct=similarity.correction, correction=similarity.fingerprint
    )
    if not for_command:
        vectors.fill()
    elif not vectors.use_existing():
        return None
    return LargeGallery(in_memory, vectors)
