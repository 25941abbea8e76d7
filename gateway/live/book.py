"""The open sightings of all cameras: how they begin, are decided, and end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gateway.live.events import Events
from gateway.live.evidence import Evidence
from gateway.live.groups import FindGroup, FoundGroup
from gateway.live.journal import Journal
from gateway.live.moment import Moment
from gateway.live.open_sighting import OpenSighting
from gateway.live.sighting_decision import SightingDecision
from gateway.live.visits import VisitKey, Visits
from gateway.model import FoundFace, Judgement, Person, QualityProblem
from gateway.model.sightings import EndReason, EventType, Sighting

MAX_OPEN_SIGHTINGS = 32
"""Open sightings of one camera. One more ends the one that was seen longest ago."""

SAVE_INTERVAL_S = 30.0
"""Time after which the journal gets an open sighting again, if nothing but its last face changed."""


class SightingBook:
    """The open sightings. One thread calls all methods.

    ``again_s``: a sighting ends after so many seconds without a face. ``appeared``: announce undecided sightings too.
    """

    def __init__(
        self,
        decision: SightingDecision,
        events: Events,
        journal: Journal,
        find_group: FindGroup,
        *,
        again_s: float,
        appeared: bool = False,
    ) -> None:
        self._decision = decision
        self._events = events
        self._journal = journal
        self._find_group = find_group
        self._again_s = again_s
        self._appeared = appeared
        self._visits = Visits(again_s)
        # By camera and by id.
        self._open: dict[str, dict[str, OpenSighting]] = {}

    def on_camera(self, camera: str) -> list[OpenSighting]:
        """Return the open sightings of a camera, the oldest first."""
        return list(self._open.get(camera, {}).values())

    def __iter__(self) -> Iterator[OpenSighting]:
        return iter([each for sightings in self._open.values() for each in sightings.values()])

    def find(self, key: str) -> OpenSighting | None:
        """Return an open sighting by its id."""
        return next((each for each in self if each.now.id == key), None)

    def restore(self, sighting: OpenSighting) -> None:
        """Continue a sighting of the journal."""
        self._open.setdefault(sighting.now.camera, {})[sighting.now.id] = sighting

    def begin(self, sighting: Sighting, moment: Moment) -> OpenSighting:
        """Begin a sighting."""
        of_camera = self._open.setdefault(sighting.camera, {})
        if len(of_camera) >= MAX_OPEN_SIGHTINGS:
            self.end(min(of_camera.values(), key=lambda each: each.last), "left", moment)
        opened = OpenSighting(sighting, Evidence(), moment.monotonic)
        self._open.setdefault(sighting.camera, {})[sighting.id] = opened
        if self._appeared:
            self._events.announce("appeared", opened, moment)
        return opened

    def find_return(
        self, camera: str, face: FoundFace, but: Iterable[OpenSighting], moment: Moment
    ) -> OpenSighting | None:
        """Return the open sighting of a usable face that belongs to no track, or None. ``but``: not one of these."""
        assert face.descriptor is not None
        excluded = {each.now.id for each in but}
        known = [each for each in self.on_camera(camera) if each.now.id not in excluded and each.evidence.frames]
        fitting = [each for each in known if self._decision.agrees(each.evidence, face.descriptor)]
        return max(fitting, key=lambda each: each.last, default=None)

    def add_face(
        self, sighting: OpenSighting, face: FoundFace, problem: QualityProblem | None, moment: Moment
    ) -> OpenSighting:
        """Add a face that agrees with its sighting. ``problem``: the reason why it is not usable.

        Return the sighting that the face belongs to now: an older one, if it shows the same person.
        """
        if problem is not None:
            sighting.add_problem(problem)
            return sighting
        sighting.see_usable(face, moment)
        judgement = self._decision.add_face(sighting.evidence, face, moment.monotonic)
        if judgement is not None:
            sighting = self._decide(sighting, judgement, moment)
            self._journal.add(sighting)
        self._search_group(sighting, moment)
        return sighting

    def see(self, sighting: OpenSighting, moment: Moment) -> None:
        """Note that a sighting goes on."""
        self._visits.see(_visit_key(sighting), moment.monotonic)
        if sighting.is_save_due(moment.monotonic, SAVE_INTERVAL_S):
            self._journal.add(sighting)

    def leave(self, sighting: OpenSighting, moment: Moment) -> None:
        """Note that the last track of a sighting has ended."""
        # Nobody could recognise a return.
        if not sighting.evidence.frames:
            self.end(sighting, "left", moment)

    def search_groups(self, moment: Moment) -> None:
        """Let the unknown groups of strangers be found who were seen for long enough."""
        for sighting in self:
            self._search_group(sighting, moment)

    def end_absent(self, moment: Moment, reason: Callable[[str], EndReason]) -> None:
        """End the sightings without a face for ``again_s``. ``reason``: returns why those of a camera end."""
        for sighting in self:
            if moment.monotonic > sighting.last + self._again_s:
                restarted = sighting.restored
                self.end(sighting, "restart" if restarted else reason(sighting.now.camera), moment)
        self._visits.expire(moment.monotonic)

    def end(self, sighting: OpenSighting, reason: EndReason, moment: Moment) -> None:
        """End a sighting, and announce this if it was announced."""
        self._remove(sighting)
        sighting.change(ended=moment.timestamp, reason=reason)
        if sighting.announced:
            self._events.announce("ended", sighting, moment)
        else:
            self._journal.add(sighting)

    def correct(self, sighting: OpenSighting, event_type: EventType, moment: Moment) -> None:
        """Announce a correction (``not_them``), after which a sighting has no name, or a confirmation."""
        previous = sighting.person
        if event_type == "not_them" and previous is not None:
            sighting.evidence.withdraw_name()
            sighting.change(outcome="stranger", person=None, score=None)
        self._events.announce(event_type, sighting, moment, previous)

    def rename(self, person: Person) -> None:
        """Give the open sightings of a person the person's new name."""
        for sighting in self:
            if sighting.person is not None and sighting.person.slug == person.slug:
                sighting.change(person=person)
                self._journal.add(sighting)

    def _decide(self, sighting: OpenSighting, judgement: Judgement, moment: Moment) -> OpenSighting:
        sighting.note_verdict(judgement.verdict)
        score, threshold = judgement.score, self._decision.threshold(sighting.evidence)
        frames = sighting.evidence.frames
        if judgement.person is not None:
            sighting = self._merged(sighting, judgement.person)
            sighting.change(score=score, threshold=threshold, frames=frames)
            self.give_name(sighting, judgement.person, moment)
        elif sighting.person is not None:
            self._take_name(sighting, moment)
        elif not sighting.is_decided:
            outcome = "ambiguous" if judgement.verdict == "ambiguous" else sighting.undecided_outcome
            sighting.change(
                score=score, threshold=threshold, frames=frames, outcome=outcome, candidates=judgement.candidates
            )
        return sighting

    def give_name(self, sighting: OpenSighting, person: Person, moment: Moment) -> None:
        """Give a sighting a name, and announce this if it is another than before."""
        previous, announced = sighting.person, sighting.is_announced_decision
        if previous is not None and previous.slug == person.slug:
            return
        visit = self._visits.join(VisitKey(person.slug, None), sighting.now.visit, moment.monotonic)
        sighting.change(
            outcome="named", person=person, visit=visit, unknown=None, seen=None, ignored=False, candidates=()
        )
        self._events.announce("changed" if announced else "recognised", sighting, moment, previous)

    def _take_name(self, sighting: OpenSighting, moment: Moment) -> None:
        previous = sighting.person
        sighting.change(outcome="stranger", person=None, score=None)
        self._events.announce("changed", sighting, moment, previous)

    def _search_group(self, sighting: OpenSighting, moment: Moment) -> None:
        """Let the unknown group of a stranger be found, once."""
        if sighting.best is not None and sighting.is_stranger(moment.monotonic):
            sighting.note_search()
            self._find_group(
                sighting.best[1],
                sighting.now.camera,
                moment.timestamp,
                lambda group: self.set_group(sighting, group, moment),
            )

    def set_group(self, sighting: OpenSighting, group: FoundGroup | None, moment: Moment) -> None:
        """Note the unknown group of a stranger, and announce the stranger."""
        if sighting.now.ended or sighting.person is not None:
            return
        announced = sighting.is_announced_decision
        if group is None:
            sighting.change(outcome="stranger")
        else:
            visit = self._visits.join(VisitKey(None, group.id), sighting.now.visit, moment.monotonic)
            sighting.change(outcome="stranger", unknown=group.id, seen=group.seen, ignored=group.ignored, visit=visit)
        self._journal.add(sighting)
        if not announced and not sighting.now.ignored:
            self._events.announce("stranger", sighting, moment)

    def _merged(self, sighting: OpenSighting, person: Person) -> OpenSighting:
        """Return the older sighting of the person on this camera, into which the sighting was merged, or itself."""
        if sighting.announced:
            return sighting
        same = [each for each in self.on_camera(sighting.now.camera) if each.person and each.person.slug == person.slug]
        older = next((each for each in same if each is not sighting), None)
        if older is None:
            return sighting
        self.merge(sighting, older)
        return older

    def merge(self, sighting: OpenSighting, into: OpenSighting) -> None:
        """Merge a sighting, which was not announced, into an older one of the same person."""
        self._remove(sighting)
        into.join(sighting)
        self._journal.add(into)

    def _remove(self, sighting: OpenSighting) -> None:
        of_camera = self._open.get(sighting.now.camera, {})
        of_camera.pop(sighting.now.id, None)
        if not of_camera:
            self._open.pop(sighting.now.camera, None)


def _visit_key(sighting: OpenSighting) -> VisitKey:
    return VisitKey(sighting.person.slug if sighting.person else None, sighting.now.unknown)
