"""The options of ``python -m device_sim``."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from device_sim.camera import CameraMode
from device_sim.connection import Broker
from device_sim.disturbances import Disturbances
from device_sim.pictures import FRAMES, PictureSource, load, pan, rotate_pictures
from device_sim.repetition import RepeatPolicy
from device_sim.request import OPERATIONS_WITH_PERSON, Requests
from device_sim.stream import Stream
from device_sim.video import open_video


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    host: str
    port: int
    user: str | None
    password: str | None
    protocol: str
    base: str
    name: str
    cameras: int
    camera: str | None
    connections: int | None
    rate: float
    count: int | None
    seconds: float | None
    mode: str
    op: str
    person: str | None
    frames: Path
    video: str | None
    pan: Path | None
    dwell: int
    window: float
    pan_seconds: float
    loss: float
    duplicates: float
    reordering: float
    jitter: float
    clock_skew: float
    seed: int | None
    qos: int | None
    timeout: float
    repeat: bool
    repeat_after: float
    parts: int | None
    quiet: bool
    as_json: bool

    def __post_init__(self) -> None:
        if self.op in OPERATIONS_WITH_PERSON and not self.person:
            raise click.UsageError(f"--op {self.op} needs --person: the person that the picture should show.")
        if self.connections and "{camera}" in f"{self.user}{self.password}":
            raise click.UsageError("--connections needs one login for all cameras: {camera} cannot be part of it.")
        sources = [
            name
            for name, given in {
                "--frames": self.frames != FRAMES,
                "--video": self.video is not None,
                "--pan": self.pan is not None,
            }.items()
            if given
        ]
        if len(sources) > 1:
            raise click.UsageError(f"{' and '.join(sources)} are given: choose one of them.")

    @property
    def broker(self) -> Broker:
        return Broker(self.host, self.port, self.user, self.password, self.protocol)

    @property
    def camera_names(self) -> Sequence[str]:
        return [self.camera] if self.camera else [f"{self.name}-{number + 1}" for number in range(self.cameras)]

    def open_source(self) -> PictureSource:
        """Return the source of the pictures. Raises SimError."""
        if self.video is not None:
            return open_video(self.video, self.rate)
        if self.pan is not None:
            way = pan(self.pan, window=self.window, seconds=self.pan_seconds, rate=self.rate)
            return partial(rotate_pictures, way, dwell=self.dwell)
        return partial(rotate_pictures, load(self.frames), dwell=self.dwell)

    def make_mode(self, source: PictureSource, number: int) -> CameraMode:
        """Return the mode of the camera with this number."""
        if self.mode == "stream":
            return Stream(source(number), timeout=self.timeout)
        return Requests(
            source(number),
            op=self.op,
            person=self.person if self.op in OPERATIONS_WITH_PERSON else None,
            timeout=self.timeout,
            by_correlation=self.protocol == "5",
            repeating=RepeatPolicy(after=self.repeat_after) if self.repeat else None,
        )

    def disturbances(self) -> Disturbances:
        return Disturbances(
            loss=self.loss,
            duplicates=self.duplicates,
            reordering=self.reordering,
            jitter=self.jitter,
            clock_skew=self.clock_skew,
            random=random.Random(self.seed),
        )
