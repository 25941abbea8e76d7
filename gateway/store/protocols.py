"""The protocols of a store: what each part must do, whatever database is behind it.

All methods raise GatewayError if the store fails. Methods with the id of a person (``slug``) raise UnknownPerson if no
person has it. A change is done completely or not at all, is on the disk when the method returns, and adds a line to the
audit that names its ``caller``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.model import Descriptor, Effect, Person
from gateway.model.audit import AuditEvent
from gateway.model.caller import Caller
from gateway.model.sightings import Sighting
from gateway.store.audit_records import AuditCheck, AuditHead, AuditLine
from gateway.store.cipher import Cipher
from gateway.store.limits import AuditLimits, SightingLimits
from gateway.store.records import (
    MAX_FACES_PER_GROUP,
    Changes,
    EffectReply,
    ExportedPerson,
    Loss,
    PersonEntry,
    Picture,
    SightingRecord,
    StoredFace,
    UnknownGroup,
)
from gateway.store.tokens import Token


class People(Protocol):
    """The enrolled people and their pictures."""

    def find_person(self, name: str) -> Person | None:
        """Return the person with this name, in this spelling or else in another one (model.names.name_key)."""

    def read_entry(self, slug: str) -> PersonEntry:
        """Return one person."""

    def list_entries(self, *, after: str = "", containing: str = "", limit: int = 100) -> list[PersonEntry]:
        """Return the people whose names contain a text, sorted by slug, from the first slug after ``after``."""

    def list_unchanged_since(self, moment: float) -> list[str]:
        """Return the slugs of people whose pictures are unchanged since a moment, in seconds since 1970."""

    def enrol(self, who: str | Person, pictures: Iterable[Picture], caller: Caller) -> PersonEntry:
        """Add pictures to a person; a new name creates a person. Stored pictures stay.

        Raise Conflict if the person would have counter-examples only, and TooLarge if a limit is exceeded.
        """

    def rename(self, slug: str, name: str, caller: Caller) -> PersonEntry:
        """Give a person another name. Raise Conflict if another person has it."""

    def merge(self, slug: str, into: str, caller: Caller) -> PersonEntry:
        """Move all pictures of a person to another one, and remove the first. Return the second."""

    def remove_picture(self, slug: str, picture: str, caller: Caller) -> PersonEntry | None:
        """Remove a picture by its id. Return None if the person was removed with the last picture that shows them.

        Raise UnknownPerson if the person has no such picture.
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
        """Remove a person with all pictures. Mark the pictures, so that the folder cannot enrol them again.

        ``erase``: the marks also apply to a backup that is restored later. ``also``: digests of other pictures to mark.
        ``closes_folders``: no folder of the person, or of that name, can enrol any picture, until a person of that name
        is enrolled or renamed by another caller.
        """


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

    def list_pictures_of_undescribable(self, recipe: str) -> list[tuple[str, str, str]]:
        """Return name, recipe and source of each picture of people without a descriptor of a recipe and without chips.

        Counter-examples do not count.
        """

    def find_face(self, digest: str, recipe: str) -> StoredFace | None:
        """Return the face of a picture with a descriptor of this recipe, whichever person has the picture."""

    def replace_descriptor(self, digest: str, recipe: str, descriptor: Descriptor) -> None:
        """Replace the descriptor of a picture by one of another recipe."""


class PeopleArchive(Protocol):
    """The export and import of whole people."""

    def export_people(self, slug: str | None = None) -> Iterator[ExportedPerson]:
        """Yield one person, or all people."""

    def import_people(
        self,
        people: Iterable[ExportedPerson],
        caller: Caller,
        *,
        merge: bool = False,
        check_continue: Callable[[], None] = ...,
    ) -> int:
        """Add people. A person whose name is enrolled already gets the new pictures. Return the number of new pictures.

        Raise Conflict if there are new pictures of people who are enrolled already, unless ``merge`` allows it, and
        TooLarge if a limit is exceeded. ``check_continue`` is called before each person, and undoes all by raising.
        """


class Effects(Protocol):
    """The changes that were made for requests with an id, so that no request changes something twice."""

    def apply_once(self, effect: Effect, change: Callable[[], EffectReply]) -> EffectReply | None:
        """Call ``change`` and return its reply, or return the stored reply if this effect was applied before.

        Return None if the stored reply was about a person who was removed since, or by the change. All changes that
        ``change`` makes in this store, and its reply, are on the disk together or not at all. Raise Conflict if another
        request used the same key, and Timeout if the deadline has passed.
        """

    def replace_reply(self, effect: Effect, reply: EffectReply, replacement: EffectReply) -> EffectReply | None:
        """Replace the stored reply of an effect, if it still is ``reply``, and return the stored reply.

        Return None if there is none, as ``apply_once`` does.
        """

    def is_in_change(self) -> bool:
        """Return whether this thread is within ``apply_once``."""

    def delete_effects(self, before: float) -> None:
        """Delete effects from before a moment, in seconds since 1970."""


