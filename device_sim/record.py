"""Whether what the gateway says of one request fits what was sent, and fits together.

What does not is told in words for the summary; nothing where all is well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device_sim.document import Document
from device_sim.repeat import PASSING
from device_sim.verdict import is_passing

# What a second answer may say differently: its own event, moment and speed.
VOLATILE = frozenset({"id", "timestamp", "timing_ms"})
# Answers to other operations are not kept for ever: a repeat that comes very late may be told that it is.
CHANGES = frozenset({"enroll"})


def misfits(sent: Mapping[str, object], document: Document) -> Sequence[str]:
    """What the document says of these, where it says anything, and where we know better."""
    said = {**document.data, "image.bytes": document.size}
    return [
        f"{name} is {said[name]!r:.80}, and {value!r} was sent"
        for name, value in sent.items()
        if value is not None and said.get(name) not in (None, value)
    ]


class Record:
    """All that was said of one request; ``size`` is the number of bytes of its picture, None if there are two."""

    def __init__(self, op: str, key: str, size: int | None) -> None:
        self.key = key
        self._op = op
        self._size = size
        self._answer: Document | None = None
        self._verdict: str | None = None

    @property
    def answered(self) -> bool:
        return self._answer is not None

    def fits(self, camera: str, document: Document) -> Sequence[str]:
        """Whether the document is about what that camera sent."""
        sent = {"camera": camera, "op": self._op, "request_id": self.key, "image.bytes": self._size}
        return misfits(sent, document)

    def answer(self, camera: str, document: Document) -> Sequence[str]:
        """The final answer, or one more."""
        complaints = self.fits(camera, document)
        if self._answer is not None and self._answer.code not in PASSING:
            return [*complaints, *self._again(self._answer, document)]
        self._answer = document
        return [*complaints, *self._agree()]

    def verdict(self, text: str, *, final: bool) -> tuple[bool, Sequence[str]]:
        """Whether it is the first one that counts; ``final``: passing ones do too."""
        if self._verdict is not None:
            return False, self._same(text)
        if is_passing(text) and not final:
            return False, []
        self._verdict = text
        return True, self._agree()

    def _agree(self) -> Sequence[str]:
        """The verdict's first word with the document, once both are there."""
        if self._answer is None or self._answer.word is None or self._verdict is None:
            return []
        told, word = self._verdict.partition(" ")[0], self._answer.word
        return [] if told == word else [f"the verdict says {told!r}, the document {word!r}"]

    def _same(self, text: str) -> Sequence[str]:
        if text == self._verdict or self._not_done(is_passing(text), text == "error expired"):
            return []
        return [f"the verdict was {self._verdict!r}, then {text!r}"]

    def _again(self, first: Document, second: Document) -> Sequence[str]:
        if self._not_done(second.code in PASSING, second.code == "expired"):
            return []
        names = sorted((first.data.keys() | second.data.keys()) - VOLATILE)
        return [
            f"{name} was {first.data.get(name)!r:.80}, then {second.data.get(name)!r:.80}"
            for name in names
            if first.data.get(name) != second.data.get(name)
        ]

    def _not_done(self, passing: bool, expired: bool) -> bool:
        """A repeat that was not executed says nothing of the answer that we have."""
        return passing and not (expired and self._op in CHANGES)
