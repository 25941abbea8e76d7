"""The state of one live camera: its tracks, and when its frames come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import median

from gateway.live.moment import Moment
from gateway.live.open_sighting import OpenSighting
from gateway.live.tracks import MIN_OVERLAP, Track, overlap
from gateway.live.visits import new_id
from gateway.model import Box, FoundFace, Judgement, Request
from gateway.model.sightings import Sighting

GONE_INTERVALS = 2.5
"""Frame intervals without a face after which a track ends, if they are longer than ``live.gone_s``."""

REMEMBERED_INTERVALS = 5
"""Frame intervals whose median is the interval of a camera."""


MAX_TRACKS = 128
"""Tracks of a camera at the beginning of a frame, four times the faces of one picture. The oldest ones end."""

FAST_INTERVAL_S = 0.35
"""Frame interval up to which the first look at a sighting waits for its second face: it comes in time, even if a frame
is lost.
"""


@dataclass(frozen=True, slots=True, eq=False)
class FollowedFace:
    """A face of a live frame. ``judgement``: of this picture alone; ``sighting``: its state after the frame."""

    face: FoundFace
    judgement: Judgement
    track: str
    sighting: Sighting


class Camera:
    """The state of one camera. It belongs to one thread.

    ``again_s``: the longest gap in a sighting, which is also the longest frame interval that counts. ``frozen_s``: the
    time after which a picture that does not change at all is no proof that somebody is there.
    """

    def __init__(self, name: str, gone_s: float, again_s: float, frozen_s: float) -> None:
        self.name = name
        self.tracks: list[Track[OpenSighting]] = []
        self.last = Moment(float("-inf"), 0.0)
        self._gone_s = gone_s
        self._again_s = again_s
        self._frozen_s = frozen_s
        self._shown: dict[str, tuple[FoundFace, Judgement]] = {}
        self._intervals: deque[float] = deque(maxlen=REMEMBERED_INTERVALS)
        self.is_repeated = False
        """The last frame was the same picture as the one before, byte by byte."""
        self._digest: int | None = None
        self._changed_at = float("-inf")

    def accept(self, picture: bytes, moment: Moment) -> bool:
        """Note a frame. Return False if it came too late, or is the same picture for too long."""
        if moment.monotonic < self.last.monotonic:
            return False
        interval = moment.monotonic - self.last.monotonic
        if interval <= self._again_s:
            self._intervals.append(interval)
        self.last = moment
        digest = hash(picture)
        self.is_repeated, self._digest = digest == self._digest, digest
        if not self.is_repeated:
            self._changed_at = moment.monotonic
        return moment.monotonic - self._changed_at <= self._frozen_s

    @property
    def is_fast(self) -> bool:
        """True if the next frame comes soon."""
        return bool(self._intervals) and median(self._intervals) <= FAST_INTERVAL_S

    @property
    def gone_s(self) -> float:
        """The time without a face after which a track ends."""
        slow = GONE_INTERVALS * median(self._intervals) if self._intervals else 0.0
        return min(max(self._gone_s, slow), max(self._again_s, self._gone_s))

    def show(self, track: Track[OpenSighting], face: FoundFace, judgement: Judgement) -> FollowedFace:
        """Return the face of a track for the answer, and remember the face until the next one."""
        # The pictures and the descriptor would take 40 kB.
        small = replace(face, descriptor=None, chips=None, crop=None, landmarks=None)
        self._shown[track.id] = small, judgement
        return FollowedFace(face, judgement, track.id, _visible(track))

    def show_again(self, track: Track[OpenSighting]) -> FollowedFace | None:
        """Return the last face of a track again, or None if it was not shown."""
        shown = self._shown.get(track.id)
        return None if shown is None else FollowedFace(*shown, track.id, _visible(track))

    def rest(self, still: Iterable[Box], moment: Moment) -> list[Track[OpenSighting]]:
        """Continue the tracks whose faces stand still, and return their last faces.

        ``still``: the boxes around which nothing changed.
        """
        rested = []
        for box in still:
            track = max(self.tracks, key=lambda each: overlap(each.box, box), default=None)
            if track is not None and overlap(track.box, box) >= MIN_OVERLAP:
                track.rest(moment.monotonic)
                rested.append(track)
        return rested

    def followed(self, moment: Moment, but: Track[OpenSighting] | None = None) -> list[OpenSighting]:
        """Return the sightings with a face in the frame of this moment. ``but``: not those of this track alone."""
        return [each.owner for each in self.tracks if each.last == moment.monotonic and each is not but]

    def follow_merges(self) -> None:
        """Let the tracks of sightings that were merged belong to the older ones."""
        for track in self.tracks:
            if track.owner.merged_into is not None:
                track.give_to(track.owner.merged_into)

    def give_tracks(self, owner: OpenSighting, to: OpenSighting) -> None:
        """Let the tracks of a sighting belong to another one."""
        for track in self.tracks:
            if track.owner is owner:
                track.give_to(to)

    def end_absent(self, moment: Moment) -> list[Track[OpenSighting]]:
        """End the tracks without a face, and those beyond MAX_TRACKS. Return them."""
        gone_s = self.gone_s
        over = [track for track in self.tracks if track.is_over(moment.monotonic, gone_s)]
        others = sorted((track for track in self.tracks if track not in over), key=lambda track: track.last)
        return self.end([*over, *others[: max(0, len(others) - MAX_TRACKS)]])

    def end(self, tracks: Iterable[Track[OpenSighting]]) -> list[Track[OpenSighting]]:
        """End tracks, and return them."""
        ended = list(tracks)
        for track in ended:
            self._shown.pop(track.id, None)
        self.tracks = [each for each in self.tracks if each not in ended]
        return ended

    def present(self) -> list[Sighting]:
        """Return the sightings that have a track."""
        return list({each.owner.now.id: each.owner.now for each in self.tracks}.values())


def _visible(track: Track[OpenSighting]) -> Sighting:
    """Return the sighting as the answer to a frame shows it: without a name if the face differs from the track."""
    now = track.owner.now
    if not track.in_doubt:
        return now
    return replace(now, outcome="undecided", person=None, unknown=None, score=None, candidates=())


def new_sighting(camera: str, request: Request, face: FoundFace) -> Sighting:
    """Return the sighting that begins with a face in a frame."""
    key, now = new_id(), request.origin.timestamp
    return Sighting(
        id=key,
        visit=key,
        camera=camera,
        since=now,
        last_seen=now,
        box=face.box,
        frigate_event=request.frigate_event,
        zones=request.zones,
    )