class FolderIndex(Protocol):
    """The pictures from the folder of known people. Their ``source`` is FOLDER_PREFIX and the path in the folder."""

    def read_folder_digests(self, recipe: str | None = None) -> dict[str, str]:
        """Return source and digest of all pictures from the folder, or of those with a descriptor of one recipe."""

    def enrol_from_folder(self, folder: str, picture: Picture, *, replaces: str | None = None) -> None:
        """Add a picture to the person of a folder. ``replaces``: the digest of the previous picture of the source.

        Raise BadRequest as ``RemovalMarks.check_not_removed`` does, and TooLarge if a limit is exceeded.
        """

    def check_folder_limits(self, folder: str, digest: str) -> None:
        """Raise TooLarge if this picture for the person of a folder would exceed a limit."""

    def read_stamps(self) -> dict[str, tuple[str, str]]:
        """Return by source the digest of each picture and the stamp of its file when it was read."""

    def write_stamps(self, stamps: Mapping[str, tuple[str, str]]) -> None:
        """Write stamps of files, in the form that ``read_stamps`` returns."""

    def list_folders(self, slug: str) -> list[str]:
        """Return the folders of a person, by the names that a new person would get from them."""

    def find_loss(self, sources: Collection[str]) -> Loss:
        """Return the people who would lose pictures without the pictures from these sources."""

    def find_people_by_key(self, keys: Collection[int]) -> list[Person]:
        """Return by slug the people with these keys who are still enrolled."""

    def remove_folder_pictures(self, sources: Collection[str]) -> None:
        """Remove the pictures from these sources, and the people who then have no picture."""


class RemovalMarks(Protocol):
    """The marks of removed pictures, names and folders, which the folder of known people cannot enrol again."""

    def is_picture_removed(self, digest: str) -> bool:
        """Return whether this picture was removed."""

    def is_name_removed(self, name: str) -> bool:
        """Return whether a person of this name was removed, and no person of this name was enrolled since."""

    def check_not_removed(self, folder: str, digest: str) -> None:
        """Raise BadRequest if the folder cannot enrol this picture."""


class Notes(Protocol):
    """Short texts by which the processes on one store communicate."""

    def read_note(self, name: str) -> str | None:
        """Return a note, if there is one."""

    def write_note(self, name: str, value: str | None) -> None:
        """Write a note; None deletes it."""

    def take_notes(self, prefix: str) -> list[str]:
        """Delete the notes whose names begin with a prefix. Return them in the order of their names."""


class Audit(Protocol):
    """The list of all changes and of events that matter. It contains no names of people.

    Each line has a code that depends on all lines before it, so that ``check`` finds a change by another program.
    """

    def record(
        self, caller: Caller, action: str, *, slug: str | None = None, pictures: int = 0, detail: str = ""
    ) -> None:
        """Add a line about something that changes no person, such as an export or a backup."""

    def record_events(self, events: Mapping[AuditEvent, int]) -> bool:
        """Add a line for each event, with its number. Return whether the lines are on the disk."""

    def flush(self) -> None:
        """Move waiting lines to their final place. A problem with the audit is only reported by ``warnings``."""

    def read_lines(self, limit: int) -> list[AuditLine]:
        """Return the newest lines, the newest first."""

    def read_head(self) -> AuditHead | None:
        """Return the end of the audit; None if this store does not have its own."""

    def check(self, heads: Collection[AuditHead] = ()) -> AuditCheck:
        """Check all lines, and that the audit contains these ends of earlier moments."""

    def delete_old_lines(self, limits: AuditLimits) -> None:
        """Delete the lines over the limits. A problem with the audit is only reported by ``warnings``."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about problems with the audit that need a person's attention."""


