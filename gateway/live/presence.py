"""Presence: the people on each camera now, and the camera of each person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gateway.live.announcer import Announcer
from gateway.live.moment import Moment
from gateway.model import Person
from gateway.model.sightings import PersonPresence, Presence, PresentPerson, Sighting

LAST_SEEN_INTERVAL_S = 60.0
"""Time between two announcements of a present person that differ only in ``last_seen``."""


class PresenceBoard:
    """The presence of cameras and of people. Each change is announced. One thread calls the methods that change it."""

    def __init__(self, announcer: Announcer) -> None:
        self._announcer = announcer
        self._cameras: dict[str, Presence] = {}
        self._people: dict[str, PersonPresence] = {}
        # The sightings of each person that are present, by camera.
        self._present: dict[str, dict[str, Sighting]] = {}

    @property
    def cameras(self) -> Mapping[str, Presence]:
        return self._cameras

    @property
    def people(self) -> Mapping[str, PersonPresence]:
        return self._people

    def add_camera(self, camera: str, last: Sighting | None = None) -> None:
        """Announce that nobody is on a camera that was not known. ``last``: the last sighting that was present."""
        if camera in self._cameras:
            return
        presence = Presence(camera=camera)
        if last is not None:
            presence = replace(presence, last_text=_with(presence, [last]).text, last_at=last.last_seen)
        self._show(presence)

    def remove_camera(self, camera: str) -> None:
        self._cameras.pop(camera, None)

    def release_camera(self, camera: str) -> None:
        """Announce the people on a camera no more, since another replica does."""
        self._cameras.pop(camera, None)
        for slug, cameras in list(self._present.items()):
            cameras.pop(camera, None)
            if not cameras:
                del self._present[slug]

    def add_person(self, presence: PersonPresence) -> None:
        """Announce a person who was not known, or has another name."""
        self._people[presence.person.slug] = presence
        self._announcer.announce_person(presence)

    def note_last(self, last: Sighting) -> None:
        """Note a sighting of a person that got the name later, if it is the last one."""
        before = self._people.get(last.person.slug) if last.person else None
        if before is not None and not before.present and (before.last_seen or 0.0) < last.last_seen:
            self.add_person(replace(before, camera=last.camera, since=last.since, last_seen=last.last_seen))

    def rename_person(self, person: Person) -> None:
        """Announce a person under another name. The one of before stands nowhere any more."""
        before = self._people[person.slug].person.name
        for presence in list(self._cameras.values()):
            if before in presence.last_text:
                self._show(replace(presence, last_text="", last_at=None))
        self.add_person(replace(self._people[person.slug], person=person))

    def remove_person(self, slug: str) -> None:
        """Withdraw everything that names a person."""
        self._people.pop(slug, None)
        self._present.pop(slug, None)
        for presence in list(self._cameras.values()):
            without = presence.without_person(slug)
            if without != presence:
                self._show(without)
        self._announcer.remove_person(slug)

    def update(self, camera: str, sightings: Iterable[Sighting], moment: Moment) -> None:
        """Note the sightings whose face is on a camera now."""
        present = sorted(sightings, key=lambda each: each.since)
        self._update_camera(camera, present, moment)
        self._update_people(camera, present, moment)

    def _update_camera(self, camera: str, present: list[Sighting], moment: Moment) -> None:
        before = self._cameras.get(camera, Presence(camera=camera))
        after = _with(before, present)
        if after != before or camera not in self._cameras:
            shown = after if after.count else before
            if shown.count:
                after = replace(after, last_text=shown.text, last_at=moment.timestamp)
            self._show(after)

    def _show(self, presence: Presence) -> None:
        self._cameras[presence.camera] = presence
        self._announcer.announce_presence(presence)

    def _update_people(self, camera: str, present: list[Sighting], moment: Moment) -> None:
        here = {each.person.slug: each for each in reversed(present) if each.person is not None}
        for slug, sighting in here.items():
            self._present.setdefault(slug, {})[camera] = sighting
            self._show_person(slug, moment)
        for slug in [slug for slug, cameras in self._present.items() if camera in cameras and slug not in here]:
            last = self._present[slug].pop(camera)
            if not self._present[slug]:
                del self._present[slug]
            self._show_person(slug, moment, last)

    def _show_person(self, slug: str, moment: Moment, left: Sighting | None = None) -> None:
        """Announce where a person is. ``left``: the sighting that is not present any more."""
        before = self._people.get(slug)
        here = max(self._present.get(slug, {}).values(), key=lambda each: each.since, default=None)
        shown = here or left
        if shown is None or shown.person is None:
            return
        last_seen = max(shown.last_seen, (before.last_seen if before else None) or 0.0)
        if before is not None and here is not None and _is_nearly(before, here, last_seen):
            return
        self.add_person(
            PersonPresence(
                person=shown.person,
                present=here is not None,
                camera=shown.camera,
                since=shown.since,
                last_seen=last_seen,
            )
        )


def _with(presence: Presence, present: Sequence[Sighting]) -> Presence:
    """Return the presence on a camera with these sightings, the oldest first."""
    people: dict[str, PresentPerson] = {}
    for each in present:
        if each.person is not None:
            people.setdefault(each.person.slug, PresentPerson(each.person, each.since))
    strangers = sum(each.is_present_stranger for each in present)
    return replace(presence, people=tuple(people.values()), strangers=strangers)


def _is_nearly(before: PersonPresence, here: Sighting, last_seen: float) -> bool:
    """Return whether a person is where they were, and was announced a short time ago."""
    is_same = (before.person, before.camera, before.since) == (here.person, here.camera, here.since)
    return before.present and is_same and last_seen - (before.last_seen or 0.0) < LAST_SEEN_INTERVAL_S
