"""The follower of one Frigate server: it reads events, takes pictures of people, and has their names written.

One thread owns the state of all events. Other threads wait for Frigate, and hand their results back to that thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from gateway.config.frigate_section import FrigateSettings
from gateway.contract.frigate import FrigateBox, check_frigate_size, read_frigate_message, read_frigate_stats
from gateway.errors import BadRequest
from gateway.integrations.frigate.event_book import LEARN_S, EventBook, FrameTime
from gateway.integrations.frigate.inbox import Inbox
from gateway.integrations.frigate.name_writer import NameChange, NameWriter
from gateway.integrations.frigate.naming import face_of_event
from gateway.integrations.frigate.picture_taker import PictureTaker, Taken
from gateway.integrations.frigate.refusals import RefusalLog
from gateway.integrations.frigate.server import FrigateServer
from gateway.integrations.frigate.source_rules import SourceRules
from gateway.integrations.frigate.tracked_event import TrackedEvent
from gateway.metrics import Metrics
from gateway.model import Face, Reply, Request
from gateway.model.sightings import Sighting
from gateway.model.subscriptions import Subscription

log = logging.getLogger(__name__)

T = TypeVar("T")

THREADS = 4
"""Threads that wait for Frigate and go2rtc, for several cameras at a time."""

IDLE_S = 30.0
"""The longest wait of the thread that owns the state, if nothing is due."""

USABLE = ("match", "unknown", "ambiguous")
"""The verdicts about faces that could be compared."""

DECIDED = ("named", "stranger")
"""The outcomes of a sighting after which no more pictures are needed."""


class Follower:
    """The follower of one Frigate server. ``name``: of its section in the settings."""

    def __init__(
        self,
        name: str,
        settings: FrigateSettings,
        server: FrigateServer,
        submit: Callable[[Request], Future[Reply]],
        rules: SourceRules,
        metrics: Metrics,
        learn_s: float = LEARN_S,
    ) -> None:
        self._section = f"frigate.{name}"
        self._settings = settings
        self._rules = rules
        self._metrics = metrics
        self.refusals = RefusalLog(metrics)
        self._taker = PictureTaker(server, submit, self.refusals, metrics)
        self._writer = NameWriter(server, self.refusals, metrics)
        self._book = EventBook(settings, rules.owns, time.monotonic(), learn_s)
        self._inbox = Inbox()
        self._executor = ThreadPoolExecutor(THREADS, f"frigate-{name}")
        self._thread = threading.Thread(target=self._run, name=f"frigate-{name}", daemon=True)
        self._connections_lost = 0
        self._misread = False

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The topics of Frigate that are read."""
        prefix = self._settings.topic_prefix
        receivers = {"events": self._read_event, "stats": self._read_stats}
        return tuple(Subscription(f"{prefix}/{name}", partial(self._receive, read)) for name, read in receivers.items())

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Look for pictures that are due."""
        self._inbox.put(_do_nothing)

    def stop(self) -> None:
        """Take no more pictures. Those that are under way end by themselves, within seconds."""
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def note_name(self, sighting: Sighting) -> None:
        """Write, change or remove the name of the events whose person is that of the sighting."""
        self._inbox.put(partial(self._note_name, sighting))

    def _run(self) -> None:
        while True:
            wait_s = min(IDLE_S, max(0.0, self._book.due() - time.monotonic()))
            if (task := self._inbox.get(wait_s)) is None:
                return
            try:
                task()
                self._begin_attempts()
            # Any exception is logged: without this thread no event would be followed any more.
            except Exception:
                self._metrics.count("callback_failures")
                log.exception("%s: a bug in the gateway", self._section)

    def _receive(self, read: Callable[[bytes], None], topic: str, payload: bytes) -> None:
        """Take a message of Frigate. Called by the thread of the MQTT connection."""
        try:
            # The size is checked before the message waits: any client of the broker may have sent it.
            check_frigate_size(payload)
        except BadRequest as error:
            self._ignore(topic, error)
        else:
            if not self._inbox.put_message(partial(self._read, read, topic, payload), len(payload)):
                self._metrics.count("messages_ignored")

    def _read(self, read: Callable[[bytes], None], topic: str, payload: bytes) -> None:
        try:
            read(payload)
        except BadRequest as error:
            self._ignore(topic, error)

    def _ignore(self, topic: str, error: BadRequest) -> None:
        self._metrics.count("messages_ignored")
        level = logging.DEBUG if self._misread else logging.WARNING
        log.log(level, "%s: on %s: %s", self._section, topic, error)
        self._misread = True

    def _read_event(self, payload: bytes) -> None:
        message = read_frigate_message(payload)
        now = time.monotonic()
        lost = self._metrics.snapshot()["connections_lost"]
        if lost != self._connections_lost:
            self._connections_lost = lost
            self._book.restart_learning(now)
        if self._book.add(message, now):
            self._rules.add_camera(message.after.camera)

    def _read_stats(self, payload: bytes) -> None:
        for camera in read_frigate_stats(payload).working:
            if not self._settings.cameras or camera in self._settings.cameras:
                self._rules.note_alive(camera)

    def _begin_attempts(self) -> None:
        for attempt in self._book.begin_attempts(time.monotonic()):
            if self._rules.claim(attempt.camera, f"Frigate ({self._section})"):
                self._wait_for(partial(self._taker.take, attempt), self._end_attempt)
            else:
                self._end_attempt(Taken(attempt, "off"))

    def _end_attempt(self, taken: Taken) -> None:
        event = self._book.end_attempt(taken.attempt)
        if event is None:
            return
        if taken.outcome == "replaced":
            event.give_up_attempt()
            return
        faces = taken.seen.faces if taken.seen else ()
        usable = [face for face in faces if face.judgement is not None and face.judgement.verdict in USABLE]
        own = self._find_face(event, taken)
        decided = taken.outcome == "off" or self._is_decided(own, usable)
        seen = taken.outcome == "seen"
        event.end_attempt(time.monotonic(), taken=seen, usable=bool(usable), decided=decided)
        if own is not None and own.sighting is not None:
            event.note_sighting(own.sighting.id)
            if own.sighting.person is not None:
                self._change_name(event, own.sighting)

    def _find_face(self, event: TrackedEvent, taken: Taken) -> Face | None:
        """Return the face of the event's person, if the picture tells which one it is."""
        if taken.seen is None or taken.picture is None:
            return None
        box: FrigateBox | None = None
        match taken.attempt.step:
            case "main_stream":
                frame = FrameTime()
            case "recording":
                frame = FrameTime(taken.attempt.moment, taken.attempt.moment)
            case "snapshot":
                moment = taken.picture.frame_time
                frame = FrameTime(event.latest.start_time if moment is None else moment, moment)
                box = event.box_at(moment) if self._rules.is_upright(event.camera) else None
        others = self._book.others_on_camera(event, frame, time.monotonic())
        alone = not others and self._book.is_complete_for(event)
        return face_of_event(taken.seen, box, [each.latest.box for each in others], alone=alone)

    def _is_decided(self, own: Face | None, usable: list[Face]) -> bool:
        """Return whether no more pictures of the event are needed."""
        if own is not None:
            return _has_outcome(own)
        # Without a name to write, the decision need not belong to the event.
        return not self._settings.write_back and bool(usable) and all(map(_has_outcome, usable))

    def _note_name(self, sighting: Sighting) -> None:
        for event in self._book.find_sighting(sighting.id):
            self._change_name(event, sighting)

    def _change_name(self, event: TrackedEvent, sighting: Sighting) -> None:
        """Have the name of the sighting written into the event, or removed, unless another name stands there."""
        # Until the present write has ended, its name would be taken for that of a user.
        if event.is_writing:
            event.put_off(sighting)
            return
        name, known = sighting.person.name if sighting.person else None, event.latest.sub_label
        if self._settings.write_back and name != event.written and known in (None, event.written):
            change = NameChange(event.id, name, sighting.score or 0.0, known, event.written)
            event.begin_write()
            self._wait_for(partial(self._write, change), self._end_write)

    def _write(self, change: NameChange) -> tuple[NameChange, bool]:
        return change, self._writer.write(change)

    def _end_write(self, done: tuple[NameChange, bool]) -> None:
        change, written = done
        event = self._book.get(change.event)
        if written:
            # The log does not say who was seen.
            outcome = "written" if change.name else "removed"
            log.info("%s: the name of event %s was %s", self._section, change.event, outcome)
            if event is not None:
                event.note_name(change.name)
        if event is not None and (waiting := event.end_write()) is not None:
            self._change_name(event, waiting)

    def _wait_for(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Do the work in a thread that may wait, and hand its result to the thread that owns the state."""
        future = self._executor.submit(work)
        future.add_done_callback(lambda done: self._inbox.put(partial(_continue, done, then)))


def _continue(done: Future[T], then: Callable[[T], None]) -> None:
    if not done.cancelled():
        then(done.result())


def _do_nothing() -> None:
    pass


def _has_outcome(face: Face) -> bool:
    return face.sighting is not None and face.sighting.outcome in DECIDED
