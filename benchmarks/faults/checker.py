"""The check of a history: every request is answered, and every change is made exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.faults.history import EFFECTS, Answer, History, Key, Sent

VARYING_FIELDS = frozenset({"id", "timestamp", "timing_ms"})
"""Fields that differ in each reply, even to the same request."""

GALLERY_FIELDS = frozenset(
    {"name", "person", "score", "threshold", "verdict", "similarity", "margin", "match", "unknown"}
)
"""Fields that may differ later for the same picture, because a person was enrolled meanwhile."""

CHECKED_ACTIONS = frozenset({"add", "rename"})
"""Actions of the audit log that the load causes at most once for each person."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The violations in a history. ``missing``: changes that were reported as done, but are not in the store."""

    lost: list[Key]
    duplicates: list[str]
    differing: list[Key]
    missing: list[Key]

    @property
    def is_empty(self) -> bool:
        """True if there is no violation."""
        return not (self.lost or self.duplicates or self.differing or self.missing)


def check(history: History, *, repeats: bool) -> Findings:
    """Return the violations in a history.

    ``repeats``: devices repeat their requests, and must get a final answer. Otherwise any answer is enough.
    """
    return Findings(
        lost=[key for key, request in history.requests.items() if is_lost(request, history, repeats=repeats)],
        duplicates=duplicates(history),
        differing=[key for key, request in history.requests.items() if differs(request, history)],
        missing=missing(history),
    )


def is_lost(request: Sent, history: History, *, repeats: bool) -> bool:
    """Return whether a request got no answer."""
    # Without repetitions, a request that the broker never acknowledged does not count: it was lost in transport.
    answers = history.answers.get(request.key, [])
    if repeats:
        return not any(answer.final for answer in answers)
    return request.acked and not answers


def duplicates(history: History) -> list[str]:
    """Return a text for each repeated change. At most one request adds a person, and at most one renames it."""
    changes = Counter(
        (effect.action, effect.person)
        for effect in history.effects
        if effect.door.startswith("mqtt") and effect.action in CHECKED_ACTIONS
    )
    repeated = [f"{action} {person}" for (action, person), count in changes.items() for _ in range(count - 1)]
    tokens = Counter(token for slug in history.people if (token := token_of(slug)))
    twins = [f"two people {token}" for token, count in tokens.items() for _ in range(count - 1)]
    return [*repeated, *twins]


def token_of(slug: str) -> str | None:
    """Return the token in a person's id ``bench_<token>``. A second such person would be ``bench_<token>_2``."""
    stem, _, rest = slug.partition("_")
    return rest.split("_")[0] if stem == "bench" else None


def missing(history: History) -> list[Key]:
    """Return additions whose person does not exist, and renamings whose person has the old name."""
    names = {token_of(slug): name for slug, name in history.people.items()}
    violations = []
    for key, request in history.requests.items():
        if request.op not in EFFECTS or not any(each.code == "ok" for each in history.answers.get(key, [])):
            continue
        name = names.get(request.token)
        if name is None or (request.op == "people/rename" and not name.startswith("Renamed")):
            violations.append(key)
    return violations


def differs(request: Sent, history: History) -> bool:
    """Return whether two final answers differ, or a done change was later reported as ``expired``."""
    answers = history.answers.get(request.key, [])
    finals = [answer for answer in answers if answer.final]
    if request.op in EFFECTS and finals:
        finals += [answer for answer in answers if answer.code == "expired" and answer.at > finals[0].at]
    documents = [_comparable(answer, request.op) for answer in finals if answer.document is not None]
    verdicts = [answer.verdict for answer in finals if answer.verdict is not None and request.op in EFFECTS]
    codes = {answer.code for answer in finals}
    return len(codes) > 1 or _differ(documents) or _differ(verdicts)


def count_changed_reads(history: History) -> int:
    """Count read-only requests whose answers differ only because other people were enrolled meanwhile."""
    found = 0
    for key, request in history.requests.items():
        documents = [dict(each.document) for each in history.answers.get(key, []) if each.final and each.document]
        texts = [{name: value for name, value in each.items() if name not in VARYING_FIELDS} for each in documents]
        found += request.op not in EFFECTS and _differ(texts) and not differs(request, history)
    return found


def _comparable(answer: Answer, op: str) -> Any:
    document = {name: value for name, value in (answer.document or {}).items() if name not in VARYING_FIELDS}
    return document if op in EFFECTS else _without(document, GALLERY_FIELDS)


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _without(each, names) for name, each in value.items() if name not in names}
    return [_without(each, names) for each in value] if isinstance(value, list) else value


def _differ(values: list[Any]) -> bool:
    return any(value != values[0] for value in values[1:])
