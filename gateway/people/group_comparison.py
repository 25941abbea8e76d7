"""Comparison of faces with groups of unknown faces, and of these groups with enrolled people."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gateway.model import Descriptor, Quality
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.store.records import UnknownGroup


class GroupComparison:
    """The comparisons that decide about groups."""

    def __init__(self, gallery: Gallery, decision: Decision) -> None:
        self._gallery = gallery
        self._decision = decision
        # Groups that showed nobody: the state of the gallery, and of the group, in which they were compared.
        self._strangers: dict[int, tuple[int, int]] = {}

    def find_nearest(self, groups: Collection[UnknownGroup], descriptor: Descriptor) -> UnknownGroup | None:
        """Return the group that a face belongs to, or None. To join a group is an identification among the groups."""
        best: tuple[float, UnknownGroup | None] = (self._decision.join_threshold(len(groups)), None)
        for group in groups:
            similarity = self._gallery.compare(descriptor, group.mean())
            score = self._decision.score(similarity, len(group.faces))
            best = max(best, (score, group), key=lambda each: each[0])
        return best[1]

    def find_similar(self, groups: Iterable[UnknownGroup], slug: str) -> list[int]:
        """Return the ids of the groups that may show a person."""
        # A person is not in the gallery if all their descriptors are of another recipe.
        if slug not in self._gallery:
            return []
        compare, verifies = self._gallery.compare_person, self._decision.verifies
        return [group.id for group in groups if verifies(compare(slug, group.mean()))]

    def find_enrolled(self, groups: Iterable[UnknownGroup]) -> set[int]:
        """Return the ids of the groups that show somebody who was enrolled elsewhere."""
        limits = self._decision.similarity_limits(len(self._gallery))
        enrolled: set[int] = set()
        strangers: dict[int, tuple[int, int]] = {}
        for group in groups:
            # All groups are compared often, and each comparison may be a query of a database.
            mean = group.mean()
            state = self._gallery.changes, hash(mean.tobytes())
            known = self._strangers.get(group.id) == state
            if known or self._decision.identify(self._gallery.nearest(mean, limits)).verdict != "match":
                strangers[group.id] = state
            else:
                enrolled.add(group.id)
        self._strangers = strangers
        return enrolled


def quality_score(quality: Quality) -> float:
    """Return one number for the quality of a face, from 0 to 1.2."""
    return min(quality.pixels, 200) / 200 * quality.sharpness * (0.2 + quality.pose) * quality.inside
