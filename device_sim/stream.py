"""A camera's live stream: frames out on one topic, results back on another, with no id between them.

Yet a result says how many bytes its picture had. So each frame gets a size that no other outstanding frame
has, by zero bytes behind the end of the JPEG (which decoders ignore, as they must with many a camera's), and
a result's size names its frame. That stays exact where counting results would not: when frames are dropped
or lost on the way, and when two workers answer one camera's frames out of turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from device_sim import document
from device_sim.document import Document
from device_sim.model import Contradiction, Event, Message, Outgoing, Picture, Shot, Verdict
from device_sim.record import misfits

# So many frames later at the earliest a size comes again, so that a very late result still fits nothing.
PADDING = 1000


class Stream:
    filters = ("result", "verdict")
    default_qos = 0

    def __init__(self, pictures: Iterator[Picture], *, timeout: float) -> None:
        self._pictures = pictures
        self._timeout = timeout
        self._numbers = count()
        self._outstanding: dict[int, Shot] = {}  # by size, oldest first
        self._unaccounted = 0

    def next(self) -> Outgoing:
        picture = next(self._pictures)
        size = len(picture.jpeg) + next(self._numbers) % PADDING
        while size in self._outstanding:
            size += 1
        return Outgoing("frame", picture.jpeg.ljust(size, b"\0"), str(size), picture)

    def sent(self, outgoing: Outgoing, at: float) -> None:
        expired = [size for size, shot in self._outstanding.items() if shot.at < at - self._timeout]
        for size in expired:
            del self._outstanding[size]
        self._outstanding[len(outgoing.payload)] = Shot(outgoing.picture, at)
        self._unaccounted += 1

    def waiting(self) -> bool:
        """Whether a frame was neither answered nor reported as dropped."""
        return self._unaccounted > 0

    def due(self, _at: float) -> Sequence[Outgoing]:
        """Nothing: a frame is never sent again, the next one is newer."""
        return ()

    def give_up(self, _at: float) -> Sequence[Event]:
        return ()

    def read(self, message: Message) -> Sequence[Event]:
        if message.topic == "verdict":
            return [Verdict(message.camera, message.payload.decode(errors="replace"))]
        said = document.read(message.payload)
        self._unaccounted -= 1 + said.dropped
        wrong = misfits({"camera": message.camera, "op": "face_rec"}, said)
        complaints = [Contradiction(message.camera, "frame", text) for text in wrong]
        return [said.about(self._answered_by(said), message), *complaints]

    def _answered_by(self, said: Document) -> Shot | None:
        """An error may not know a size: it is put down to the oldest frame."""
        size = next(iter(self._outstanding), None) if said.size is None else said.size
        return None if size is None else self._outstanding.pop(size, None)
