"""The check of all answers to one request: they must match the request, and each other.

Contradictions are returned as texts for the summary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device_sim.document import Document
from device_sim.repetition import TEMPORARY_CODES
from device_sim.verdict import is_temporary

# Fields that may differ in a second answer.
VARYING_FIELDS = frozenset({"id", "timestamp", "timing_ms"})
# Operations whose answers the gateway keeps. For others a very late repetition may get the error ``expired``.
CHANGING_OPERATIONS = frozenset({"enroll"})


def find_contradictions(sent: Mapping[str, object], document: Document) -> Sequence[str]:
    """Return the contradictions between the sent values and the document. Missing values do not contradict."""
    values = {**document.data, "image.bytes": document.size}
    return [
        f"{name} is {values[name]!r:.80}, and {value!r} was sent"
        for name, value in sent.items()
        if value is not None and values.get(name) not in (None, value)
    ]


class AnswerRecord:
    """All answers to one request. ``size``: the bytes of its picture, None if it has two pictures."""

    def __init__(self, op: str, key: str, size: int | None) -> None:
        self.key = key
        self._op = op
        self._size = size
        self._answer: Document | None = None
        self._verdict: str | None = None

    @property
    def answered(self) -> bool:
        return self._answer is not None

    def check_subject(self, camera: str, document: Document) -> Sequence[str]:
        """Return the contradictions between the document and the request of the camera."""
        sent = {"camera": camera, "op": self._op, "request_id": self.key, "image.bytes": self._size}
        return find_contradictions(sent, document)

    def answer(self, camera: str, document: Document) -> Sequence[str]:
        """Record a final answer, and return its contradictions."""
        complaints = self.check_subject(camera, document)
        if self._answer is not None and self._answer.code not in TEMPORARY_CODES:
            return [*complaints, *self._compare_answers(self._answer, document)]
        self._answer = document
        return [*complaints, *self._compare_verdict()]

    def verdict(self, text: str, *, final: bool) -> tuple[bool, Sequence[str]]:
        """Record a verdict text. Return whether it is the first final one, and its contradictions.

        ``final``: temporary verdicts count as final.
        """
        if self._verdict is not None:
            return False, self._compare_verdicts(text)
        if is_temporary(text) and not final:
            return False, []
        self._verdict = text
        return True, self._compare_verdict()

    def _compare_verdict(self) -> Sequence[str]:
        """Compare the verdict's first word with the document, if both have arrived."""
        if self._answer is None or self._answer.word is None or self._verdict is None:
            return []
        first, word = self._verdict.partition(" ")[0], self._answer.word
        return [] if first == word else [f"the verdict is {first!r}, but the document says {word!r}"]

    def _compare_verdicts(self, text: str) -> Sequence[str]:
        if text == self._verdict or self._was_not_executed(is_temporary(text), text == "error expired"):
            return []
        return [f"the verdict was {self._verdict!r}, then {text!r}"]

    def _compare_answers(self, first: Document, second: Document) -> Sequence[str]:
        if self._was_not_executed(second.code in TEMPORARY_CODES, second.code == "expired"):
            return []
        names = sorted((first.data.keys() | second.data.keys()) - VARYING_FIELDS)
        return [
            f"{name} was {first.data.get(name)!r:.80}, then {second.data.get(name)!r:.80}"
            for name in names
            if first.data.get(name) != second.data.get(name)
        ]

    def _was_not_executed(self, is_temporary_answer: bool, expired: bool) -> bool:
        """Return whether a repetition was not executed. Its answer then cannot contradict the first one."""
        return is_temporary_answer and not (expired and self._op in CHANGING_OPERATIONS)
