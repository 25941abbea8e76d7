"""The protocol of the stored faces."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.model import Descriptor, Person
from gateway.store.records import Changes, StoredFace


class Faces(Protocol):
    """The stored faces: descriptors for the gallery, and chips for making descriptors again."""

    def revision(self) -> int:
        """Return the number that grows with each change, whichever process makes it."""

    def changes(self, since: int, recipe: str, max_people: int = 50_000) -> Changes:
        """Return the changes after a revision, with descriptors of one recipe; after 0, all people.

        At most ``max_people`` people are returned. A call with the revision of the result returns the next ones.
        """

    def read_faces(self, recipe: str, slug: str | None = None) -> tuple[list[Person], NDArray[np.float32]]:
        """Return the person and the descriptor, as float32 of shape (n, d), of each picture that shows a person."""

    def read_counter_examples(self, recipe: str) -> list[tuple[str, str, Descriptor]]:
        """Return all counter-examples: the slug of their person, the id of the picture, and the descriptor."""

    def list_outdated_pictures(self, recipe: str) -> list[str]:
        """Return the digests of pictures with chips whose descriptors are of another recipe."""

    def read_chips(self, digest: str) -> bytes | None:
        """Return the chips of a picture, if they are stored."""

    def read_picture_chips(self, slug: str, picture: str) -> bytes | None:
        """Return the chips of a person's picture by its id, if they are stored. Raise UnknownPerson for the picture."""

    def list_pictures_of_undescribable(self, recipe: str) -> list[tuple[str, str, str]]:
        """Return name, recipe and source of each picture of people without a descriptor of a recipe and without chips.

        Counter-examples do not count.
        """

    def find_face(self, digest: str, recipe: str) -> StoredFace | None:
        """Return the face of a picture with a descriptor of this recipe, whichever person has the picture."""

    def replace_descriptor(self, digest: str, recipe: str, descriptor: Descriptor) -> None:
        """Replace the descriptor of a picture by one of another recipe."""
