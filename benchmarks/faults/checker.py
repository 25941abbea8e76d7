"""Whether a history keeps the promise. Nothing here measures or waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.faults.history import EFFECTS, Answer, History, Key, Sent

OF_THE_MESSAGE = frozenset({"id", "timestamp", "timing_ms"})
"""What is another in each reply, even to the same request."""

OF_THE_GALLERY = frozenset(
    {"name", "person", "score", "threshold", "verdict", "similarity", "margin", "match", "unknown"}
)
"""What a look at the same picture may say otherwise later, since somebody was enrolled meanwhile."""

ACTIONS = frozenset({"add", "rename"})
"""What the load does at most once to each person, in the words of the audit."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``missing``: effects that were reported done and are not in the store."""

    lost: list[Key]
    duplicates: list[str]
    differing: list[Key]
    missing: list[Key]

    @property
    def kept(self) -> bool:
        return not (self.lost or self.duplicates or self.differing or self.missing)


def check(history: History, *, repeats: bool) -> Finding:
    """``repeats``: whether the devices asked again; they then are owed a final answer, else any answer."""
    return Finding(
        lost=[key for key, request in history.requests.items() if is_lost(request, history, repeats=repeats)],
        duplicates=duplicates(history),
        differing=[key for key, request in history.requests.items() if differs(request, history)],
        missing=missing(history),
    )


def is_lost(request: Sent, history: History, *, repeats: bool) -> bool:
    """Without repeats, what the broker never took was never handed over: that is the transport's own failing."""
    answers = history.answers.get(request.key, [])
    if repeats:
        return not any(answer.final for answer in answers)
    return request.acked and not answers


def duplicates(history: History) -> list[str]:
    """One word for each effect too many. Each person is added by one request and renamed by one at most."""
    ours = Counter(
        (effect.action, effect.person)
        for effect in history.effects
        if effect.door.startswith("mqtt") and effect.action in ACTIONS
    )
    again = [f"{action} {person}" for (action, person), count in ours.items() for _ in range(count - 1)]
    tokens = Counter(token for slug in history.people if (token := token_of(slug)))
    twins = [f"two people {token}" for token, count in tokens.items() for _ in range(count - 1)]
    return [*again, *twins]


def token_of(slug: str) -> str | None:
    """Of an id that the load gave: ``bench_<token>``; a second person of that name would be ``bench_<token>_2``."""
    stem, _, rest = slug.partition("_")
    return rest.split("_")[0] if stem == "bench" else None


def missing(history: History) -> list[Key]:
    """An addition whose person is not there, a renaming whose person has the old name."""
    names = {token_of(slug): name for slug, name in history.people.items()}
    gone = []
    for key, request in history.requests.items():
        if request.op not in EFFECTS or not any(each.code == "ok" for each in history.answers.get(key, [])):
            continue
        name = names.get(request.token)
        if name is None or (request.op == "people/rename" and not name.startswith("Renamed")):
            gone.append(key)
    return gone


def differs(request: Sent, history: History) -> bool:
    """Whether two final answers contradict each other, or what was done is then said to have come too late."""
    answers = history.answers.get(request.key, [])
    finals = [answer for answer in answers if answer.final]
    if request.op in EFFECTS and finals:
        finals += [answer for answer in answers if answer.code == "expired" and answer.at > finals[0].at]
    documents = [_comparable(answer, request.op) for answer in finals if answer.document is not None]
    verdicts = [answer.verdict for answer in finals if answer.verdict is not None and request.op in EFFECTS]
    codes = {answer.code for answer in finals}
    return len(codes) > 1 or _several(documents) or _several(verdicts)


def told_anew(history: History) -> int:
    """Reads whose answers agree but for who is known by now."""
    found = 0
    for key, request in history.requests.items():
        documents = [dict(each.document) for each in history.answers.get(key, []) if each.final and each.document]
        texts = [{name: value for name, value in each.items() if name not in OF_THE_MESSAGE} for each in documents]
        found += request.op not in EFFECTS and _several(texts) and not differs(request, history)
    return found


def _comparable(answer: Answer, op: str) -> Any:
    document = {name: value for name, value in (answer.document or {}).items() if name not in OF_THE_MESSAGE}
    return document if op in EFFECTS else _without(document, OF_THE_GALLERY)


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _without(each, names) for name, each in value.items() if name not in names}
    return [_without(each, names) for each in value] if isinstance(value, list) else value


def _several(values: list[Any]) -> bool:
    return any(value != values[0] for value in values[1:])
