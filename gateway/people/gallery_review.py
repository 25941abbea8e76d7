"""Review of the people in the gallery: several people who look like one, and people whose pictures differ too much.

People are reviewed when they change, one block at a time, so that a large gallery delays no change for long.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import TypeVar

import numpy as np

from gateway.errors import Busy
from gateway.model import Descriptor
from gateway.model.coded_warnings import CodedWarning
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.people.lookalikes import Group, Pair, connect, merge_sentence, name_all
from gateway.people.similarity import Vectors

log = logging.getLogger(__name__)

CELLS_PER_BLOCK = 2_000_000
"""Similarities of one block, 8 MB of float32: 0.08 s on one core (measured). 20,000 people take 200 blocks."""

MAX_PEOPLE_PER_BLOCK = 500
"""People whose pictures are read for one block."""

SMALL_GALLERY = 500
"""Largest gallery in which all pairs are compared again when a person is added or removed: all limits change then."""

MAX_PAIRS = 1_000
"""Pairs of people who look alike that are kept in memory."""

MAX_WARNINGS = 20
"""Warnings of each kind that are reported at a time. A user has to act on each."""

MIXED_SCORE = 2 / 6
"""Score below which a picture does not look like the person's other pictures: a false match rate of 1 in 100.

Of 64 people with three or four press photographs none had such a picture. With one picture of another person added,
all of them had one (measured).
"""

T = TypeVar("T")


class GalleryReview:
    """Search for people who look alike, and for people with pictures of somebody else. For one thread at a time."""

    def __init__(
        self, gallery: Gallery, decision: Decision, pictures_of: Callable[[str], Vectors], *, logs: bool = True
    ) -> None:
        """``pictures_of`` returns the descriptors of a person's pictures, (n, d); ``logs``: log new warnings."""
        self._gallery = gallery
        self._decision = decision
        self._pictures_of = pictures_of
        self._logs = logs
        self._unread: dict[str, None] = {}
        self._uncompared: dict[str, None] = {}
        self._people = 0
        self._pairs: dict[Pair, None] = {}
        self._mixed: dict[str, None] = {}
        self._groups: list[Group] = []
        self._logged: set[str] = set()
        self._stale = False
        self.warnings: tuple[str, ...] = ()
        """Sentences about everything that was found and still holds."""

    def mark_changed(self, slugs: Iterable[str]) -> None:
        """Mark people who are new or changed for the review. Other people may have been removed."""
        self._stale = True
        changed = dict.fromkeys(slugs)
        self._unread |= changed
        self._uncompared |= changed
        if len(self._gallery) != self._people:
            self._people = len(self._gallery)
            small = self._people <= SMALL_GALLERY
            # In a large gallery one person more hardly changes the limits: comparing the known pairs is enough.
            self._uncompared |= dict.fromkeys(
                self._gallery.people() if small else (slug for pair in self._pairs for slug in pair)
            )

    def review_next_block(self) -> None:
        """Review the next block of the people who changed, and update ``warnings``."""
        if not self._stale:
            return
        # In a database each person takes a search, and the answers of changes wait for this.
        cells = CELLS_PER_BLOCK if self._gallery.compares_everybody else 1
        self._compare(_take(self._uncompared, max(1, cells // max(self._people, 1))))
        self._read(_take(self._unread, MAX_PEOPLE_PER_BLOCK))
        self._pairs = {pair: None for pair in self._pairs if all(slug in self._gallery for slug in pair)}
        ages = self._gallery.by_age() if self._pairs or self._mixed else {}
        self._mixed = dict.fromkeys(sorted(self._mixed.keys() & ages.keys(), key=ages.__getitem__))
        self._groups = connect(self._pairs, ages)
        self.warnings = (*_first(self._groups, self._group_sentence), *_first(self._mixed, self._mixed_sentence))
        if self._logs:
            self._log_new()
        self._stale = bool(self._uncompared or self._unread)

    @property
    def pairs(self) -> list[Pair]:
        """The pairs of people who look alike."""
        return list(self._pairs)

    def warnings_about(self, slug: str) -> list[str]:
        """Return the sentences about one person."""
        groups = [self._group_sentence(group) for group in self._groups if slug in group]
        return [*groups, *([self._mixed_sentence(slug)] if slug in self._mixed else [])]

    def _compare(self, slugs: list[str]) -> None:
        if not slugs:
            return
        try:
            found = self._gallery.lookalikes(slugs, self._decision.similarity_limits(self._people))
        # The change that is followed now is made, whether the database is away or not.
        except Busy:
            self._uncompared |= dict.fromkeys(slugs)
            return
        compared = set(slugs)
        self._pairs = {pair: None for pair in self._pairs if not compared & set(pair)}
        for pair in sorted(found):
            if len(self._pairs) < MAX_PAIRS:
                self._pairs[pair] = None

    def _read(self, slugs: list[str]) -> None:
        for slug in slugs:
            self._mixed.pop(slug, None)
            if self._is_mixed(self._pictures_of(slug)):
                self._mixed[slug] = None

    def _is_mixed(self, pictures: Vectors) -> bool:
        """Return whether one of the pictures does not look like the mean of the others."""
        total = pictures.sum(axis=0)
        return len(pictures) > 1 and any(self._is_unlike(each, total - each, len(pictures) - 1) for each in pictures)

    def _is_unlike(self, picture: Descriptor, others: Descriptor, count: int) -> bool:
        length = float(np.linalg.norm(others))
        similarity = self._gallery.compare(picture, (others / max(length, 1e-6)).astype(np.float32))
        return self._decision.score(similarity, count) < MIXED_SCORE

    def _group_sentence(self, group: Group) -> str:
        people = [self._gallery.person(slug) for slug in group]
        text = merge_sentence(f"{name_all(people)} look like one person, so that none of them is named", people)
        return CodedWarning(text, "resembles_others", group)

    def _mixed_sentence(self, slug: str) -> str:
        person = self._gallery.person(slug)
        text = (
            f"the pictures of {person.name} ({slug}) do not look like one person: run `facegate people show {slug}`,"
            " and remove those of somebody else"
        )
        return CodedWarning(text, "mixed_pictures", (slug,))

    def _log_new(self) -> None:
        """Log the sentences that are new since the last review."""
        for sentence in self.warnings:
            if sentence not in self._logged:
                log.warning("%s", sentence)
        self._logged = set(self.warnings)


def _take(queue: dict[str, None], count: int) -> list[str]:
    """Remove the first ``count`` ids from the queue, and return them."""
    some = list(islice(queue, count))
    for slug in some:
        del queue[slug]
    return some


def _first(found: Collection[T], sentence: Callable[[T], str]) -> list[str]:
    """Return the sentences about the first MAX_WARNINGS, and one with the number of the others."""
    more = len(found) - MAX_WARNINGS
    rest = [f"… and {more} more such warnings"] if more > 0 else []
    return [*map(sentence, islice(found, MAX_WARNINGS)), *rest]
