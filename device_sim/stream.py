"""The stream mode of a camera: frames on one topic, results on another, without an id that connects them.

But a result has the number of bytes of its picture. So each frame gets a size that no other outstanding frame has, and
the size in a result identifies its frame. Zero bytes after the end of the JPEG make the size; decoders ignore them, as
they do for many cameras. Counting results would be wrong if frames are dropped or lost, or if two workers complete
frames of one camera in another order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from device_sim import document, sighting_event
from device_sim.answer_record import find_contradictions
from device_sim.document import Document
from device_sim.model import Contradiction, Duplicate, Event, Message, Outgoing, Picture, SentPicture, Verdict

# Largest padding of a frame. A size is used again only after this many frames, so a late result matches no new frame.
MAX_PADDING_BYTES = 1000
# Longest wait for the answer to the last frame. A frame of a scene that did not change may get none.
MAX_ANSWER_S = 5.0


class Stream:
    """The frames of a camera, and their results."""

    filters = ("result", "verdict", "event", "present")
    default_qos = 0

    def __init__(self, pictures: Iterator[Picture], *, timeout: float) -> None:
        self._pictures = pictures
        self._timeout = timeout
        self._numbers = count()
        # The outstanding frames by their size, the oldest first.
        self._outstanding: dict[int, SentPicture] = {}
        # The frames that were sent lately, answered or not, by their size, and those of them that were sent twice.
        self._recent: dict[int, float] = {}
        self._doubled: set[int] = set()
        self._sent = 0
        self._newest_answered = 0
        self._last_sent_at = -math.inf

    def next(self) -> Outgoing:
        """Return the next frame. Raises NoNewPicture."""
        picture = next(self._pictures)
        size = len(picture.jpeg) + next(self._numbers) % MAX_PADDING_BYTES
        while size in self._outstanding:
            size += 1
        self._recent.pop(size, None)
        self._doubled.discard(size)
        return Outgoing("frame", picture.jpeg.ljust(size, b"\0"), str(size), picture)

    def record_sent(self, outgoing: Outgoing, at: float) -> bool:
        """Record that a frame was sent, and forget those after their timeout. Return whether it was sent before."""
        self._forget_before(at - self._timeout)
        size = len(outgoing.payload)
        is_copy = size in self._recent
        if is_copy:
            self._doubled.add(size)
        else:
            self._sent += 1
            self._recent[size] = self._last_sent_at = at
            self._outstanding[size] = SentPicture(outgoing.picture, at, self._sent)
        return is_copy

    def _forget_before(self, at: float) -> None:
        for size in [size for size, sent_at in self._recent.items() if sent_at < at]:
            del self._recent[size]
            self._outstanding.pop(size, None)
            self._doubled.discard(size)

    def is_waiting(self, at: float) -> bool:
        """Return whether an answer to the newest frame may still come."""
        is_answered = self._newest_answered == self._sent
        return not is_answered and at < self._last_sent_at + min(self._timeout, MAX_ANSWER_S)

    def due_again(self, _at: float) -> Sequence[Outgoing]:
        """Return nothing: a frame is never sent again."""
        return ()

    def give_up(self, _at: float) -> Sequence[Event]:
        """Return nothing: ``record_sent`` forgets old frames."""
        return ()

    def read(self, message: Message) -> Sequence[Event]:
        """Return the events of a received message."""
        if message.topic == "verdict":
            return [Verdict(message.camera, message.payload.decode(errors="replace"))]
        if message.topic in ("event", "present"):
            return [sighting_event.read(message)]
        reply = document.read(message.payload)
        if reply.size in self._doubled and reply.size not in self._outstanding:
            self._doubled.discard(reply.size)
            return [Duplicate(message.camera)]
        wrong = find_contradictions({"camera": message.camera, "op": "face_rec"}, reply)
        complaints = [Contradiction(message.camera, "frame", text) for text in wrong]
        shot = self._answered_by(reply)
        if shot is not None:
            self._newest_answered = max(self._newest_answered, shot.number)
        return [replace(reply.as_answer(shot, message), newer=self._sent - self._newest_answered), *complaints]

    def _answered_by(self, reply: Document) -> SentPicture | None:
        """Return the frame of a reply. A reply without a size, an error, counts for the oldest frame."""
        size = next(iter(self._outstanding), None) if reply.size is None else reply.size
        return None if size is None else self._outstanding.pop(size, None)
