"""The open sightings of all cameras: how they begin, are decided, and end."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.live.ended_early import EndedEarly
from gateway.live.events import Events
from gateway.live.evidence import Evidence
from gateway.live.groups import FindGroup, FoundGroup
from gateway.live.journal import Journal
from gateway.live.moment import Moment
from gateway.live.open_sighting import OpenSighting
from gateway.live.open_sightings import OpenSightings
from gateway.live.sighting_decision import SightingDecision
from gateway.live.visits import VisitKey, Visits
from gateway.model import FoundFace, Judgement, Person, QualityProblem
from gateway.model.sightings import EndReason, EventType, Sighting

MAX_OPEN_SIGHTINGS = 32
"""Open sightings of one camera. One more ends the one that was seen longest ago."""

SAVE_INTERVAL_S = 30.0
"""Time after which the journal gets an open sighting again, if nothing but its last face changed."""


class SightingBook:
    """The rules by which sightings begin, are decided, and end. One thread calls all methods.

    ``open``: the sightings that have not ended. ``ended_early``: those that ended before ``again_s`` seconds without a
    face. ``appeared``: announce undecided sightings too.
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
        self.open = OpenSightings(decision)
        self.ended_early = EndedEarly(decision, again_s)

    def restore(self, sighting: OpenSighting) -> None:
        """Continue a sighting of the last run, and its visit, unless that was done before."""
        if any(each.now.id == sighting.now.id for each in self.open.on_camera(sighting.now.camera)):
            return
        self.open.add(sighting)
        if sighting.is_decided:
            self._visits.join(sighting.visit_key, sighting.now.visit, sighting.last)

    def begin(self, sighting: Sighting, moment: Moment) -> OpenSighting:
        """Begin a sighting."""
        others = self.open.on_camera(sighting.camera)
        if len(others) >= MAX_OPEN_SIGHTINGS:
            self.end(min(others, key=lambda each: each.last), "left", moment)
        opened = OpenSighting(sighting, Evidence(), moment.monotonic)
        self.open.add(opened)
        if self._appeared:
            self._events.announce("appeared", opened, moment)
        return opened

    def add_face(
        self,
        sighting: OpenSighting,
        face: FoundFace,
        problem: QualityProblem | None,
        but: Iterable[OpenSighting],
        moment: Moment,
        *,
        more_follow: bool,
    ) -> OpenSighting:
        """Add a face that agrees with its sighting. ``problem``: the reason why it is not usable.

        Return the sighting that the face belongs to now: an older one, if it shows the same person. ``but``: it is none
        of these, since their faces are in the same picture. ``more_follow``: the next frame comes soon.
        """
        if problem is not None:
            sighting.add_problem(problem)
            return self.decide_waiting(sighting, moment)
        if not sighting.evidence.frames and not sighting.announced:
            # The face may have been too poor so far to be recognised as a return.
            sighting = self._merged(sighting, self.open.find_return(sighting.now.camera, face, [*but, sighting]))
        repeated = None
        if not sighting.evidence.frames:
            lookalike = self.open.find_lookalike(sighting.now.camera, face, [*but, sighting])
            repeated = self.ended_early.hand_over(sighting, face, lookalike)
        sighting.see_usable(face, moment)
        judgement = self._decision.add_face(sighting.evidence, face, moment.monotonic, more_follow=more_follow)
        sighting = self._decide(sighting, judgement or repeated, moment)
        self._search_group(sighting, moment)
        return sighting.merged_into or sighting

    def decide_waiting(self, sighting: OpenSighting, moment: Moment) -> OpenSighting:
        """Decide about a sighting whose second face does not come. Return the sighting that it is now."""
        return self._decide(sighting, self._decision.decide_waiting(sighting.evidence, moment.monotonic), moment)

    def follow_up(self, moment: Moment) -> None:
        """Decide about sightings whose second face does not come, and let the groups of seen strangers be found."""
        for sighting in self.open:
            self._search_group(self.decide_waiting(sighting, moment), moment)

    def see(self, sighting: OpenSighting, moment: Moment) -> None:
        """Note that a sighting goes on."""
        self._visits.see(sighting.visit_key, moment.monotonic)
        if sighting.is_save_due(moment.monotonic, SAVE_INTERVAL_S):
            self._journal.add(sighting)

    def rest(self, sighting: OpenSighting, moment: Moment) -> None:
        """Note that a sighting goes on with a face that stands still."""
        sighting.rest(moment)
        self.see(sighting, moment)

    def leave(self, sighting: OpenSighting, moment: Moment) -> None:
        """Note that the last track of a sighting has ended."""
        # Nobody could recognise a return.
        if not sighting.evidence.frames:
            self.end(sighting, "left", moment)

    def end_absent(self, moment: Moment, reason: Callable[[str], EndReason]) -> None:
        """End the sightings without a face for ``again_s``. ``reason``: returns why those of a camera end."""
        for sighting in self.open:
            if moment.monotonic > sighting.last + self._again_s:
                self.end(sighting, "restart" if sighting.restored else reason(sighting.now.camera), moment)
        self._visits.expire(moment.monotonic)
        self.ended_early.expire(moment.monotonic)

    def end(self, sighting: OpenSighting, reason: EndReason, moment: Moment) -> None:
        """End a sighting, and announce this if it was announced."""
        self.open.remove(sighting)
        sighting.change(ended=moment.timestamp, reason=reason)
        if sighting.announced:
            self._events.announce("ended", sighting, moment)
        else:
            self._journal.add(sighting)
        self.ended_early.add(sighting, moment.monotonic)

    def correct(
        self, sighting: OpenSighting, stored: Sighting, event_type: EventType, previous: Person | None, moment: Moment
    ) -> None:
        """Note that a user corrected or confirmed a sighting. ``stored``: as it is in the store after that."""
        before = sighting.person
        sighting.evidence.set_person(stored.person.slug if stored.person else None)
        if stored.person is None:
            sighting.forget_best()
        sighting.change(
            outcome=stored.outcome, person=stored.person, unknown=stored.unknown, seen=stored.seen, score=stored.score
        )
        self._events.announce(event_type, sighting, moment, previous or before)

    def change(self, sighting: OpenSighting, person: Person | None, ignored: bool, moment: Moment) -> None:
        """Note that a user named the unknown group of a stranger, or that it is ignored now, or not any more."""
        if person is not None:
            sighting.evidence.set_person(person.slug)
            self.give_name(sighting, person, moment)
        elif sighting.now.ignored != ignored:
            sighting.change(ignored=ignored)
            self._journal.add(sighting)

    def rename(self, person: Person) -> None:
        """Give the open sightings of a person the person's new name."""
        for sighting in self.open:
            if sighting.person is not None and sighting.person.slug == person.slug:
                sighting.change(person=person)
                self._journal.add(sighting)

    def _decide(self, sighting: OpenSighting, judgement: Judgement | None, moment: Moment) -> OpenSighting:
        """Apply a judgement, and return the sighting that it belongs to now. None changes nothing."""
        if judgement is None:
            return sighting
        sighting.note_verdict(judgement.verdict)
        score, threshold = judgement.score, self._decision.threshold(sighting.evidence)
        frames = sighting.evidence.frames
        if judgement.person is not None:
            sighting = self._merged(sighting, self.open.find_named(sighting, judgement.person))
            sighting.change(score=score, threshold=threshold, frames=frames)
            self.give_name(sighting, judgement.person, moment)
        elif sighting.person is not None:
            self._take_name(sighting, moment)
        elif not sighting.is_decided:
            outcome = "ambiguous" if judgement.verdict == "ambiguous" else sighting.undecided_outcome
            sighting.change(
                score=score, threshold=threshold, frames=frames, outcome=outcome, candidates=judgement.candidates
            )
        self._journal.add(sighting)
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
        # The next usable face is for the unknown group: the chips of the best one are not here any more.
        sighting.forget_best()
        sighting.change(outcome="stranger", person=None, score=None)
        self._events.announce("changed", sighting, moment, previous)

    def _search_group(self, sighting: OpenSighting, moment: Moment) -> None:
        """Let the unknown group of a stranger be found, once."""
        if sighting.best is None or not sighting.is_stranger(moment.monotonic):
            return
        sighting.note_search()
        # Somebody who looked different for a moment must not be announced as a stranger.
        if self._merged(sighting, self.open.find_same(sighting)) is sighting:
            face = sighting.best[1]
            self._find_group(
                face, sighting.now.camera, moment.timestamp, lambda group: self.set_group(sighting, group, moment)
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

    def _merged(self, sighting: OpenSighting, older: OpenSighting | None) -> OpenSighting:
        """Merge a sighting into an older one of the same person, unless it was announced. Return the one to use."""
        if older is None or sighting.announced:
            return sighting
        self.open.remove(sighting)
        older.join(sighting)
        self._journal.add(older)
        return older
