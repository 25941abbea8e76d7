"""Groups of unknown faces: one group for each stranger, across pictures and cameras."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.model import Descriptor, FoundFace, Quality
from gateway.model.names import unknown_group_error
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.store import protocols
from gateway.store.records import MAX_FACES_PER_GROUP, StoredFace, UnknownGroup

log = logging.getLogger(__name__)

MIN_FACE_INTERVAL_S = 5.0
"""Time between two faces that are kept of one group. Faces of one moment are nearly the same picture."""

JOIN_SCORE = 4 / 6
"""Score from which a face joins a group: a false match rate of one in 10,000."""

NEW_VISIT_AFTER_S = 60.0
"""Time without the stranger after which a face counts as a new visit."""

MAX_NAMED_IDS = 10
"""Ids that one warning names."""


class UnknownGroups:
    """Groups of unknown faces in memory and in the store, for any thread.

    ``lock``: held while groups change. A thread that needs this lock and the store takes this lock first.
    """

    def __init__(
        self,
        store: protocols.StoredGroups,
        gallery: Gallery,
        decision: Decision,
        *,
        max_groups: int,
        keep_days: float,
        deletes_unused: bool = True,
    ) -> None:
        """``max_groups``: 0 keeps no groups; ``keep_days``: the time after which a group without a new face is deleted;
        ``deletes_unused``: delete groups of other recipes, and all groups if none are kept. A command leaves that to
        the gateway.
        """
        self.lock = threading.RLock()
        self._store = store
        self._gallery = gallery
        self._decision = decision
        self._max_groups = max_groups
        self._keep_s = 86_400 * keep_days
        self._groups: dict[int, UnknownGroup] = {}
        self._face_added_at: dict[int, float] = {}
        self._unsaved: set[int] = set()
        if deletes_unused:
            store.delete_other_recipes() if max_groups else store.delete_all()
        self.reload()

    @property
    def is_enabled(self) -> bool:
        """Return whether groups are kept."""
        return self._max_groups > 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return a sentence about groups that cannot be read, if there are any."""
        damaged = sorted(self._store.damaged)
        if not damaged:
            return ()
        ids = ", ".join(map(str, damaged[:MAX_NAMED_IDS])) + (", ..." if len(damaged) > MAX_NAMED_IDS else "")
        return (
            f"{len(damaged)} groups of unknown faces are damaged and left out ({ids}): delete them with"
            " `facegate unknowns forget ID`, or wait until they expire",
        )

    def __len__(self) -> int:
        return len(self._groups)

    def list_groups(self) -> list[UnknownGroup]:
        """Return all groups, beginning with the group that was seen last."""
        with self.lock:
            return sorted(self._groups.values(), key=lambda group: -group.last)

    def group(self, key: int) -> UnknownGroup:
        """Return the group with this id. Raises UnknownPerson."""
        with self.lock:
            if (group := self._groups.get(key)) is None:
                raise unknown_group_error(key)
            return group

    def faces_to_name(self, key: int) -> list[StoredFace]:
        """Return the faces of a group that is going to be named. Raises UnknownPerson."""
        with self.lock:
            group = self.group(key)
            # Another process may have named or forgotten the group.
            if key not in self._store.read_ids():
                raise unknown_group_error(key)
            return [face for _, face in group.faces]

    def forget(self, key: int) -> None:
        """Delete a group. Raises UnknownPerson."""
        with self.lock:
            if key in self._store.damaged:
                self._store.delete([key])
                return
            self._store.delete([self.group(key).id])
            self._drop(key)

    def forget_similar(self, slug: str) -> None:
        """Delete the groups that may show a person who is removed, and all damaged groups."""
        with self.lock:
            # A damaged group may show any person.
            for key in self._store.damaged & self._store.read_ids():
                log.warning("the damaged unknown %d is deleted: a person is removed", key)
                self.forget(key)
            # A person is not in the gallery if all their descriptors are of another recipe.
            if slug not in self._gallery:
                return
            for group in list(self._groups.values()):
                if self._decision.verifies(self._gallery.compare_person(slug, group.mean())):
                    self.forget(group.id)

    def reload(self) -> None:
        """Read all groups from the store again. Unsaved sightings of the last seconds are lost."""
        with self.lock:
            self._groups = {group.id: group for group in self._store.load()} if self.is_enabled else {}
            self._unsaved.clear()

    def add_sighting(self, descriptor: Descriptor, camera: str, moment: float) -> UnknownGroup | None:
        """Count a face in the group that it belongs to, and return the group, or None if there is none."""
        with self.lock:
            group = self._find_nearest(descriptor)
            if group is not None:
                group.add_sighting(camera, moment, is_new_visit=moment > group.last + NEW_VISIT_AFTER_S)
                self._unsaved.add(group.id)
            return group

    def wants_face(self, group: UnknownGroup, quality: Quality, moment: float) -> bool:
        """Return whether a group has room for a face of this quality, or has a much worse face to replace."""
        if moment < self._face_added_at.get(group.id, 0) + MIN_FACE_INTERVAL_S:
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
                group = self._store.add_group(camera, moment, worth, stored)
                self._groups[group.id] = group
            # The group may have been forgotten meanwhile.
            elif group.id in self._groups:
                self._store.add_face(group, worth, stored)
            self._face_added_at[group.id] = moment
            return group

    def tidy(self) -> None:
        """Save the sightings. Delete groups that expired, groups over the limit, and groups of enrolled people."""
        with self.lock:
            if self._store.damaged:
                self._store.delete_damaged(time.time() - self._keep_s)
            recent = [group for group in self.list_groups() if group.last > time.time() - self._keep_s]
            limits = self._decision.similarity_limits(len(self._gallery))
            kept = {
                group.id for group in share_fairly(recent, self._max_groups) if not self._is_enrolled(group, limits)
            }
            # Another process may have named or forgotten some groups.
            stored = self._store.read_ids()
            removed = self._groups.keys() - (kept & stored)
            if removed & stored:
                self._store.delete(sorted(removed & stored))
            for key in removed:
                self._drop(key)
            self._store.save_sightings([self._groups[key] for key in self._unsaved & self._groups.keys()])
            self._unsaved.clear()

    def _drop(self, key: int) -> None:
        """Remove a group, which the store does not have any more, from memory."""
        del self._groups[key]
        self._face_added_at.pop(key, None)
        self._unsaved.discard(key)

    def _find_nearest(self, descriptor: Descriptor) -> UnknownGroup | None:
        best: tuple[float, UnknownGroup | None] = (JOIN_SCORE, None)
        for group in self._groups.values():
            similarity = self._gallery.compare(descriptor, group.mean())
            score = self._decision.score(similarity, len(group.faces))
            best = max(best, (score, group), key=lambda each: each[0])
        return best[1]

    def _is_enrolled(self, group: UnknownGroup, limits: NDArray[np.float32]) -> bool:
        """Return whether the group shows a person who was enrolled elsewhere."""
        return self._decision.identify(self._gallery.nearest(group.mean(), limits)).verdict == "match"


def share_fairly(groups: Sequence[UnknownGroup], max_groups: int) -> list[UnknownGroup]:
    """Return at most ``max_groups`` of the groups, which are ordered by their last sighting, newest first."""
    # The camera with the most groups loses its oldest group: no camera can displace the groups of the others.
    by_camera: dict[str, list[UnknownGroup]] = {}
    for group in groups:
        by_camera.setdefault(group.source, []).append(group)
    for _ in range(len(groups) - max_groups):
        fullest = max(by_camera.values(), key=lambda each: (len(each), -each[-1].last))
        fullest.pop()
    return [group for each in by_camera.values() for group in each]


def quality_score(quality: Quality) -> float:
    """Return one number for the quality of a face, from 0 to 1.2."""
    return min(quality.pixels, 200) / 200 * quality.sharpness * (0.2 + quality.pose) * quality.inside