class StoredGroups(Protocol):
    """The groups of unknown faces with descriptors of one recipe.

    ``damaged``: the ids of groups that the last ``load`` could not read. They stay until they are deleted or expire.
    """

    damaged: frozenset[int]

    def load(self) -> list[UnknownGroup]:
        """Return all groups that can be read."""

    def read_ids(self) -> set[int]:
        """Return the ids of all groups in the store, which another process may have changed."""

    def read_revision(self) -> int:
        """Return the number that grows when a group is ignored or joined, whichever process does that."""

    def add_group(self, camera: str, moment: float, worth: float, face: StoredFace) -> UnknownGroup:
        """Add a group of one face with its quality score, seen by a camera at a moment."""

    def add_face(
        self, group: UnknownGroup, worth: float, face: StoredFace, max_faces: int = MAX_FACES_PER_GROUP
    ) -> None:
        """Add a face to a group. Over ``max_faces`` faces, the face with the lowest score is deleted."""

    def save_sightings(self, groups: Sequence[UnknownGroup]) -> None:
        """Write when, how often and by which cameras the groups were seen."""

    def delete(self, groups: Sequence[int]) -> None:
        """Delete groups by their ids. Raise UnknownPerson if one of them does not exist."""

    def delete_all(self) -> None:
        """Delete all groups."""

    def set_ignored(self, group: UnknownGroup, ignored: bool) -> None:
        """Ignore a group, or take that back."""

    def join(self, group: UnknownGroup, into: UnknownGroup) -> UnknownGroup:
        """Add the faces and the visits of a group to another one, and delete the first. Return the joined group."""

    def delete_damaged(self, before: float, ignored_before: float) -> None:
        """Delete the damaged groups that were last seen before a moment, in seconds since 1970.

        ``ignored_before``: the moment for groups that are ignored.
        """

    def delete_other_recipes(self) -> None:
        """Delete the groups with descriptors of another recipe. Their people will be seen again."""


