"""Removal and erasure of people, and of all stored data that may show them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from gateway.errors import UnknownPerson
from gateway.model import Descriptor, Person
from gateway.model.caller import Caller
from gateway.people.decision import Decision
from gateway.people.folder.pictures import FolderPictures
from gateway.people.gallery import Gallery
from gateway.people.unknown_groups import UnknownGroups
from gateway.store.protocols import Sightings, Store
from gateway.store.records import FOLDER_PREFIX, PICTURE_ID_DIGITS

FindFolderPictures = Callable[[Collection[str]], FolderPictures]
"""Search for the pictures in the folders of known_faces/ with these names of people, imported or not."""


class PersonRemover:
    """Removal of people from the store, from unknown groups, sightings, backups and damaged uploads."""

    def __init__(
        self,
        store: Store,
        gallery: Gallery,
        decision: Decision,
        groups: UnknownGroups,
        sightings: Sightings,
        *,
        recipe: str,
        find_folder_pictures: FindFolderPictures,
        delete_damaged_uploads: Callable[[], None],
    ) -> None:
        self._store = store
        self._gallery = gallery
        self._decision = decision
        self._backups = store.backups
        self._groups = groups
        self._sightings = sightings
        self._recipe = recipe
        self._find_folder_pictures = find_folder_pictures
        self._delete_damaged_uploads = delete_damaged_uploads

    @contextmanager
    def erasing(self) -> Iterator[None]:
        """Prevent backups while people are erased."""
        with self._groups.lock, self._backups.locked():
            yield

    def remove(self, slug: str, caller: Caller) -> Person:
        """Remove a person, as ``Registry.remove`` does."""
        # Other faces are compared with the person, who must still be in the gallery.
        self._forget_similar(slug)
        return self._remove(slug, caller, erase=False)

    def erase(self, slug: str, caller: Caller) -> Person:
        """Erase a person, as ``Registry.erase`` does."""
        with self.erasing():
            try:
                entry = self._store.people.read_entry(slug)
            except UnknownPerson:
                # The person may have been removed before: backups still have them.
                if not self._backups.erase(slug, ()):
                    raise
                self._delete_damaged_uploads()
                return Person(slug, slug)
            # Those of the person, which the next step may delete, say where the others are.
            self._sightings.forget_neighbours(slug)
            self._forget_similar(slug)
            self._remove_similar_counter_examples(slug, caller)
            # Backups come before the store: if the process is killed in between, the person is still there,
            # and the erasure can be repeated.
            self._backups.erase(slug, [each.id for each in entry.pictures if not each.counter])
            self._delete_damaged_uploads()
            return self._remove(slug, caller, erase=True)

    def _remove(self, slug: str, caller: Caller, *, erase: bool) -> Person:
        """Remove a person. If not all pictures in their folders can be read now, these folders are closed."""
        entry = self._store.people.read_entry(slug)
        found = self._find_folder_pictures({entry.person.name, *self._store.folder_index.list_folders(slug)})
        seen = {digest[:PICTURE_ID_DIGITS] for digest in found.digests}
        # A picture that is not at its path may return tomorrow with its folder, together with other pictures.
        missing = any(each.source.startswith(FOLDER_PREFIX) and each.id not in seen for each in entry.pictures)
        closes_folders = missing or not found.complete
        return self._store.people.remove(slug, caller, erase=erase, also=found.digests, closes_folders=closes_folders)

    def _forget_similar(self, slug: str) -> None:
        """Delete the unknown groups and the sightings that may show a person who is removed."""
        for key in self._groups.forget_similar(slug):
            self._sightings.forget_unknown(key)
        self._sightings.delete([each for each, found in self._sighting_faces() if self._may_show(found, slug)])

    def _sighting_faces(self) -> Iterator[tuple[str, Descriptor | None]]:
        """Yield the id and the descriptor of each sighting with a face."""
        after = 0
        while page := self._sightings.read_faces(after):
            after = page[-1][0]
            yield from ((sighting, descriptor) for _, sighting, descriptor in page)

    def _may_show(self, descriptor: Descriptor | None, slug: str) -> bool:
        # A face that cannot be read may show any person.
        if descriptor is None:
            return True
        return slug in self._gallery and self._decision.verifies(self._gallery.compare_person(slug, descriptor))

    def _remove_similar_counter_examples(self, slug: str, caller: Caller) -> None:
        """Remove counter-examples of other people that may show a person."""
        if slug not in self._gallery:
            return
        for other, picture, descriptor in self._store.faces.read_counter_examples(self._recipe):
            found = self._gallery.compare_person(slug, descriptor)
            if other != slug and self._decision.verifies(found):
                self._store.people.remove_picture(other, picture, caller)
