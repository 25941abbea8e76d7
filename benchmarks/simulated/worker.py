"""A simulated worker process: ``python -m benchmarks.simulated.worker MILLISECONDS OPTIONS SOCKET``.

It sleeps for each picture, and finds the faces that the picture names (``device_sim/named_pictures.py``). The
descriptor of a face follows from its name, so an enrolled person is recognised, and a stranger is not.
"""

from __future__ import annotations

import contextlib
import hashlib
import signal
import socket
import sys
import time
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image as PillowImage

from device_sim.named_pictures import faces_in, name_faces
from gateway.confinement.report import Confinement
from gateway.errors import BadImage, GatewayError
from gateway.model import (
    AnalyseTask,
    Analysis,
    Box,
    Descriptor,
    FoundFace,
    Image,
    LiveTask,
    Quality,
    RedescribeTask,
    Task,
)
from gateway.model.recipes import DLIB_DIMENSIONS
from gateway.workers.answers import write_failure, write_report
from gateway.workers.channel import Channel
from gateway.workers.protocol import Started, read_job, write_started

FACE_SIDE_PX = 120
CHIP_SIDE_PX = 64
GOOD_QUALITY = Quality(pixels=FACE_SIDE_PX, brightness=0.5, sharpness=1.0, pose=1.0, inside=1.0)
UNCONFINED = Confinement(*["the worker process is simulated"] * 2)


def main() -> None:
    milliseconds, _options, descriptor = sys.argv[1:]
    picture_s = float(milliseconds) / 1000
    # As for a real worker process: Ctrl-C is for the gateway, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=int(descriptor)))
    # The process ends when the gateway closes the socket.
    with contextlib.closing(channel), contextlib.suppress(ConnectionError):
        channel.send(write_started(Started(confinement=UNCONFINED)))
        while True:
            task, picture_bytes, _limit_s = read_job(channel.receive())
            picture = channel.receive_attachment(picture_bytes)
            time.sleep(picture_s)
            message, drawn = _answer(picture, task, picture_s)
            channel.send(message, attachment=drawn)


def _answer(picture: bytes, task: Task, picture_s: float) -> tuple[bytes, bytes]:
    try:
        return write_report(look(picture, task, picture_s))
    except GatewayError as error:
        return write_failure(error), b""


def look(picture: bytes, task: Task, picture_s: float) -> Analysis:
    """Return the faces that a picture names. Raises BadImage if it is no JPEG."""
    try:
        names = faces_in(picture)
        with PillowImage.open(BytesIO(picture)) as opened:
            width, height = opened.size
    except (OSError, ValueError):
        raise BadImage("the picture is not a JPEG") from None
    image, timing = Image(width, height, len(picture)), {"detect": 1000 * picture_s}
    match task:
        case AnalyseTask():
            return Analysis(image, _faces(names, chips=task.chips, described=task.descriptors is not None), timing)
        case LiveTask():
            faces = _faces(names, chips=task.pictures)
            # The gateway only stores the thumbnail for the next task, which does not read it here.
            return Analysis(image, faces, timing, thumbnail=b"simulated", brightness=0.5)
        case RedescribeTask():
            return Analysis(image, _faces(names), timing)
        case _:
            return Analysis(image, (), timing, drawn=picture)


def _faces(names: Sequence[str], *, chips: bool = False, described: bool = True) -> tuple[FoundFace, ...]:
    return tuple(
        FoundFace(
            Box(10 + n * FACE_SIDE_PX, 10, 10 + (n + 1) * FACE_SIDE_PX, 10 + FACE_SIDE_PX),
            descriptor_of(name) if described else None,
            quality=GOOD_QUALITY,
            chips=name_faces(_BLANK_CHIP, [name]) if chips else None,
            crop=name_faces(_BLANK_CHIP, [name]) if chips else None,
        )
        for n, name in enumerate(names)
    )


def descriptor_of(name: str) -> Descriptor:
    """Return the descriptor of a face, float32, (128,), of unit length: always the same for the same name."""
    digest = hashlib.sha256(name.encode()).digest()
    direction = np.random.default_rng(int.from_bytes(digest[:8], "big")).standard_normal(DLIB_DIMENSIONS)
    return np.asarray(direction / np.linalg.norm(direction), np.float32)


def _blank_chip() -> bytes:
    file = BytesIO()
    PillowImage.new("RGB", (CHIP_SIDE_PX, CHIP_SIDE_PX), (128, 128, 128)).save(file, "JPEG")
    return file.getvalue()


_BLANK_CHIP = _blank_chip()


if __name__ == "__main__":
    main()
