"""The live cameras: what their frames mean for sightings and presence. One thread calls all methods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.live.book import SightingBook
from gateway.live.camera import Camera, FollowedFace, new_sighting
from gateway.live.camera_board import CameraBoard
from gateway.live.moment import Moment, moment_of
from gateway.live.open_sighting import OpenSighting
from gateway.live.owned_cameras import OwnedCameras
from gateway.live.presence import PresenceBoard
from gateway.live.switches import Switches
from gateway.live.tracks import Follower, SeenFace, Track
from gateway.model import Analysis, FoundFace, Request
from gateway.model.sightings import EndReason, Sighting
from gateway.service.face_judge import FaceJudge, Judgements


@dataclass(frozen=True, slots=True)
class CameraRules:
    """The settings for live cameras: see ``live`` and ``sightings`` in the configuration.

    ``known``: cameras that are configured, or that an earlier run has announced.
    """

    gone_s: float
    again_s: float
    lost_s: float
    most_cameras: int
    known: frozenset[str] = frozenset()


class LiveCameras:
    """The cameras that sent a live frame, and their tracks."""

    def __init__(
        self,
        book: SightingBook,
        presence: PresenceBoard,
        judge: FaceJudge,
        switches: Switches,
        board: CameraBoard,
        rules: CameraRules,
        owned: OwnedCameras,
    ) -> None:
        self._book = book
        self._presence = presence
        self._judge = judge
        self._switches = switches
        self._board = board
        self._rules = rules
        self._owned = owned
        self._follower = Follower[OpenSighting](judge.decades, lambda sighting: sighting.person is not None)
        # In the order of the last frames, so that the first camera is the one that was silent for longest.
        self._cameras: dict[str, Camera] = {}
        self._tracks = 0

    def add_known(self, name: str, last: Sighting | None, last_frame: float | None, moment: Moment) -> None:
        """Announce a camera that is known before its first frame: nobody is there.

        ``last``: the last sighting that was present; ``last_frame``: the time of a frame of an earlier run, in seconds
        since 1970.
        """
        self._presence.add_camera(name, last)
        self._board.add_known(name, last_frame, moment)

    def add_frame(self, request: Request, analysis: Analysis, early: Judgements = None) -> list[FollowedFace] | None:
        """Add a frame. Return its faces and those that stand still, or None for a frame that changes nothing."""
        moment, name = moment_of(request), request.origin.camera
        assert name is not None
        if not (self._owned.owns(name) and self._switches.is_followed(name)):
            return None
        camera = self._camera(name, moment)
        if not camera.accept(request.pictures[0], moment):
            return None
        self._board.note_frame(name, moment)
        rested = camera.rest(analysis.still, moment)
        for track in rested:
            self._book.rest(track.owner, moment)
        self._leave(camera, camera.end_absent(moment), moment)
        found = self._follow(camera, request, analysis.faces)
        again = [camera.show_again(track) for track in rested if track in camera.tracks and track not in found]
        judgements = self._judge.judge_all(analysis.faces, early)
        shown = [camera.show(*each) for each in zip(found, analysis.faces, judgements, strict=True)]
        self._update(camera, moment)
        return [*shown, *(each for each in again if each is not None)]

    def tick(self, moment: Moment) -> None:
        """End tracks, sightings and connections that are over. Called several times a second."""
        self._book.follow_up(moment)
        for camera in self._cameras.values():
            # Most cameras show nobody most of the time.
            if camera.tracks:
                self._leave(camera, camera.end_absent(moment), moment)
                self._update(camera, moment)
        self._board.tick(moment)
        self._book.end_absent(moment, lambda name: self._reason(name, moment))

    def announce_switch(self, name: str, moment: Moment) -> None:
        """Announce the switch of a camera that is known. A misspelled name must not become a device."""
        if name in self._rules.known or self._board.knows(name):
            self.announce_refused(name, moment)

    def announce_refused(self, name: str, moment: Moment) -> None:
        """Announce a camera whose frame was refused since it is off, while there is room for it."""
        # Another replica announces the cameras that it owns.
        if not self._owned.owns(name):
            return
        # Any topic can name a camera.
        if self._board.knows(name) or len(self._board) < self._rules.most_cameras:
            self._board.announce(name, moment)

    def find_known(self, names: Iterable[str]) -> frozenset[str]:
        """Return those of the names that are configured, or that an earlier run has announced."""
        return self._rules.known.intersection(names)

    def disable(self, name: str, moment: Moment) -> None:
        """End the sightings of a camera that was switched off."""
        self._end_all(name, "disabled", moment)

    def forget(self, name: str, moment: Moment) -> None:
        """Forget a camera."""
        self._end_all(name, "left", moment)
        self._cameras.pop(name, None)
        self._board.forget(name)
        self._presence.remove_camera(name)

    @property
    def owned(self) -> frozenset[str] | None:
        """The names of the cameras that this gateway follows; None for all cameras."""
        return self._owned.names

    def release(self, name: str) -> None:
        """Leave a camera to another replica, as it is in the store. Nothing about it is withdrawn."""
        self._cameras.pop(name, None)
        self._board.release(name)
        self._presence.release_camera(name)

    def drop_sighting(self, sighting: OpenSighting, moment: Moment) -> None:
        """End the tracks of a sighting."""
        camera = self._cameras.get(sighting.now.camera)
        if camera is not None:
            camera.end([track for track in camera.tracks if track.owner is sighting])
            self._update(camera, moment)

    def update_presence(self, name: str, moment: Moment) -> None:
        """Announce the presence on a camera if it has changed."""
        if name in self._cameras:
            self._update(self._cameras[name], moment)

    @property
    def threshold(self) -> float:
        """The lowest score at which a face is named."""
        return self._judge.threshold

    @property
    def names(self) -> list[str]:
        return list(self._cameras)

    def _camera(self, name: str, moment: Moment) -> Camera:
        camera = self._cameras.pop(name, None)
        if camera is None:
            camera = Camera(name, self._rules.gone_s, self._rules.again_s, self._rules.lost_s)
            self._presence.add_camera(name)
            while len(self._cameras) >= self._rules.most_cameras:
                self.forget(next(iter(self._cameras)), moment)
        self._cameras[name] = camera
        return camera

    def _follow(self, camera: Camera, request: Request, found: Sequence[FoundFace]) -> list[Track[OpenSighting]]:
        """Continue and begin tracks with the faces of a frame. Return the track of each face."""
        moment = moment_of(request)
        faces = [SeenFace(face.box, face.descriptor, self._judge.problem_of(face) is None) for face in found]
        followed = self._follower.follow(camera.tracks, faces, moment.monotonic)
        self._end_conflicts(camera, faces, followed, moment)
        tracks = [
            track or self._begin(camera, request, face, seen)
            for track, face, seen in zip(followed, found, faces, strict=True)
        ]
        for track, face in zip(tracks, found, strict=True):
            self._see(camera, request, track, face)
        return tracks

    def _begin(self, camera: Camera, request: Request, face: FoundFace, seen: SeenFace) -> Track[OpenSighting]:
        """Begin a track, which belongs to an open sighting if its face returned."""
        moment, sighting = moment_of(request), None
        if seen.usable:
            sighting = self._book.open.find_return(camera.name, face, camera.followed(moment))
        if sighting is None:
            sighting = self._book.begin(new_sighting(camera.name, request, face), moment)
        self._tracks += 1
        track = Track(f"t{self._tracks}", sighting, face.box, moment.monotonic, moment.monotonic)
        track.see(seen, moment.monotonic, "agrees" if seen.descriptor is not None else "overlaps")
        camera.tracks.append(track)
        return track

    def _see(self, camera: Camera, request: Request, track: Track[OpenSighting], face: FoundFace) -> None:
        """Add a face to the sighting of its track."""
        if track.in_doubt:
            return
        moment, sighting = moment_of(request), track.owner
        sighting.see(face.box, moment)
        if request.frigate_event is not None:
            sighting.change(frigate_event=request.frigate_event, zones=request.zones)
        if not camera.is_repeated:
            others, problem = camera.followed(moment, track), self._judge.problem_of(face)
            # Frigate's pictures come seldom, even if two of them came quickly.
            more_follow = camera.is_fast and request.frigate_event is None
            after = self._book.add_face(sighting, face, problem, others, moment, more_follow=more_follow)
            camera.give_tracks(sighting, after)
        self._book.see(track.owner, moment)

    def _end_conflicts(
        self,
        camera: Camera,
        faces: list[SeenFace],
        found: list[Track[OpenSighting] | None],
        moment: Moment,
    ) -> None:
        """End the tracks whose place another person has taken."""
        strangers = [face for face, track in zip(faces, found, strict=True) if track is None]
        lost = [track for track in camera.tracks if track not in found]
        ended = [track for track in lost if any(self._follower.conflicts(track, face) for face in strangers)]
        self._leave(camera, camera.end(ended), moment)

    def _leave(self, camera: Camera, ended: list[Track[OpenSighting]], moment: Moment) -> None:
        """Note that tracks have ended."""
        followed = {id(track.owner) for track in camera.tracks}
        for owner in {id(track.owner): track.owner for track in ended}.values():
            if id(owner) not in followed:
                self._book.leave(owner, moment)

    def _end_all(self, name: str, reason: EndReason, moment: Moment) -> None:
        camera = self._cameras.get(name)
        if camera is not None:
            camera.end(camera.tracks)
            self._update(camera, moment)
        for sighting in self._book.open.on_camera(name):
            self._book.end(sighting, reason, moment)

    def _update(self, camera: Camera, moment: Moment) -> None:
        camera.follow_merges()
        self._presence.update(camera.name, camera.present(), moment)

    def _reason(self, name: str, moment: Moment) -> EndReason:
        return "left" if self._board.is_connected(name, moment) else "camera_lost"
