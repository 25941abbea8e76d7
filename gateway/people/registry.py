"""Registry of enrolled people: all changes of people, by any interface."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from gateway.errors import UnknownPerson, shutting_down_error
from gateway.model import Effect, FoundFace, Person
from gateway.model.caller import Caller
from gateway.model.names import checked_name
from gateway.people.enrolment import Enroller, EnrolmentSample, samples_of_stored
from gateway.people.followed_changes import FollowedChanges
from gateway.people.removal import PersonRemover
from gateway.people.unknown_groups import UnknownGroups
from gateway.store.protocols import Sightings, Store
from gateway.store.records import EffectReply, ExportedPerson, PersonEntry, UnknownGroup

UNKNOWN_SOURCE = "unknown"
"""The source of the pictures of an exported group of unknown faces."""


class Registry:
    """Changes of people. Each change is effective for every search, at all replicas, when its method returns.

    Methods raise UnknownPerson for an id that nobody has, and GatewayError if the store fails. They raise Busy if not
    all replicas follow in time: the change is made then.
    """

    def __init__(
        self,
        store: Store,
        changes: FollowedChanges,
        enroller: Enroller,
        remover: PersonRemover,
        groups: UnknownGroups,
        sightings: Sightings,
    ) -> None:
        self._store = store
        self._changes = changes
        self.change, self.confirm_later = changes.change, changes.confirm_later
        self._enroller = enroller
        self._remover = remover
        self._groups = groups
        self._sightings = sightings
        self._interrupted = threading.Event()

    def apply_once(self, effect: Effect | None, change: Callable[[], EffectReply]) -> EffectReply | None:
        """Make a change once for each effect, and return its reply, also to each repeat of the request.

        Return None if the person of the reply was removed since, or by this change. Raises the errors of ``change``,
        Conflict and Timeout (Effects.apply_once).
        """
        with self._changes.change():
            reply = change() if effect is None else self._apply_effect(effect, change)
            if reply is None:
                self._changes.note_removal()
            return reply

    def _apply_effect(self, effect: Effect, change: Callable[[], EffectReply]) -> EffectReply | None:
        # Every thread takes the lock of the groups before that of the store: otherwise two threads could deadlock.
        with self._groups.lock:
            try:
                return self._store.effects.apply_once(effect, change)
            except Exception:
                # The store rolled the change back. The groups in memory may have changed with it.
                self._groups.reload()
                raise

    def was_applied(self, effect: Effect | None) -> bool:
        """Return whether the change of an effect was made before: ``apply_once`` then returns its reply at any time."""
        return effect is not None and self._store.effects.was_applied(effect)

    def complete_reply(self, effect: Effect | None, reply: EffectReply, complete: EffectReply) -> EffectReply | None:
        """Replace the reply of ``apply_once`` by a complete one, and return the reply that is stored now.

        If another thread or process completed the reply first, return that reply. Return None as ``apply_once`` does.
        """
        return complete if effect is None else self._store.effects.replace_reply(effect, reply, complete)

    def compare_samples(self, samples: Sequence[EnrolmentSample]) -> Sequence[EnrolmentSample]:
        """Return samples, compared with all people if that takes long. Within a change, all others would wait."""
        return self._enroller.compare(samples)

    def enrol(
        self,
        name: str | None,
        samples: Sequence[EnrolmentSample],
        caller: Caller,
        *,
        person: str | None = None,
        new: bool = False,
        source: str | None = None,
    ) -> tuple[PersonEntry, tuple[str, ...]]:
        """Enrol faces of one person, and return the person and warnings about the faces.

        ``name``: the name of an enrolled or a new person; ``person``: an id, if there is no name; ``new``: create a
        person if nobody has this id; ``source``: of the pictures, by default the caller. Raises BadImage for a face of
        too low quality, before anything is changed.
        """
        with self._changes.change():
            return self._enroller.enrol(name, samples, caller, person=person, new=new, source=source)

    def compare_unknown(self, key: int) -> Sequence[EnrolmentSample]:
        """Return the faces of a group of unknown faces, compared as by ``compare_samples``; none for no such group."""
        try:
            return self.compare_samples(samples_of_stored(self._groups.faces_to_name(key)))
        except UnknownPerson:
            return ()

    def enrol_unknown(
        self,
        key: int,
        name: str | None,
        caller: Caller,
        *,
        person: str | None = None,
        compared: Sequence[EnrolmentSample] = (),
    ) -> tuple[PersonEntry, tuple[str, ...]]:
        """Enrol the faces of a group of unknown faces, as ``enrol`` does, and delete the group.

        The stored sightings of the group get the name. ``compared``: the result of ``compare_unknown``.
        """
        similar = {sample.digest: sample.similar for sample in compared}
        with self._changes.change(), self._groups.lock:
            faces = self._groups.faces_to_name(key)
            # The picture of such a face is not kept: its chips take the place of the picture.
            samples = [replace(each, similar=similar.get(each.digest)) for each in samples_of_stored(faces)]
            enrolled = self.enrol(name, samples, caller, person=person)
            self._sightings.relabel(key, enrolled[0].person)
            self._groups.forget(key)
            return enrolled

    def forget_unknown(self, key: int) -> None:
        """Delete a group of unknown faces, and its sightings."""
        with self._changes.change(), self._groups.lock:
            self._groups.forget(key)
            self._sightings.forget_unknown(key)

    def join_unknowns(self, key: int, into: int) -> UnknownGroup:
        """Add a group of unknown faces, with its sightings, to another group. Return the other group."""
        with self._changes.change(), self._groups.lock:
            group = self._groups.join(key, into)
            self._sightings.move_unknown(key, into)
            return group

    def add_counter_examples(
        self, slug: str, samples: Sequence[EnrolmentSample], caller: Caller, *, source: str | None = None
    ) -> PersonEntry:
        """Add faces that were wrongly taken for a person.

        A face that is at least as similar to a counter-example as to the person is not taken for the person any more.
        Raises Conflict if the person would have no other picture left.
        """
        with self._changes.change():
            return self._enroller.add_counter_examples(slug, samples, caller, source=source)

    def rename(self, slug: str, name: str, caller: Caller) -> PersonEntry:
        """Give a person another name. Raises Conflict if another person has this name."""
        with self._changes.change():
            return self._store.people.rename(slug, checked_name(name), caller)

    def merge(self, slug: str, into: str, caller: Caller) -> PersonEntry:
        """Add the pictures of a person to another person, and remove the first one."""
        with self._changes.change(removes=True):
            return self._store.people.merge(slug, into, caller)

    def split(
        self, slug: str, pictures: Sequence[str], caller: Caller, *, into: str | None = None, name: str | None = None
    ) -> PersonEntry:
        """Move some pictures of a person, by their ids, to another person, and return the other one.

        ``into``: the id of the other person; else ``name``, of an enrolled or a new person. Raises Conflict as
        ``store.protocols.People.split`` does.
        """
        if into is not None:
            target: str | Person = self._store.people.read_entry(into).person
        else:
            target = self._store.people.find_person(checked_name(name)) or checked_name(name)
        with self._changes.change():
            return self._store.people.split(slug, pictures, target, caller)

    def choose_shown(self, slug: str, picture: str, caller: Caller) -> PersonEntry:
        """Choose the picture by which users recognise a person. Raises Conflict for a counter-example."""
        with self._changes.change():
            return self._store.people.choose_shown(slug, picture, caller)

    def check_face(self, face: FoundFace, subject: str) -> None:
        """Raise BadImage for a face that ``enrol`` would refuse. ``subject``: the picture, for the message."""
        self._enroller.check_face(face, subject)

    def remove_picture(self, slug: str, picture: str, caller: Caller) -> PersonEntry | None:
        """Remove a picture by its id. Return None if the person was removed with the last picture."""
        with self._changes.change(removes=True):
            return self._store.people.remove_picture(slug, picture, caller)

    def remove(self, slug: str, caller: Caller) -> Person:
        """Remove a person. Backups still contain the person."""
        with self._changes.change(removes=True):
            return self._remover.remove(slug, caller)

    def erase(self, slug: str, caller: Caller) -> Person:
        """Remove a person also from every backup in the data folder. Only the fact of an erasure is kept.

        A person who was removed before is still erased from the backups. Raises GatewayError if a backup cannot be
        rewritten now.
        """
        with self._changes.change(removes=True):
            return self._remover.erase(slug, caller)

    @contextmanager
    def erasing(self) -> Iterator[None]:
        """Give a context around ``apply_once`` for an erasure. Within it no backup is made."""
        with self._changes.change(removes=True), self._remover.erasing():
            yield

    def export(self, slug: str | None, caller: Caller) -> Iterator[ExportedPerson]:
        """Return one person or everybody. The export is in the audit before the first person is returned."""
        self._store.audit.record(caller, "export", slug=slug)
        self._changes.refresh()
        return self._store.archive.export_people(slug)

    def export_unknown(self, key: int, caller: Caller) -> ExportedPerson:
        """Return a group of unknown faces as a person without a name of their own. The export is in the audit."""
        samples = samples_of_stored(self._groups.faces_to_name(key))
        pictures = self._enroller.make_pictures(samples, UNKNOWN_SOURCE)
        self._store.audit.record(caller, "export_unknown", pictures=len(pictures))
        last = self._groups.group(key).last
        return ExportedPerson(Person(f"unknown_{key}", f"unknown {key}"), pictures, [last] * len(pictures))

    def import_people(self, people: Sequence[ExportedPerson], caller: Caller, *, merge: bool = False) -> int:
        """Add people from an archive, and return the number of new pictures.

        Without ``merge``, new pictures of enrolled people raise Conflict. Raises Busy when the gateway stops: nothing
        is imported then.
        """
        with self._changes.change():
            check = self._check_interrupted
            return self._store.archive.import_people(people, caller, merge=merge, check_continue=check)

    def interrupt(self) -> None:
        """Roll back an import that is running, so that a stop does not wait for it."""
        self._interrupted.set()

    def _check_interrupted(self) -> None:
        if self._interrupted.is_set():
            raise shutting_down_error()
