"""Events of Frigate for half an hour: ``python -m benchmarks.frigate [--minutes 30] [--events 500] [--json]``.

A broker, ``facegate run``, and stand-ins of Frigate 0.16, 0.17 and 0.18 with go2rtc, on free ports of this machine.
People come and go on six cameras: known people and strangers, alone and in pairs, in the snapshot, the main stream or
the recording only. Some requests are refused, tokens expire, events are deleted, and some events have a name already.
The command prints how many names were written, how fast, how many were wrong, and the memory, threads and file
descriptors of the gateway at the beginning and at the end. The exit code is 0 if no name was wrong and nothing grew.
"""

from __future__ import annotations

import io
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import click
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from PIL import Image

from benchmarks.faults.exit_guard import install_exit_guard
from benchmarks.faults.figures import percentile
from benchmarks.faults.history import History
from benchmarks.faults.installation import ROOT, Installation, document_of
from benchmarks.faults.load import with_comment
from benchmarks.frigate_stand_in import Answer, BoxTuple, Event, FrigateStandIn, Go2rtcStandIn, User, Version
from device_sim.errors import SimError

FRAMES = ROOT / "device_sim" / "frames"
KNOWN: Mapping[str, Sequence[str]] = {
    "Barack Obama": ("obama_1", "obama_2"),
    "Joe Biden": ("biden_1", "biden_2"),
    "Grace Hopper": ("hopper_1",),
}
"""Enrolled people, and their pictures."""
USERS_NAME = "Named by a user"
MAX_RECORDED = 100
"""Pictures of a recording that are kept: those of several minutes."""
STRANGERS, EMPTY = ("stranger_1", "stranger_2"), "empty_1"

LEARN_S = 80.0
"""The time from the start of the gateway after which it knows all events that last."""
LAST_EVENT_S = 70.0
"""The time for the last event: its recording is read 45 s after its end."""
PAUSE_S = 3.0
"""The time between two events of a camera."""
GROWTH_MB, GROWTH_COUNT = 15.0, 5
"""The allowed growth of memory, and of the numbers of threads and file descriptors, after a fifth of the run."""
MAX_P95_S = 3.0

Kind = Literal["snapshot", "main_stream", "recording", "stranger", "nobody", "pair", "taken", "fault", "deleted"]
WEIGHTS: Mapping[Kind, int] = {
    "snapshot": 30,
    "main_stream": 15,
    "recording": 5,
    "stranger": 15,
    "nobody": 5,
    "pair": 10,
    "taken": 7,
    "fault": 10,
    "deleted": 3,
}
"""The kinds of events, and how often they come. ``taken``: a user has named the event. ``fault``: requests fail."""
LEARNED_KINDS = frozenset[Kind]({"main_stream", "recording", "fault"})
"""The kinds that are named only once the gateway knows all events that last."""

FAULTS = (
    Answer(503, b"busy"),
    Answer(200, b"<html>log in</html>"),
    Answer(302, b"", {"Location": "http://127.0.0.1:9/"}),
    Answer(404, b"{}"),
)


@cache
def picture(name: str) -> bytes:
    return (FRAMES / f"{name}.jpg").read_bytes()


@cache
def size_of(name: str) -> tuple[int, int]:
    with Image.open(FRAMES / f"{name}.jpg") as image:
        return image.width, image.height


@cache
def pair_of(left: str, right: str) -> bytes:
    """Return a picture with one person beside the other."""
    with Image.open(FRAMES / f"{left}.jpg") as one, Image.open(FRAMES / f"{right}.jpg") as other:
        both = Image.new("RGB", (one.width + other.width, max(one.height, other.height)))
        both.paste(one, (0, 0))
        both.paste(other, (one.width, 0))
    data = io.BytesIO()
    both.save(data, "JPEG", quality=92)
    return data.getvalue()


@dataclass(slots=True)
class Visit:
    """An event with the name that it should get. ``late``: only from the recording."""

    event: Event
    kind: Kind
    expected: str | None
    published: float
    late: bool = False
    named_at: float | None = None

    @property
    def is_wrong(self) -> bool:
        return self.event.sub_label not in (None, self.expected)

    @property
    def is_missed(self) -> bool:
        return self.expected is not None and self.event.sub_label is None


