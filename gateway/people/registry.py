"""Who is known, changed and followed: the store, and the gallery that every search sees, kept as one."""

from __future__ import annotations

import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from gateway.errors import BadImage, UnknownPerson, shutting_down_error
from gateway.model import Effect, FoundFace, Person
from gateway.model.caller import RETENTION_CALLER, Caller
from gateway.model.names import checked_name
from gateway.people.decision import Decision
from gateway.people.folder.pictures import UNSEEN, FolderPictures
from gateway.people.gallery import MAX_CANDIDATES, Gallery
from gateway.people.gallery_review import MAX_WARNINGS, GalleryReview
from gateway.people.lookalikes import merge_sentence, name_all
from gateway.store.limits import HourlyLimit, PeopleLimits
from gateway.store.protocols import Store
from gateway.store.records import (
    FOLDER_PREFIX,
    PICTURE_ID_DIGITS,
    EffectReply,
    ExportedPerson,
    PersonEntry,
    Picture,
    StoredFace,
)

log = logging.getLogger(__name__)

STORE_POLL_INTERVAL_S = 0.5
"""How often to look whether another process changed the store: within a second the change holds here too."""

EXPIRY_INTERVAL_S = 60.0
"""How often to look for people, and effects, that may not be kept any longer."""

EFFECT_LIFETIME_S = 2 * 86_400
"""For so long it is known what was done by which id: twice what a broker keeps for a gateway that is away."""

WRITABLE_CHECK_INTERVAL_S = 10.0
"""How often to look whether the store would let a change in."""

RECOMMENDED_PICTURES = 3
"""Pictures, with which a person is hardly ever missed (docs/reference/benchmarks.md)."""

UNLIMITED_INTERFACES = frozenset({"cli"})
"""A person who may write the data folder needs no limit on how often."""

Keep = Literal["nothing", "chips", "pictures"]
"""What of a picture is kept beside its descriptor."""

QUALITY_ADVICE: Mapping[str, str] = {
    "too_small": "come closer, or crop the picture less",
    "too_dark": "more light in the face",
    "blurred": "hold still, or use a sharper picture",
    "turned": "look at the camera, with the head upright",
    "cut_off": "the whole face must be in the picture",
    "compressed": "use the original picture, not one that was compressed to send it",
}
"""What to do about a face that is not seen well enough."""


@dataclass(frozen=True, slots=True, eq=False)
class EnrolmentSample:
    """A picture to be enrolled, with the one face in it."""

    picture: bytes
    face: FoundFace

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.picture).hexdigest()


