"""The parts of live/, built by the settings."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue

from gateway.config import Settings
from gateway.live.announcer import Announcer
from gateway.live.book import SightingBook
from gateway.live.camera_board import CameraBoard
from gateway.live.cameras import CameraRules, LiveCameras
from gateway.live.events import Events
from gateway.live.frames import FrameJobs
from gateway.live.groups import FoundGroup, GroupFound
from gateway.live.journal import Journal
from gateway.live.looks import Looks
from gateway.live.owned_cameras import OwnedCameras
from gateway.live.people import KnownPeople
from gateway.live.presence import PresenceBoard
from gateway.live.service import LiveService, Tasks
from gateway.live.sighting_decision import SightingDecision
from gateway.live.state import LiveState
from gateway.live.switches import Switches
from gateway.metrics import Metrics
from gateway.model import FoundFace
from gateway.people.services import PeopleServices
from gateway.people.unknown_faces import UnknownFaces
from gateway.service.annotator import Annotator
from gateway.service.face_judge import FaceJudge
from gateway.service.request_check import RecognitionPolicy, RequestCheck
from gateway.store.records import UnknownGroup
from gateway.workers.pool import Pool


@dataclass(frozen=True, slots=True)
class LiveParts:
    """The parts of the gateway that live/ uses. ``writes``: an executor with one thread, for the store.

    ``known_cameras``: those that are configured, or that an earlier run has announced. ``owned``: those that are
    followed here.
    """

    people: PeopleServices
    pool: Pool
    policy: RecognitionPolicy
    switches: Switches
    announcer: Announcer
    writes: Executor
    metrics: Metrics
    known_cameras: frozenset[str]
    owned: OwnedCameras


def build_live(settings: Settings, parts: LiveParts) -> LiveService:
    """Build the service for live cameras."""
    tasks: Tasks = SimpleQueue()
    live, again_s = settings.live, settings.sightings.again_s
    gallery, decision = parts.people.gallery, parts.people.decision
    judge = FaceJudge(gallery, decision)
    groups, shared = parts.people.groups, parts.owned.names is not None
    journal = Journal(parts.people.sightings, parts.writes, groups.is_ignored, tasks.put, shared=shared)
    presence = PresenceBoard(parts.announcer)
    book = SightingBook(
        SightingDecision(gallery, decision),
        Events(parts.announcer, journal, snapshots=live.snapshot != "off"),
        journal,
        partial(_find_group, parts.people.unknown_faces, tasks),
        again_s=again_s,
        appeared=live.appeared,
    )
    rules = CameraRules(live.gone_s, again_s, live.camera_lost_s, live.most_cameras, parts.known_cameras)
    board = CameraBoard(parts.announcer, parts.switches, live.camera_lost_s)
    cameras = LiveCameras(book, presence, judge, parts.switches, board, rules, parts.owned)
    people = KnownPeople(gallery)
    state = LiveState(cameras, board, book, presence, journal, people, parts.switches, parts.announcer)
    looks = Looks(live.full_look_s, lambda: parts.pool.waiting_jobs, live.most_cameras)
    frames = FrameJobs(
        parts.pool.submit, RequestCheck(parts.policy, gallery), parts.policy.search, looks, judge.judge_early
    )
    annotator = Annotator(parts.pool.submit, parts.policy, gallery.__contains__)
    return LiveService(frames, state, parts.switches, annotator, parts.metrics, parts.people.sightings, tasks)


def _find_group(
    unknown_faces: UnknownFaces, tasks: Tasks, face: FoundFace, camera: str, moment: float, done: GroupFound
) -> None:
    """Find the unknown group of a face (live/book.py: FindGroup)."""

    # Called in the thread of the unknown faces.
    def post(group: UnknownGroup | None) -> None:
        found = None if group is None else FoundGroup(group.id, group.seen, group.ignored)
        tasks.put(lambda: done(found))

    unknown_faces.find_group(face, camera, moment, post)