@dataclass(slots=True)
class Nvr:
    """A stand-in of Frigate with its go2rtc, and its two cameras."""

    frigate: FrigateStandIn
    go2rtc: Go2rtcStandIn
    prefix: str
    shown: dict[str, bytes] = field(default_factory=dict)
    """The present frame of the main stream of each camera."""
    recorded: dict[str, list[tuple[float, bytes]]] = field(default_factory=dict)
    """For each camera the pictures of its recording, each from a moment on (seconds since 1970)."""

    def set_up(self) -> None:
        self.frigate.topic_prefix = self.prefix
        self.frigate.cameras = {f"{self.prefix}_{side}" for side in ("front", "back")}
        for camera in self.frigate.cameras:
            self.recorded[camera] = []
            self.show(camera, picture(EMPTY), picture(EMPTY))
            self.go2rtc.frames[camera] = lambda name=camera: self.fresh(self.shown[name])  # type: ignore[misc]
            self.frigate.recordings[camera] = partial(self.recorded_at, camera)

    def show(self, camera: str, live: bytes, recorded: bytes) -> None:
        """Show a picture to the main stream of a camera, and one to its recording, from now on."""
        self.shown[camera] = live
        # A little earlier than the event, whose first moment may be asked for.
        self.recorded[camera] = [*self.recorded[camera][-MAX_RECORDED:], (time.time() - 0.1, recorded)]

    def recorded_at(self, camera: str, moment: float) -> bytes:
        """Return the picture of a recording at a moment."""
        return self.fresh(next(data for begun, data in reversed(self.recorded[camera]) if begun <= moment))

    @staticmethod
    def fresh(data: bytes) -> bytes:
        """Return the picture with other bytes: a camera never sends the same ones twice."""
        return with_comment(data, f"{time.time_ns()}")

    @property
    def settings(self) -> dict[str, Any]:
        login = {"user": "facegate", "password": "a long secret"} if self.frigate.users else {}
        return {"url": self.frigate.url, "go2rtc_url": self.go2rtc.url, "topic_prefix": self.prefix, **login}


