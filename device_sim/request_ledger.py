"""The requests of one camera and their answers: outstanding and due requests, and contradictions."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from device_sim.answer_record import AnswerRecord
from device_sim.document import Document
from device_sim.model import Answer, Contradiction, Duplicate, Event, Message, Outgoing, SentPicture, Verdict
from device_sim.repetition import RepeatPolicy, RepeatSchedule

# Answered requests that are remembered, to compare a second answer with the first.
MAX_REMEMBERED_REQUESTS = 1000


@dataclass(slots=True)
class OutstandingRequest:
    """A request without a final answer. ``temporary_answer``: the last answer that was not final."""

    outgoing: Outgoing
    shot: SentPicture
    schedule: RepeatSchedule
    temporary_answer: Answer | None = None


class RequestLedger:
    """The requests of one camera and one operation. Times are on the monotonic clock.

    ``repeating``: as for RepeatSchedule.
    """

    def __init__(self, op: str, *, timeout: float, repeating: RepeatPolicy | None) -> None:
        self._op = op
        self._timeout = timeout
        self._repeating = repeating
        self._asked: dict[str, OutstandingRequest] = {}
        self._records: dict[str, AnswerRecord] = {}
        self._closed: deque[str] = deque()

    def record_sent(self, outgoing: Outgoing, at: float) -> bool:
        """Record that a request was sent, and return whether it was sent before."""
        key = outgoing.key
        is_copy = key in self._records
        if is_copy and key not in self._asked:
            # The request was answered before its copy was sent.
            return True
        if not is_copy:
            schedule = RepeatSchedule(self._repeating, deadline=at + self._timeout)
            self._asked[key] = OutstandingRequest(outgoing, SentPicture(outgoing.picture, at), schedule)
            size = None if self._op == "face_match" else len(outgoing.payload)
            self._records[key] = AnswerRecord(self._op, key, size)
        asked = self._asked[key]
        asked.schedule.record_sent(at)
        # If the missing pieces are lost again, all pieces are sent.
        asked.outgoing = replace(asked.outgoing, missing=())
        return is_copy

    def due_again(self, at: float) -> Sequence[Outgoing]:
        """Return the requests to send again now, with the remaining time as expiry, or with missing pieces only."""
        again = (asked for asked in self._asked.values() if asked.schedule.due <= at < asked.schedule.deadline)
        return [replace(asked.outgoing, expiry=math.ceil(asked.schedule.deadline - at)) for asked in again]

    def give_up(self, at: float) -> Sequence[Event]:
        """Forget requests after their deadline. Return the last temporary answers of those that had one."""
        late = [key for key, asked in self._asked.items() if asked.schedule.deadline < at]
        given_up = [self._close(key) for key in late]
        return [asked.temporary_answer for asked in given_up if asked.temporary_answer]

    def is_waiting(self) -> bool:
        """Return whether a request is outstanding."""
        return bool(self._asked)

    def answer(self, key: str | None, document: Document, message: Message) -> Sequence[Event]:
        record = self._records.get(key or "")
        if record is None or key is None:
            return [document.as_answer(None, message)]
        asked = self._asked.get(key)
        if asked is None or message.at > asked.schedule.deadline:
            return self._take_late(record, document, message)
        answer = document.as_answer(asked.shot, message)
        if not asked.schedule.is_final(document.code):
            self._keep_temporary(asked, answer, document, message)
            return self._contradictions(record, record.check_subject(message.camera, document), message)
        self._close(key)
        return [answer, *self._contradictions(record, record.answer(message.camera, document), message)]

    def verdict(self, key: str, text: str, message: Message) -> Sequence[Event]:
        """Return the events of a verdict text. It counts once for each request, like a final answer."""
        record = self._records.get(key)
        if record is None:
            return [Verdict(message.camera, text)]
        first, complaints = record.verdict(text, final=self._repeating is None)
        heard = [Verdict(message.camera, text)] if first else []
        return [*heard, *self._contradictions(record, complaints, message)]

    def _take_late(self, record: AnswerRecord, document: Document, message: Message) -> Sequence[Event]:
        """Return the events of a further answer, or of a first answer after the deadline."""
        again = record.answered
        complaints = self._contradictions(record, record.answer(message.camera, document), message)
        if again:
            return complaints or [Duplicate(message.camera)]
        return [document.as_answer(None, message), *complaints]

    def _keep_temporary(self, asked: OutstandingRequest, answer: Answer, document: Document, message: Message) -> None:
        asked.temporary_answer = answer
        asked.outgoing = replace(asked.outgoing, missing=document.missing)
        asked.schedule.record_temporary(message.at, document.code or "", document.retry_after)

    def _close(self, key: str) -> OutstandingRequest:
        self._closed.append(key)
        while len(self._closed) > MAX_REMEMBERED_REQUESTS:
            del self._records[self._closed.popleft()]
        return self._asked.pop(key)

    def _contradictions(self, record: AnswerRecord, complaints: Sequence[str], message: Message) -> Sequence[Event]:
        """Return one event for all contradictions of a message."""
        return [Contradiction(message.camera, record.key, "; ".join(complaints))] if complaints else []
