"""The pictures of a video file, or of a live stream such as RTSP. This needs the package av (PyAV)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from device_sim.errors import NoNewPicture, SimError
from device_sim.model import Picture
from device_sim.pictures import PictureSource

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

JPEG_QUALITY = 90
# Longest time for a stream to open, and to deliver its next bytes.
STREAM_TIMEOUT_S = 10.0
# Pauses before a stream is opened again: the first one, and the longest. Each is twice as long as the one before.
FIRST_PAUSE_S, MAX_PAUSE_S = 1.0, 30.0


def open_video(address: str, rate: float) -> PictureSource:
    """Return the pictures of a video file or of a live stream. ``rate``: pictures per second.

    Every camera reads it for itself. Raises SimError if it cannot be opened.
    """
    name = Path(address).name
    if "://" in address:
        return lambda _number: LiveVideo(address, name)
    _open(address).close()
    return lambda _number: read_file(address, name, rate)


def read_file(address: str, name: str, rate: float) -> Iterator[Picture]:
    """Yield the pictures of a video file at a rate, endlessly. Raises SimError if it has none."""
    while True:
        shown = 0
        with _open(address) as container:
            for picture in _frames_at(container, name, rate):
                yield picture
                shown += 1
        if not shown:
            raise SimError(f"No picture of the video {address} can be decoded.")


def _frames_at(container: InputContainer, name: str, rate: float) -> Iterator[Picture]:
    import av

    start, shown = None, 0
    # The frames before a damaged place are shown.
    with suppress(av.FFmpegError):
        for frame in container.decode(video=0):
            at = frame.time or 0
            start = at if start is None else start
            # A video with fewer frames than this rate shows each of them several times.
            while shown / rate <= at - start:
                yield _picture(frame, name)
                shown += 1


class LiveVideo:
    """The newest picture of a live stream. A stream that ends is opened again."""

    def __init__(self, address: str, name: str) -> None:
        self._address = address
        self._name = name
        self._newest: VideoFrame | None = None
        self._closing = threading.Event()
        first = _open(address)
        self._thread = threading.Thread(target=self._run, args=(first,), name="video", daemon=True)
        self._thread.start()

    def __iter__(self) -> LiveVideo:
        return self

    def __next__(self) -> Picture:
        frame, self._newest = self._newest, None
        if frame is None:
            raise NoNewPicture
        return _picture(frame, self._name)

    def close(self) -> None:
        """Read no further picture."""
        self._closing.set()
        self._thread.join()

    def _run(self, first: InputContainer) -> None:
        container: InputContainer | None = first
        while container is not None:
            self._read(container)
            container = self._reopen()

    def _read(self, container: InputContainer) -> None:
        import av

        with suppress(av.FFmpegError), container:
            for self._newest in container.decode(video=0):
                if self._closing.is_set():
                    return

    def _reopen(self) -> InputContainer | None:
        pause = FIRST_PAUSE_S
        while not self._closing.wait(pause):
            with suppress(SimError):
                return _open(self._address)
            pause = min(2 * pause, MAX_PAUSE_S)
        return None


def _open(address: str) -> InputContainer:
    """Open a video. Raises SimError."""
    try:
        import av
    except ImportError:
        raise SimError("--video needs the package av: run make setup, or pip install av.") from None
    try:
        options = {"rtsp_transport": "tcp"} if address.startswith("rtsp") else {}
        container = av.open(address, options=options, timeout=STREAM_TIMEOUT_S)
    except (av.FFmpegError, OSError) as error:
        raise SimError(f"Cannot open the video {_without_login(address)}: {error.strerror}.") from None
    if not container.streams.video:
        container.close()
        raise SimError(f"There is no video in {_without_login(address)}.")
    return container


def _without_login(address: str) -> str:
    scheme, separator, rest = address.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else address


def _picture(frame: VideoFrame, name: str) -> Picture:
    file = BytesIO()
    Image.fromarray(frame.to_ndarray(format="rgb24")).save(file, "JPEG", quality=JPEG_QUALITY)
    return Picture(f"{name} {frame.time or 0:.1f} s", file.getvalue())