class Play:
    """The people who come and go.

    ``learned``: the gateway knows all events that last. ``stay_s``: the longest time of an event.
    """

    def __init__(
        self, nvrs: Sequence[Nvr], broker_port: int, rng: random.Random, *, learned: bool, stay_s: float
    ) -> None:
        self._rng = rng
        self._stay_s = stay_s
        self._weights = {kind: weight for kind, weight in WEIGHTS.items() if learned or kind not in LEARNED_KINDS}
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.connect("127.0.0.1", broker_port)
        self._client.loop_start()
        self._cameras = [(nvr, camera) for nvr in nvrs for camera in sorted(nvr.frigate.cameras)]
        self._free_at = dict.fromkeys((camera for _, camera in self._cameras), 0.0)
        self._ends: list[tuple[float, Nvr, Visit]] = []
        self._number = 0
        self.visits: dict[str, Visit] = {}
        for nvr in nvrs:
            nvr.frigate.on_sub_label = self._note_name

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def begin(self) -> bool:
        """Begin an event on a free camera. Return False if there is none."""
        now = time.monotonic()
        free = [each for each in self._cameras if self._free_at[each[1]] <= now]
        if not free:
            return False
        nvr, camera = self._rng.choice(free)
        (kind,) = self._rng.choices(list(self._weights), list(self._weights.values()))
        lasts = self._rng.uniform(self._stay_s / 2, self._stay_s)
        self._free_at[camera] = now + lasts + PAUSE_S
        for visit in self._visits(nvr, camera, kind):
            nvr.frigate.add(visit.event)
            self.visits[visit.event.id] = visit
            self._ends.append((now + lasts, nvr, visit))
            self._publish(nvr, "new", visit.event)
        return True

    def tick(self) -> None:
        """End the events whose time is over."""
        now = time.monotonic()
        for due, nvr, visit in [each for each in self._ends if each[0] <= now]:
            self._ends.remove((due, nvr, visit))
            if visit.kind == "deleted":
                nvr.frigate.events.pop(visit.event.id, None)
            visit.event.end = time.time()
            nvr.show(visit.event.camera, picture(EMPTY), picture(EMPTY))
            self._publish(nvr, "end", visit.event)

    def _visits(self, nvr: Nvr, camera: str, kind: Kind) -> Iterator[Visit]:
        """Give the events of a scene, and show it to the cameras."""
        name = self._rng.choice(list(KNOWN))
        frame = self._rng.choice(KNOWN[name])
        live = recorded = EMPTY
        match kind:
            case "pair":
                other = self._rng.choice([each for each in KNOWN if each != name])
                yield from self._pair(nvr, camera, {name: frame, other: self._rng.choice(KNOWN[other])})
                return
            case "main_stream":
                live, visit = frame, self._visit(camera, kind, EMPTY, name)
            case "recording":
                recorded, visit = frame, self._visit(camera, kind, EMPTY, name, late=True)
            case "stranger":
                live = recorded = self._rng.choice(STRANGERS)
                visit = self._visit(camera, kind, live, None)
            case "nobody":
                visit = self._visit(camera, kind, EMPTY, None)
            case "fault":
                live, visit = frame, self._visit(camera, kind, frame, name)
                nvr.frigate.fail_next(f"{visit.event.id}/snapshot", self._rng.choice(FAULTS))
            case "taken":
                visit = self._visit(camera, kind, frame, USERS_NAME)
                visit.event.sub_label, visit.event.score = USERS_NAME, 1.0
            case "deleted":
                visit = self._visit(camera, kind, frame, None)
                nvr.frigate.fail_next(f"{visit.event.id}/sub_label", FAULTS[-1])
            case "snapshot":
                visit = self._visit(camera, kind, frame, name)
        nvr.show(camera, picture(live), picture(recorded))
        yield visit

    def _pair(self, nvr: Nvr, camera: str, people: Mapping[str, str]) -> Iterator[Visit]:
        """Give the events of two people in one picture. Only 0.18 says which frame a snapshot is."""
        both = pair_of(*people.values())
        nvr.show(camera, both, both)
        x = 0
        for name, frame in people.items():
            width, height = size_of(frame)
            visit = self._visit(camera, "pair", frame, name if nvr.frigate.version == "0.18" else None)
            visit.event.frame = visit.event.annotated = Nvr.fresh(both)
            visit.event.box = (x + 20, 20, x + width - 20, height)
            x += width
            yield visit

    def _visit(self, camera: str, kind: Kind, frame: str, expected: str | None, late: bool = False) -> Visit:
        self._number += 1
        now, (width, height) = time.time(), size_of(frame)
        data = Nvr.fresh(picture(frame))
        box: BoxTuple = (20, 20, width - 20, height)
        event = Event(
            id=f"{now:.5f}-{self._number:06d}",
            camera=camera,
            start=now,
            frame=data,
            frame_time=now,
            box=box,
            annotated=data,
        )
        return Visit(event, kind, expected, time.monotonic(), late)

    def _publish(self, nvr: Nvr, kind: Literal["new", "update", "end"], event: Event) -> None:
        self._client.publish(f"{nvr.prefix}/events", event.message(kind), qos=0)

    def _note_name(self, event: Event) -> None:
        visit = self.visits[event.id]
        visit.named_at = visit.named_at or time.monotonic()


@contextmanager
def nvrs_running(versions: Sequence[Version]) -> Iterator[list[Nvr]]:
    """Run a stand-in for each version. The last one needs a login."""
    with ExitStack() as stack:
        found = []
        for version in versions:
            users = {"facegate": User("a long secret")} if version == versions[-1] else None
            nvr = Nvr(FrigateStandIn(version, users), Go2rtcStandIn(), f"nvr{version.replace('.', '')}")
            nvr.set_up()
            stack.enter_context(nvr.frigate.running())
            stack.enter_context(nvr.go2rtc.running())
            found.append(nvr)
        yield found