class Sightings(Protocol):
    """The history of sightings. An open sighting is stored too, so that it goes on after a restart.

    The removal of a person also deletes the sightings that name the person, or have the person as a candidate.

    A sighting is no change of a person: these methods need no caller and write no audit. A method that changes
    something may wait for seconds for another change, such as an import. Faces and evidence of another recipe are left
    out of records: nothing can be compared with them. Sightings that cannot be read are left out too.
    """

    def save(self, records: Sequence[SightingRecord]) -> list[str]:
        """Write sightings, or replace them by their ids. A record without a face leaves a stored face as it is.

        A sighting that was deleted meanwhile, such as by an erasure, is not stored again: the ids of such sightings are
        returned. A sighting of a person who was removed meanwhile, also as a candidate, is not stored. Neither is a
        sighting that ended, if ``SightingLimits.keep_days`` is 0.
        """

    def read_open(self) -> list[SightingRecord]:
        """Return the sightings that have not ended, with their faces and evidence."""

    def find(self, sighting: str) -> SightingRecord | None:
        """Return a sighting by its id, with its face."""

    def list_sightings(
        self,
        *,
        camera: str | None = None,
        person: str | None = None,
        unknown: int | None = None,
        outcome: str | None = None,
        since: float | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> list[Sighting]:
        """Return the sightings that fit all filters, the newest first.

        ``since``: only those that began at this moment, in seconds since 1970, or later. ``before``: the id of the last
        sighting of the previous page. Raise UnknownPerson for the id of a person or a sighting that does not exist.
        """

    def cameras(self) -> set[str]:
        """Return the names of the cameras that have sightings."""

    def read_crop(self, sighting: str) -> bytes | None:
        """Return the picture of a sighting, a JPEG, if it is stored."""

    def read_faces(self, after: int = 0, limit: int = 1000) -> list[tuple[int, str, Descriptor | None]]:
        """Return a key, the id and the descriptor of each sighting with a face, in the order of their keys.

        ``after``: the key after which the page begins. The descriptor is None if it is of another recipe or damaged.
        """

    def relabel(self, unknown: int, person: Person) -> None:
        """Give the sightings of an unknown group to a person, also those that are written later."""

    def move_unknown(self, unknown: int, into: int) -> None:
        """Give the sightings of an unknown group to another group, also those that are written later."""

    def forget_unknown(self, unknown: int) -> None:
        """Delete the sightings of an unknown group, with their pictures."""

    def forget_camera(self, camera: str) -> None:
        """Delete the sightings of a camera, with their pictures."""

    def forget_neighbours(self, person: str) -> None:
        """Delete the sightings without a name around those of a person, as the erasure of the person does."""

    def delete(self, sightings: Collection[str]) -> None:
        """Delete sightings by their ids, with their pictures. Ids that do not exist are ignored."""

    def tidy(self) -> None:
        """Delete the sightings that ended too long ago, and those over the limit.

        Over the limit the camera with the most sightings loses its oldest one: no camera displaces those of others.
        """

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence about sightings that could not be read, if there were any."""


class CameraSwitches(Protocol):
    """The cameras that are switched off. A camera without a row is on."""

    def read_disabled(self) -> set[str]:
        """Return the names of the cameras that are off."""

    def write_disabled(self, cameras: Collection[str]) -> None:
        """Replace the names of the cameras that are off."""


class Backups(Protocol):
    """The backups of a store, which an erasure must change too."""

    def make(self, to: Path | None = None) -> Path:
        """Copy the people into a file, and return its path."""

    def free_path(self) -> Path:
        """Return a free path for a new backup, named after the current time."""

    def audit_name(self, path: Path) -> str:
        """Return the name that the audit shows for a backup. It cannot contain the name of a person."""

    def locked(self) -> AbstractContextManager[None]:
        """Hold the lock of the backups, so that none is made while a person is erased. Reentrant in one thread."""

    def erase(self, slug: str, pictures: Collection[str]) -> bool:
        """Erase a person, known by pictures with these ids, from all backups. Return whether anything was found."""

    def check(self) -> None:
        """Check that each backup can be rewritten, and log new warnings."""

    def skipped_warnings(self) -> tuple[str, ...]:
        """Return warnings about files that an erasure skips though they may contain people."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about problems of a future erasure."""


class Keys(Protocol):
    """The data keys of an encrypted store: one for each person. Without a master key there are none."""

    def destroy_erased(self) -> None:
        """Destroy the data keys of erased people, so that no copy of the store contains anything readable about them.

        Within ``Effects.apply_once`` this has no effect. A problem is only reported by ``Backups.warnings``, and the
        next call tries again.
        """

    def save_copy(self) -> None:
        """Copy the data keys into the folder of backups if they changed: without them all people would be lost.

        A problem is only reported by ``Backups.warnings``.
        """

    def find_copy(self, backup: Path) -> Path | None:
        """Return the path of the data keys beside a backup, None without a master key."""

    def rotate(self, master: Cipher) -> None:
        """Encrypt the data keys with another master key. No other process may use the store."""


class StoreStatus(Protocol):
    """The state of the store as a whole."""

    def is_writable(self) -> bool:
        """Return whether a change would succeed now."""

    def find_name_warnings(self) -> list[str]:
        """Return sentences about names and ids that older versions accepted, and that new people cannot get."""


class Tokens(Protocol):
    """The tokens of the REST interface. A restore of a backup changes none of them.

    A token is known by the SHA-256 of its text (store.tokens.digest_of). Methods with the name of a token raise
    UnknownPerson if there is none.
    """

    def add(self, token: Token, digest: bytes) -> None:
        """Add a token. Raise Conflict for a name that is taken, and TooLarge for more than MAX_TOKENS."""

    def find(self, digest: bytes) -> Token | None:
        """Return the token with this digest, also if it has expired. The duration does not depend on the digest."""

    def list_tokens(self) -> list[Token]:
        """Return all tokens, sorted by name."""

    def replace(self, token: Token, digest: bytes) -> None:
        """Replace the token of that name. The text of before is worth nothing from now on."""

    def remove(self, name: str) -> None:
        """Remove a token."""

    def mark_used(self, digest: bytes, moment: float) -> None:
        """Write that the token with this digest was used at a moment, in seconds since 1970."""


class Store(Protocol):
    """An opened store: all its parts, over one database. A part may be used by several threads."""

    @property
    def people(self) -> People: ...

    @property
    def faces(self) -> Faces: ...

    @property
    def archive(self) -> PeopleArchive: ...

    @property
    def effects(self) -> Effects: ...

    @property
    def folder_index(self) -> FolderIndex: ...

    @property
    def removal_marks(self) -> RemovalMarks: ...

    @property
    def notes(self) -> Notes: ...

    @property
    def audit(self) -> Audit: ...

    @property
    def backups(self) -> Backups: ...

    @property
    def keys(self) -> Keys: ...

    @property
    def status(self) -> StoreStatus: ...

    @property
    def camera_switches(self) -> CameraSwitches: ...

    @property
    def tokens(self) -> Tokens: ...

    def unknown_groups(self, recipe: str) -> StoredGroups:
        """Return the unknown groups with descriptors of one recipe."""

    def sightings(self, recipe: str, limits: SightingLimits | None = None) -> Sightings:
        """Return the history of sightings, with descriptors of one recipe. ``limits``: the default ones if None."""

    def close(self) -> None:
        """Close the database."""
