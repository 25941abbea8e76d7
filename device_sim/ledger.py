"""What a camera asked and was told: what is outstanding, what is due again, what does not fit together."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from device_sim.document import Document
from device_sim.model import Answer, Contradiction, Duplicate, Event, Message, Outgoing, Shot, Verdict
from device_sim.record import Record
from device_sim.repeat import Repeating, Schedule

# So many answered requests are remembered, to hold a second answer against the first.
KEPT = 1000


@dataclass(slots=True)
class Asked:
    """A request that waits for its final answer. ``passing`` is the last one that was not, if any came."""

    outgoing: Outgoing
    shot: Shot
    schedule: Schedule
    passing: Answer | None = None


class Ledger:
    """Of one camera and one operation; ``repeating`` as for a Schedule. Times are those of the monotonic clock."""

    def __init__(self, op: str, *, timeout: float, repeating: Repeating | None) -> None:
        self._op = op
        self._timeout = timeout
        self._repeating = repeating
        self._asked: dict[str, Asked] = {}
        self._records: dict[str, Record] = {}
        self._closed: deque[str] = deque()

    def sent(self, outgoing: Outgoing, at: float) -> None:
        """For the first time or again."""
        key = outgoing.key
        if key not in self._asked:
            schedule = Schedule(self._repeating, deadline=at + self._timeout)
            self._asked[key] = Asked(outgoing, Shot(outgoing.picture, at), schedule)
            size = None if self._op == "face_match" else len(outgoing.payload)
            self._records[key] = Record(self._op, key, size)
        asked = self._asked[key]
        asked.schedule.sent(at)
        asked.outgoing = replace(asked.outgoing, missing=())  # should they be lost again, all goes again

    def due(self, at: float) -> Sequence[Outgoing]:
        """What to send again now: as it was, but for the time that is left, or only the pieces that are missing."""
        again = (asked for asked in self._asked.values() if asked.schedule.due <= at < asked.schedule.deadline)
        return [replace(asked.outgoing, expiry=math.ceil(asked.schedule.deadline - at)) for asked in again]

    def give_up(self, at: float) -> Sequence[Event]:
        """Forgets what is past its deadline. Where all that came was ``busy`` and the like, that is its answer."""
        late = [key for key, asked in self._asked.items() if asked.schedule.deadline < at]
        given_up = [self._close(key) for key in late]
        return [asked.passing for asked in given_up if asked.passing]

    def waiting(self) -> bool:
        return bool(self._asked)

    def answer(self, key: str | None, said: Document, message: Message) -> Sequence[Event]:
        record = self._records.get(key or "")
        if record is None or key is None:
            return [said.about(None, message)]
        asked = self._asked.get(key)
        if asked is None or message.at > asked.schedule.deadline:
            return self._late(record, said, message)
        answer = said.about(asked.shot, message)
        if not asked.schedule.is_final(said.code):
            self._pass(asked, answer, said, message)
            return self._complaints(record, record.fits(message.camera, said), message)
        self._close(key)
        return [answer, *self._complaints(record, record.answer(message.camera, said), message)]

    def verdict(self, key: str, text: str, message: Message) -> Sequence[Event]:
        """A verdict text counts once for each request, as a final answer does."""
        record = self._records.get(key)
        if record is None:
            return [Verdict(message.camera, text)]
        first, complaints = record.verdict(text, final=self._repeating is None)
        heard = [Verdict(message.camera, text)] if first else []
        return [*heard, *self._complaints(record, complaints, message)]

    def _late(self, record: Record, said: Document, message: Message) -> Sequence[Event]:
        """A further answer to what is answered, or the first one to what was given up."""
        again = record.answered
        complaints = self._complaints(record, record.answer(message.camera, said), message)
        if again:
            return complaints or [Duplicate(message.camera)]
        return [said.about(None, message), *complaints]

    def _pass(self, asked: Asked, answer: Answer, said: Document, message: Message) -> None:
        asked.passing = answer
        asked.outgoing = replace(asked.outgoing, missing=said.missing)
        asked.schedule.passing(message.at, said.code or "", said.retry_after)

    def _close(self, key: str) -> Asked:
        self._closed.append(key)
        while len(self._closed) > KEPT:
            del self._records[self._closed.popleft()]
        return self._asked.pop(key)

    def _complaints(self, record: Record, complaints: Sequence[str], message: Message) -> Sequence[Event]:
        """One for a message, however much is wrong with it."""
        return [Contradiction(message.camera, record.key, "; ".join(complaints))] if complaints else []