class Registry:
    """Every change of who is known goes through here, whatever the interface. It holds for every search when
    it returns.

    ``recipe``: how descriptors are made; ``keep``: what is kept of pictures.
    """

    def __init__(
        self,
        store: Store,
        gallery: Gallery,
        decision: Decision,
        *,
        recipe: str,
        keep: Keep = "chips",
        keep_days: float | None = None,
        limits: PeopleLimits | None = None,
        logs_findings: bool = True,
    ) -> None:
        self.store = store
        self.gallery = gallery
        self.recipe = recipe
        self.decision = decision
        self._backups = store.backups
        self._keep = keep
        self._keep_days = keep_days
        self.limits = limits or PeopleLimits()
        self._enrolments = HourlyLimit(self.limits.enrolments_per_hour, "enrolments", "people.enrolments_per_hour")
        self.beside: AbstractContextManager[object] = nullcontext()
        """What else is locked while people change, reentrant: the groups of unknown faces change with them."""
        self.undone: Callable[[], None] = lambda: None
        """Told when a change was begun and is not going to be."""
        self.before_removal: Callable[[str], None] = lambda _slug: None
        """Told of the id of whoever is going to go, while they still can be compared."""
        self.in_folders: Callable[[Collection[str]], FolderPictures] = lambda _names: UNSEEN
        """Looks for the pictures in folders of known_faces/ by these names, imported or not."""
        self.warnings: tuple[str, ...] = ()
        """Sentences about people that need a person's attention, as of the last change."""
        self._name_warnings: list[str] = []
        self.gallery_review = GalleryReview(
            gallery, decision, lambda slug: store.faces.read_faces(recipe, slug)[1], logs=logs_findings
        )
        self.writable = True
        """Whether the store would let a change in, as it was some seconds ago."""
        self.delete_other_files: Callable[[], None] = lambda: None
        """Deletes other files that may show somebody who is erased."""
        self.removals = 0
        """Grows when people are found to be removed, by whichever process."""
        self._revision = 0
        self._warned = False
        self._refreshing = threading.Lock()
        self._stopping, self._interrupted = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="people")
        self.refresh()

    def apply_once(self, effect: Effect | None, change: Callable[[], EffectReply]) -> EffectReply | None:
        """What ``change`` answers, done once for each effect, however often it is asked for; None if that was about
        somebody who went since, or by it. Raises what ``change`` raises, Conflict and Timeout (Effects.apply_once).
        """
        if effect is None:
            return change()
        with self.beside:  # always before the store, by whichever thread
            try:
                document = self.store.effects.apply_once(effect, change)
            except Exception:
                self.undone()
                raise
        self.refresh()
        return document

    def start(self) -> None:
        self._thread.start()

    def interrupt(self) -> None:
        """End an import that is under way, undone: a stop need not wait for it."""
        self._interrupted.set()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def refresh(self) -> None:
        """Brings the gallery to where the store is, whoever changed it; within ``once``, when that has ended."""
        if self.store.effects.is_in_change():
            return
        self.store.audit.flush()
        with self._refreshing:
            while self.store.faces.revision() != self._revision:
                changes = self.store.faces.changes(self._revision, self.recipe)
                self.gallery.apply(changes)
                self.gallery_review.mark_changed(person.slug for person in changes.snapshot.people)
                self.removals += bool(changes.removed_keys)
                self._revision = changes.revision
                self._warn_once()
                self._name_warnings = self.store.status.find_name_warnings()
            self.gallery_review.review_next_block()
            self.warnings = (*self.gallery_review.warnings, *self._name_warnings)

    def _warn_once(self) -> None:
        """What was measured is not enough for so many people at that rate: the line is drawn on, on the safe side."""
        if self.decision.max_measured_people() < len(self.gallery) and not self._warned:
            self._warned = True
            log.warning(
                "%d people are known; the curves were measured for %d at that rate of false names: more will be missed",
                len(self.gallery),
                self.decision.max_measured_people(),
            )

    def enrol(
        self,
        name: str | None,
        samples: Sequence[EnrolmentSample],
        caller: Caller,
        *,
        person: str | None = None,
        new: bool = False,
    ) -> tuple[PersonEntry, tuple[str, ...]]:
        """By a name, which nobody need have yet, or by the id of a person; an unknown id makes a ``new`` person of that
        name, if it may.

        Gives the person, and what is not quite right. Raises BadImage for a face that is not seen well enough, before
        anything is changed, and UnknownPerson.
        """
        self._check_enrolments(caller)
        who = self._named(name) if name is not None else self._with_id(person or "", new)
        for number, sample in enumerate(samples, 1):
            self.check_face(sample.face, f"picture {number}" if len(samples) > 1 else "the picture")
        faces = [sample.face for sample in samples]
        warnings, doubles = self._doubts(who, faces), self._doubles(who, faces)
        entry = self._add(who, [self.make_picture(each, caller.audit_text()) for each in samples], caller)
        self.refresh()
        if doubles:
            warnings.append(self._double_sentence(entry.person, doubles))
        if entry.picture_count < RECOMMENDED_PICTURES:
            missing = RECOMMENDED_PICTURES - entry.picture_count
            warnings.append(
                f"add {missing} more: of people with one picture 17 % are missed,"
                f" with {RECOMMENDED_PICTURES} pictures 5 %"
            )
        return entry, tuple(warnings)

    def add_counter_examples(self, slug: str, samples: Sequence[EnrolmentSample], caller: Caller) -> PersonEntry:
        """Whoever resembles these faces as much as they resemble that person is not taken for them any more.

        Raises Conflict if no other picture of that person would be left.
        """
        self._check_enrolments(caller)
        person = self.store.people.read_entry(slug).person
        entry = self._add(
            person, [self.make_picture(each, caller.audit_text(), counter=True) for each in samples], caller
        )
        self.refresh()
        return entry

    def _check_enrolments(self, caller: Caller) -> None:
        """Raise Busy if there were too many within the last hour."""
        if caller.interface not in UNLIMITED_INTERFACES:
            self._enrolments.check(caller.audit_text())

    def _add(self, who: str | Person, pictures: Sequence[Picture], caller: Caller) -> PersonEntry:
        """Add pictures to a person. It counts as an enrolment if that changes their pictures."""
        before = self.store.people.read_entry(who.slug).pictures if isinstance(who, Person) else ()
        entry = self.store.people.enrol(who, pictures, caller)
        if caller.interface not in UNLIMITED_INTERFACES and entry.pictures != before:
            self._enrolments.count(caller.audit_text())
        return entry

    def rename(self, slug: str, name: str, caller: Caller) -> PersonEntry:
        entry = self.store.people.rename(slug, checked_name(name), caller)
        self.refresh()
        return entry

    def merge(self, slug: str, into: str, caller: Caller) -> PersonEntry:
        entry = self.store.people.merge(slug, into, caller)
        self.refresh()
        return entry

    def remove_picture(self, slug: str, picture: str, caller: Caller) -> PersonEntry | None:
        entry = self.store.people.remove_picture(slug, picture, caller)
        self.refresh()
        return entry

    def remove(self, slug: str, caller: Caller) -> Person:
        """From here on nobody is taken for them. Backups still know them."""
        self.before_removal(slug)
        person = self._remove(slug, caller, erase=False)
        self.refresh()
        return person

    def erase(self, slug: str, caller: Caller) -> Person:
        """As ``remove``, and out of every backup in the data folder; what is left is that somebody was erased.

        Backups first: whoever asks again, since we were killed in between, still finds the person. Who was removed
        before is still erased from them. Raises UnknownPerson, and GatewayError if a backup cannot be rewritten now.
        """
        with self.erasing():
            try:
                entry = self.store.people.read_entry(slug)
            except UnknownPerson:
                if not self._backups.erase(slug, ()):
                    raise
                self.delete_other_files()
                return Person(slug, slug)
            self.before_removal(slug)
            self._drop_counters_like(slug, caller)
            self._backups.erase(slug, [each.id for each in entry.pictures if not each.counter])
            self.delete_other_files()
            person = self._remove(slug, caller, erase=True)
        self.refresh()
        return person

    def _remove(self, slug: str, caller: Caller, *, erase: bool) -> Person:
        """Remove a person. Where not all pictures in their folders can be read now, these folders are closed."""
        entry = self.store.people.read_entry(slug)
        found = self.in_folders({entry.person.name, *self.store.folder_index.list_folders(slug)})
        seen = {digest[:PICTURE_ID_DIGITS] for digest in found.digests}
        # pictures that are not where they came from: the folder may be back tomorrow, with others beside them
        missing = any(each.source.startswith(FOLDER_PREFIX) and each.id not in seen for each in entry.pictures)
        closes_folders = missing or not found.complete
        return self.store.people.remove(slug, caller, erase=erase, also=found.digests, closes_folders=closes_folders)

    def erasure_warnings(self) -> tuple[str, ...]:
        """Sentences about files beside the backups that an erasure does not look into."""
        return self._backups.skipped_warnings()

    @contextmanager
    def erasing(self) -> Iterator[None]:
        """Around ``apply_once``, where somebody is erased in it: no backup is made meanwhile."""
        with self.beside, self._backups.locked():
            yield

    def export(self, slug: str | None, caller: Caller) -> Iterator[ExportedPerson]:
        """One person, or everybody, with a line in the audit before the first is given. Raises UnknownPerson."""
        self.store.audit.record(caller, "export", slug=slug)
        self.refresh()
        return self.store.archive.export_people(slug)

    def import_people(self, people: Sequence[ExportedPerson], caller: Caller, *, merge: bool = False) -> int:
        """From an archive; how many pictures were new. Raises Conflict, unless they are to ``merge``, for new pictures
        of people who are known, and Busy once the gateway is stopping: then nothing was taken from it.
        """
        added = self.store.archive.import_people(people, caller, merge=merge, check_continue=self._check_interrupted)
        self.refresh()
        return added

    def _check_interrupted(self) -> None:
        if self._interrupted.is_set():
            raise shutting_down_error()

    def make_picture(self, sample: EnrolmentSample, source: str, *, counter: bool = False) -> Picture:
        """Return the parts of a picture that are kept. Raises BadImage for a face that could not be turned upright."""
        face = sample.face
        if face.descriptor is None:
            reason = self.decision.undescribed_reason(face.quality)
            raise BadImage(f"the face in the picture is {reason.replace('_', ' ')}: {QUALITY_ADVICE[reason]}")
        described = StoredFace(face.descriptor, face.chips if self._keep != "nothing" else None)
        original = sample.picture if self._keep == "pictures" else None
        return Picture(sample.digest, source, self.recipe, described, original, counter)

    def _named(self, name: str) -> str | Person:
        return self.store.people.find_person(checked_name(name)) or checked_name(name)

    def _with_id(self, slug: str, new: bool) -> str | Person:
        try:
            return self.store.people.read_entry(slug).person
        except UnknownPerson:
            if not new:
                raise
            return self._named(slug.replace("_", " "))

    def _drop_counters_like(self, slug: str, caller: Caller) -> None:
        """Pictures that may be of that person, kept of somebody whom they were wrongly taken for."""
        if slug not in self.gallery:
            return
        for other, picture, descriptor in self.store.faces.read_counter_examples(self.recipe):
            found = self.gallery.compare_person(slug, descriptor)
            alike = self.decision.score(found.similarity, found.pictures) >= self.decision.verification_threshold()
            if other != slug and alike:
                self.store.people.remove_picture(other, picture, caller)

    def check_face(self, face: FoundFace, which: str) -> None:
        """Raises BadImage for a face that is not seen well enough to know anybody by."""
        if (shortfall := self.decision.enrolment_shortfall(face.quality)) is not None:
            reason = f"{shortfall.reason.replace('_', ' ')} ({shortfall})"
            raise BadImage(f"{which} is of no use, since the face is {reason}: {QUALITY_ADVICE[shortfall.reason]}")
        if face.descriptor is None:
            raise BadImage(f"{which} is of no use, since the face is turned: {QUALITY_ADVICE['turned']}")

    def _doubts(self, person: str | Person, faces: Sequence[FoundFace]) -> list[str]:
        """What speaks against these being pictures of one person, who is this one."""
        gallery_review = []
        verification = self.decision.verification_threshold()
        descriptors = [face.descriptor for face in faces if face.descriptor is not None]
        for one, other in combinations(descriptors, 2):
            if self.decision.score(self.gallery.compare(one, other)) < verification:
                gallery_review.append("these pictures do not look like one person")
                break
        if isinstance(person, Person) and person.slug in self.gallery:
            alike = [self.gallery.compare_person(person.slug, descriptor) for descriptor in descriptors]
            if any(self.decision.score(each.similarity, each.pictures) < verification for each in alike):
                gallery_review.append(f"this does not look like the pictures of {person.name} that are known")
        return gallery_review

    def gallery_warnings_about(self, *slugs: str) -> list[str]:
        """Sentences about these people, as of the last change: each once, and not all of very many."""
        with self._refreshing:
            return list(dict.fromkeys(each for slug in slugs for each in self.gallery_review.warnings_about(slug)))[
                :MAX_WARNINGS
            ]

    def _doubles(self, person: str | Person, faces: Sequence[FoundFace]) -> list[Person]:
        """Other people for whom one of these faces passes."""
        own = person.slug if isinstance(person, Person) else None
        limits = self.decision.similarity_limits(len(self.gallery))
        found: dict[Person, None] = {}
        for face in faces:
            if face.descriptor is not None:
                passing = self.decision.passing_candidates(self.gallery.nearest(face.descriptor, limits))
                found |= dict.fromkeys(candidate.person for candidate in passing if candidate.person.slug != own)
        return list(found)[:MAX_CANDIDATES]

    def _double_sentence(self, person: Person, doubles: Sequence[Person]) -> str:
        # within ``apply_once`` a new person is not in the gallery yet, and is the youngest
        ages = self.gallery.by_age()
        people = sorted((person, *doubles), key=lambda each: ages.get(each.slug, math.inf))
        return merge_sentence(f"this face is known as {name_all(doubles)} already", people)

    def _watch(self) -> None:
        expired = looked = -math.inf
        while not self._stopping.wait(STORE_POLL_INTERVAL_S):
            try:
                self.refresh()
                if time.monotonic() > looked + WRITABLE_CHECK_INTERVAL_S:
                    looked, self.writable = time.monotonic(), self.store.status.is_writable()
                if time.monotonic() > expired + EXPIRY_INTERVAL_S:
                    expired = time.monotonic()
                    self._expire()
            except Exception:  # a bug in the gateway too must not end the following
                log.exception("the people store cannot be followed")

    def _expire(self) -> None:
        """Erases those whose pictures are all older than they may be kept."""
        self.store.effects.delete_effects(time.time() - EFFECT_LIFETIME_S)
        if self._keep_days is None:
            return
        for slug in self.store.people.list_unchanged_since(time.time() - 86_400 * self._keep_days):
            self.erase(slug, RETENTION_CALLER)
            log.info("somebody was erased: nothing new of them for %g days", self._keep_days)
