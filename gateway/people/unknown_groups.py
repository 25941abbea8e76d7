"""Groups of unknown faces: one group for each stranger, across pictures and cameras."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

from gateway.errors import Conflict, UnknownPerson
from gateway.model import Descriptor, FoundFace, Quality
from gateway.model.names import unknown_group_error
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.people.group_comparison import GroupComparison, quality_score
from gateway.people.group_rules import UnknownRules, damage_warnings
from gateway.people.groups_in_memory import GroupsInMemory
from gateway.store import protocols
from gateway.store.records import MAX_FACES_PER_GROUP, StoredFace, UnknownGroup

log = logging.getLogger(__name__)

MIN_FACE_INTERVAL_S = 5.0
"""Time between two faces that are kept of one group. Faces of one moment are nearly the same picture."""

NEW_VISIT_AFTER_S = 60.0
"""Time without the stranger after which a face counts as a new visit."""


class UnknownGroups:
    """Groups of unknown faces in memory and in the store, for any thread.

    ``lock``: held while groups change. A thread that needs this lock and the store takes this lock first. So its holder
    may wait for the store for long. Only ``drop_deleted`` changes the groups in memory without it.
    """

    def __init__(
        self,
        store: protocols.StoredGroups,
        gallery: Gallery,
        decision: Decision,
        *,
        rules: UnknownRules,
        deletes_unused: bool = True,
    ) -> None:
        """``deletes_unused``: delete groups of other recipes, and all groups if none are kept. A command leaves that to
        the gateway.
        """
        self.lock = threading.RLock()
        self._store = store
        self._comparison = GroupComparison(gallery, decision)
        self._rules = rules
        self._groups = GroupsInMemory()
        self._unsaved: set[int] = set()
        # The groups that the store had when they were last read.
        self._seen_ids: set[int] = set()
        if deletes_unused:
            store.delete_other_recipes() if rules.max_groups else store.delete_all()
        self.reload()

    @property
    def is_enabled(self) -> bool:
        """Return whether groups are kept."""
        return self._rules.max_groups > 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return a sentence about groups that cannot be read, if there are any."""
        return damage_warnings(self._store.damaged)

    @property
    def waiting(self) -> int:
        """The number of groups that wait for a name. Without the lock, which is held while the store is written."""
        return sum(not group.ignored for group in self._groups.all.values())

    def list_groups(self) -> list[UnknownGroup]:
        """Return all groups, beginning with the group that was seen last."""
        with self.lock:
            return sorted(self._groups.all.values(), key=lambda group: -group.last)

    def group(self, key: int) -> UnknownGroup:
        """Return the group with this id. Raises UnknownPerson."""
        with self.lock:
            if (group := self._groups.all.get(key)) is None:
                raise unknown_group_error(key)
            return group

    def faces_to_name(self, key: int) -> list[StoredFace]:
        """Return the faces of a group that is going to be named. Raises UnknownPerson."""
        with self.lock:
            group = self.group(key)
            self._check_stored(group)
            return [face for _, face in group.faces]

    def forget(self, key: int) -> None:
        """Delete a group. Raises UnknownPerson."""
        with self.lock:
            self._store.delete([key if key in self._store.damaged else self.group(key).id])
            self._groups.drop(key)

    def is_ignored(self, key: int) -> bool:
        """Return whether a group exists and is ignored: nobody wants to be told about its person."""
        with self.lock:
            return (group := self._groups.all.get(key)) is not None and group.ignored

    def ignore(self, key: int) -> UnknownGroup:
        """Ignore a group. Raises UnknownPerson, and TooLarge if too many groups are ignored."""
        with self.lock:
            group = self.group(key)
            self._rules.ignored.check(sum(each.ignored for each in self._groups.all.values() if each is not group))
            return self._set_ignored(group, True)

    def unignore(self, key: int) -> UnknownGroup:
        """Do not ignore a group any more. Raises UnknownPerson."""
        with self.lock:
            return self._set_ignored(self.group(key), False)

    def join(self, key: int, into: int) -> UnknownGroup:
        """Add a group to another group, and delete the first. Return the second. Raises UnknownPerson and Conflict."""
        with self.lock:
            group, other = self.group(key), self.group(into)
            if group is other:
                raise Conflict("a group cannot be joined with itself: give two different ids")
            self._check_stored(group, other)
            joined = self._store.join(group, other)
            self._groups.put(joined)
            self._groups.drop(key)
            self._revision = self._store.read_revision()
            return joined

    def forget_similar(self, slug: str) -> list[int]:
        """Delete the groups that may show a person who is removed, and all damaged groups. Return their ids."""
        with self.lock:
            # A damaged group may show any person.
            damaged = sorted(self._store.damaged & self._store.read_ids())
            for key in damaged:
                log.warning("the damaged unknown %d is deleted: a person is removed", key)
            similar = self._comparison.find_similar(self._groups.all.values(), slug)
            for key in (*damaged, *similar):
                # Another process may have deleted it meanwhile.
                with suppress(UnknownPerson):
                    self.forget(key)
            return [*damaged, *similar]

    def reload(self) -> None:
        """Read all groups from the store again. Unsaved sightings of the last seconds are lost."""
        with self.lock:
            self._revision, self._seen_ids = self._store.read_revision(), self._store.read_ids()
            self._groups.replace_all(self._store.load() if self.is_enabled else ())
            self._unsaved.clear()
            # Another process may have deleted some since they were read, and another thread have dropped them.
            self.drop_deleted()

    def follow(self) -> None:
        """Learn which groups other processes have changed. Groups that they have deleted are deleted here too."""
        with self.lock:
            stored = self._store.read_ids()
            if self._store.read_revision() != self._revision or stored - self._seen_ids:
                self._save_sightings()
                self.reload()
            self._groups.drop(*self._groups.all.keys() - stored)

    def drop_deleted(self) -> None:
        """Forget the groups that other processes have deleted. This neither writes nor waits for ``lock``."""
        # Before the store is read: a group that begins in between is not among them.
        known = self._groups.all.keys()
        self._groups.drop(*known - self._store.read_ids())

    def add_sighting(self, descriptor: Descriptor, camera: str, moment: float) -> UnknownGroup | None:
        """Count a face in the group that it belongs to, and return the group, or None if there is none."""
        with self.lock:
            group = self._comparison.find_nearest(self._groups.all.values(), descriptor)
            if group is not None:
                group.add_sighting(camera, moment, is_new_visit=moment > group.last + NEW_VISIT_AFTER_S)
                self._unsaved.add(group.id)
            return group

    def wants_face(self, group: UnknownGroup, quality: Quality, moment: float) -> bool:
        """Return whether a group has room for a face of this quality, or has a much worse face to replace."""
        if moment < self._groups.face_added_at(group.id) + MIN_FACE_INTERVAL_S:
            return False
        return len(group.faces) < MAX_FACES_PER_GROUP or quality_score(quality) > 1.2 * group.faces[-1][0]

    def add_face(
        self, group: UnknownGroup | None, face: FoundFace, quality: Quality, camera: str, moment: float
    ) -> UnknownGroup:
        """Add a face to a group, or begin a new group with it. Return the group.

        ``quality``: of the face in the camera's picture.
        """
        assert face.descriptor is not None
        stored, worth = StoredFace(face.descriptor, face.chips, face.crop), quality_score(quality)
        with self.lock:
            if group is None:
                group = self._find_or_begin(stored, worth, camera, moment)
            # The group may have been forgotten meanwhile.
            elif group.id in self._groups.all:
                self._store.add_face(group, worth, stored)
            self._groups.note_face(group.id, moment)
            return group

    def _find_or_begin(self, face: StoredFace, worth: float, camera: str, moment: float) -> UnknownGroup:
        """Begin a group with a face, unless another process has begun one for the same stranger."""
        with self._store.changing():
            self.follow()
            if (found := self._comparison.find_nearest(self._groups.all.values(), face.descriptor)) is not None:
                found.add_sighting(camera, moment, is_new_visit=moment > found.last + NEW_VISIT_AFTER_S)
                self._unsaved.add(found.id)
                self._store.add_face(found, worth, face)
                return found
            group = self._store.add_group(camera, moment, worth, face)
        self._groups.put(group)
        self._seen_ids.add(group.id)
        return group

    def tidy(self) -> None:
        """Save the sightings. Delete groups that expired, groups over the limit, and groups of enrolled people."""
        with self.lock:
            self.follow()
            if self._store.damaged:
                self._store.delete_damaged(self._rules.expired_before(), self._rules.expired_before(ignored=True))
        # Without the lock: in a database this takes seconds, and changes of people need the lock.
        enrolled = self._comparison.find_enrolled(self.list_groups())
        with self.lock:
            kept = {group.id for group in self._rules.choose_kept(self.list_groups())} - enrolled
            if removed := self._groups.all.keys() - kept:
                with self._store.changing():
                    # Another process may have deleted some of them.
                    self._store.delete(sorted(removed & self._store.read_ids()))
                self._groups.drop(*removed)
            self._save_sightings()

    def _save_sightings(self) -> None:
        groups = self._groups.all
        self._store.save_sightings([groups[key] for key in self._unsaved & groups.keys()])
        self._unsaved.clear()

    def _set_ignored(self, group: UnknownGroup, ignored: bool) -> UnknownGroup:
        self._check_stored(group)
        self._store.set_ignored(group, ignored)
        self._revision = self._store.read_revision()
        return group

    def _check_stored(self, *groups: UnknownGroup) -> None:
        """Raise UnknownPerson if another process has named or forgotten one of the groups."""
        stored = self._store.read_ids()
        for group in groups:
            if group.id not in stored:
                raise unknown_group_error(group.id)
