"""The seam to wherever people are kept: SQLite now, PostgreSQL for several gateways later."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.model import Descriptor, Effect, Person
from gateway.model.caller import Caller
from gateway.store.records import (
    AuditLine,
    Changes,
    EffectReply,
    ExportedPerson,
    Loss,
    PersonEntry,
    Picture,
    StoredFace,
)


class PeopleStore(Protocol):
    """What changes something is done in whole or not at all, is on the disk when it returns, and stands in the audit.

    ``caller`` asks for the change. All raise UnknownPerson for a slug that nobody has, and GatewayError if
    the store fails.
    """

    def apply_once(self, effect: Effect, change: Callable[[], EffectReply]) -> EffectReply | None:
        """What ``change`` answers, or has answered before; None if that was about somebody who went since, or by it.

        What it changes by the methods here, and its answer, are on the disk together or not at all. Raises Conflict if
        something else was asked for by that key, and Timeout if it is too late.
        """

    def is_in_change(self) -> bool:
        """Whether this thread is within ``apply_once``."""

    def delete_effects(self, before: float) -> None:
        """Those of longer ago, in seconds since 1970."""

    def is_writable(self) -> bool:
        """Whether a change would be let in now."""

    def revision(self) -> int:
        """Grows with every change, whichever process made it."""

    def changes(self, since: int, recipe: str, most: int = 50_000) -> Changes:
        """Of descriptors made by that recipe, after that revision; after 0, everybody. Of more than ``most`` people the
        first: whoever wants the rest asks again, from the revision that this is up to.
        """

    def list_entries(self, *, after: str = "", containing: str = "", limit: int = 100) -> list[PersonEntry]:
        """By slug, from the one after that; of those whose name contains the text."""

    def read_entry(self, slug: str) -> PersonEntry:
        """One person's."""

    def find_person(self, name: str) -> Person | None:
        """Who has this name."""

    def enrol(self, who: str | Person, pictures: Iterable[Picture], caller: Caller) -> PersonEntry:
        """Adds pictures to a person; a name that nobody has makes a new one. Pictures that they have already stay.

        Raises Conflict if no picture would be left that shows them.
        """

    def replace_descriptor(self, digest: str, recipe: str, descriptor: Descriptor) -> None:
        """The descriptor of a picture, made by another recipe."""

    def rename(self, slug: str, name: str, caller: Caller) -> PersonEntry:
        """Raises Conflict if somebody else has that name."""

    def merge(self, slug: str, into: str, caller: Caller) -> PersonEntry:
        """Both are one from now on, under the second's name and slug."""

    def remove_picture(self, slug: str, picture: str, caller: Caller) -> PersonEntry | None:
        """By its id. With the last one that shows them the person goes, and there is None. Raises UnknownPerson if they
        have none of that id.
        """

    def remove(
        self,
        slug: str,
        caller: Caller,
        *,
        erase: bool = False,
        also: Collection[str] = (),
        closes_folders: bool = False,
    ) -> Person:
        """The person and everything of them. Neither their pictures in known_faces/ will bring them back, nor others
        with the digests ``also``.

        ``closes_folders``: nor any picture in a folder of theirs, or of their name, until somebody of that name is
        enrolled or renamed by another way.
        """

    def list_folders(self, slug: str) -> list[str]:
        """The folders in known_faces/ that are theirs, by the names they would have as a person."""

    def read_counter_examples(self, recipe: str) -> list[tuple[str, str, Descriptor]]:
        """Every counter-example: the slug of whom it is kept, its id, its descriptor."""

    def list_outdated_pictures(self, recipe: str) -> list[str]:
        """The digest of every picture whose descriptor was made by another recipe, where chips were kept."""

    def read_chips(self, digest: str) -> bytes | None:
        """What was kept of a picture."""

    def find_face(self, digest: str, recipe: str) -> StoredFace | None:
        """The face of a picture that was described by that recipe before, whoever it was of."""

    def read_folder_digests(self, recipe: str | None = None) -> dict[str, str]:
        """Source and digest of every picture that came from known_faces/, or of those described by that recipe."""

    def enrol_from_folder(self, folder: str, picture: Picture, *, replaces: str | None = None) -> None:
        """Add a picture to the person whose folder has that name, in place of the one from the same source whose digest
        is ``replaces``. Raises as ``check_not_removed`` does.
        """

    def check_folder_limits(self, folder: str, digest: str) -> None:
        """Raise TooLarge if one more picture of the person of that folder would be too many, or one more person."""

    def read_stamps(self) -> dict[str, tuple[str, str]]:
        """Return by source the digest of each picture from the folder, and the stamp of its file when it was read."""

    def write_stamps(self, stamps: Mapping[str, tuple[str, str]]) -> None:
        """Write the stamps of pictures' files, given as ``stamps`` returns them."""

    def find_loss(self, sources: Collection[str]) -> Loss:
        """Return who would lose pictures if those from these sources were forgotten."""

    def find_people_by_key(self, keys: Collection[int]) -> list[Person]:
        """Return the people with these keys who are still there, by slug."""

    def read_note(self, name: str) -> str | None:
        """Return a note by which processes on this store talk to each other."""

    def write_note(self, name: str, value: str | None) -> None:
        """Write a note; None removes it."""

    def remove_folder_pictures(self, sources: Collection[str]) -> None:
        """The pictures that came from there, and the people who are left with none."""

    def is_picture_removed(self, digest: str) -> bool:
        """Whether this picture was removed, and must not come back from the folder."""

    def is_name_removed(self, name: str) -> bool:
        """Return whether somebody of that name was removed, and nobody of that name was enrolled since."""

    def check_not_removed(self, folder: str, digest: str) -> None:
        """Raise BadRequest if this picture must not come back from the folder of that name."""

    def export(self, slug: str | None = None) -> Iterator[ExportedPerson]:
        """One person, or everybody."""

    def import_people(
        self, people: Iterable[ExportedPerson], caller: Caller, *, merge: bool = False, go_on: Callable[[], None] = ...
    ) -> int:
        """Adds people from an archive, those of one name to whoever has it; how many pictures were new.

        Raises Conflict, naming them, if it has new pictures of people who are known, unless they are to ``merge``.
        ``go_on`` is called before each person, and ends it all by raising.
        """

    def list_unchanged_since(self, moment: float) -> list[str]:
        """The slugs of those whose pictures are all older, in seconds since 1970."""

    def read_faces(self, recipe: str, slug: str | None = None) -> tuple[list[Person], NDArray[np.float32]]:
        """Every picture that shows somebody, or that person: the person, and the descriptors, (n, 128)."""

    def find_name_warnings(self) -> list[str]:
        """Sentences about names and ids that older versions let in, and that are refused now."""

    def record(
        self, caller: Caller, action: str, *, slug: str | None = None, pictures: int = 0, detail: str = ""
    ) -> None:
        """Add a line to the audit about something that changes nobody: an export of one person or of all, a backup."""

    def move_audit(self) -> None:
        """Move the lines that wait into the audit. The changes themselves do not wait for it."""

    def read_audit(self, limit: int) -> list[AuditLine]:
        """The newest first."""