def run(
    folder: Path, minutes: float, events: int, versions: Sequence[Version], seed: int, *, short: bool = False
) -> dict[str, Any]:
    """Run the events, and return the figures. ``short``: begin before all kinds are named. Raises SimError."""
    rng = random.Random(seed)
    with nvrs_running(versions) as nvrs:
        settings = {"FACEGATE_FRIGATE": json.dumps({nvr.prefix: nvr.settings for nvr in nvrs})}
        with Installation(folder, History(), rng, workers=2, settings=settings) as installation:
            if not short:
                time.sleep(LEARN_S)
            play = Play(nvrs, installation.port, rng, learned=not short, stay_s=2.0 if short else 8.0)
            try:
                samples = _play(play, nvrs, installation, 60 * minutes, events)
            finally:
                play.close()
            health = document_of(installation.fetch("GET", "/healthz")) or {}
            exits = installation.exits
    return _figures(play, samples, health.get("counts", {}), exits)


def _play(
    play: Play, nvrs: Sequence[Nvr], installation: Installation, seconds: float, events: int
) -> list[dict[str, float]]:
    """Let people come and go. Return the usage of the gateway at the beginning, after a fifth, and at the end."""
    begun, samples = time.monotonic(), [_usage(installation)]
    started = 0
    while started < events and time.monotonic() < begun + 2 * seconds + 60:
        if time.monotonic() >= begun + seconds * started / events and play.begin():
            started += 1
            if started == max(1, events // 5):
                samples.append(_usage(installation))
            if started == events // 2:
                for nvr in nvrs:
                    nvr.frigate.expire_tokens()
        play.tick()
        time.sleep(0.05)
    until = time.monotonic() + LAST_EVENT_S
    while time.monotonic() < until and _is_waiting(play):
        play.tick()
        time.sleep(0.05)
    return [*samples, _usage(installation)]


def _is_waiting(play: Play) -> bool:
    return any(visit.event.end is None or visit.is_missed for visit in play.visits.values())


def _usage(installation: Installation) -> dict[str, float]:
    gateway, *workers = installation.usages()
    memory = {"rss_mb": round(gateway.rss_mb, 1), "workers_mb": round(sum(each.rss_mb for each in workers), 1)}
    return {**memory, "threads": gateway.threads, "fds": gateway.fds}


def _figures(play: Play, samples: list[dict[str, float]], counts: dict[str, int], exits: int) -> dict[str, Any]:
    visits = list(play.visits.values())
    waited = [each.named_at - each.published for each in visits if each.named_at is not None and not each.late]
    missed = [each for each in visits if each.is_missed]
    first, warm, last = samples[0], samples[-2], samples[-1]
    growth = {name: round(last[name] - warm[name], 1) for name in last}
    latency = {f"p{percent}": _rounded(percentile(waited, percent)) for percent in (50, 95)}
    latency["max"] = _rounded(max(waited, default=None))
    kept = {
        "no wrong name": not any(each.is_wrong for each in visits),
        "p95 under 3 s": latency["p95"] is not None and latency["p95"] < MAX_P95_S,
        "memory": growth["rss_mb"] < GROWTH_MB,
        "threads and files": growth["threads"] <= GROWTH_COUNT and growth["fds"] <= GROWTH_COUNT,
        "gateway never ended": exits == 0,
    }
    return {
        "events": len(visits),
        "names_expected": sum(each.expected is not None and each.kind != "taken" for each in visits),
        "names_written": sum(each.named_at is not None for each in visits),
        "names_wrong": sum(each.is_wrong for each in visits),
        "wrong": [f"{each.kind}: {each.event.sub_label} for {each.expected}" for each in visits if each.is_wrong],
        "names_missed": dict(Counter(each.kind for each in missed)),
        "new_to_name_s": latency,
        "counts": {name: count for name, count in counts.items() if name.startswith("frigate")},
        "start": first,
        "after_a_fifth": warm,
        "end": last,
        "growth": growth,
        "kept": kept,
        "passed": all(kept.values()),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


@click.command(help=__doc__)
@click.option("--minutes", default=30.0, show_default=True)
@click.option("--events", default=500, show_default=True)
@click.option("--version", "versions", multiple=True, default=("0.16", "0.17", "0.18"), show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
def main(minutes: float, events: int, versions: tuple[Version, ...], seed: int, as_json: bool) -> None:
    install_exit_guard()
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = run(Path(folder), minutes, events, versions, seed)
    except (SimError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(json.dumps(found, indent=None if as_json else 1))
    sys.exit(0 if found["passed"] else 1)


if __name__ == "__main__":
    main()
