"""The check of a run with replicas, beyond that of requests and their answers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.faults.checker import differs, is_lost, token_of
from benchmarks.faults.history import EFFECTS, History, Key, Sent
from benchmarks.faults.replicas.people import tokens_in
from benchmarks.faults.replicas.record import LeaderNews, Record

REMOVALS = frozenset({"people/remove", "people/erase"})
ADDITIONS = frozenset({"enroll", "people/add"})
ACTIONS_OF_LOAD = frozenset({"add", "rename", "remove", "erase"})
"""Actions of the audit that the load causes at most once for each person."""

DELIVERY_S = 1.0
"""Time in which a message that was published before the answer to an erasure may arrive after it, over another
connection. A name in the answer to a picture that was sent after that answer is a violation without any delay."""


@dataclass(frozen=True, slots=True)
class ReplicaFindings:
    """The violations in a run with replicas.

    ``missing``: changes that were reported as done, and are not in the store. ``named``: names of people who were
    removed before. ``refused``: requests with a final error, although all requests are right. ``unnamed``: answers that
    do not name a person whose enrolment was answered before.
    """

    lost: list[Key]
    duplicates: list[str]
    differing: list[Key]
    missing: list[str]
    named: list[str]
    refused: list[str]
    unnamed: list[str]
    leaders: list[str]


def check_replicas(history: History, record: Record) -> ReplicaFindings:
    """Return the violations."""
    requests = history.requests.items()
    return ReplicaFindings(
        lost=[key for key, request in requests if is_lost(request, history, repeats=True)],
        duplicates=[*_repeated_changes(history), *_twins(history)],
        differing=[key for key, request in requests if differs(request, history)],
        missing=list(_missing(history)),
        named=[*_named_in_answers(history), *_named_in_messages(history, record)],
        refused=list(_refused(history)),
        unnamed=list(_unnamed(history)),
        leaders=list(two_leaders(record.leaders)),
    )


def _repeated_changes(history: History) -> Iterator[str]:
    counted = Counter((each.action, each.person) for each in history.effects if each.action in ACTIONS_OF_LOAD)
    for (action, person), times in counted.items():
        for _ in range(times - 1):
            yield f"{action} {person}"


def _twins(history: History) -> Iterator[str]:
    tokens = Counter(token for slug in history.people if (token := token_of(slug)))
    for token, times in tokens.items():
        for _ in range(times - 1):
            yield f"two people {token}"


def _done(history: History, ops: frozenset[str]) -> Mapping[str, float]:
    """Return the time of the first answer ``ok`` to such a request, by the token of its person."""
    return {
        request.token: min(oks)
        for key, request in history.requests.items()
        if request.op in ops and request.token is not None
        if (oks := [each.at for each in history.answers.get(key, []) if each.code == "ok"])
    }


def _asked(history: History, ops: frozenset[str]) -> Mapping[str, float]:
    """Return the time of the first such request, by the token of its person."""
    return {each.token: each.sent[0] for each in history.requests.values() if each.op in ops and each.token is not None}


def _missing(history: History) -> Iterator[str]:
    names = {token_of(slug): name for slug, name in history.people.items()}
    removed, may_be_removed = _done(history, REMOVALS), _asked(history, REMOVALS)
    for token in _done(history, ADDITIONS):
        if token not in names and token not in may_be_removed:
            yield f"{token} was enrolled, and is not there"
    for token in _done(history, frozenset({"people/rename"})):
        if not names.get(token, "").startswith("Renamed"):
            yield f"{token} was renamed, and has the old name"
    for token in removed:
        if token in names:
            yield f"{token} was removed, and is there"


def _named_in_answers(history: History) -> Iterator[str]:
    removed = _done(history, REMOVALS)
    for key, answers in history.answers.items():
        request = history.requests[key]
        # The answer to a change may repeat the person of the request.
        if request.op in EFFECTS:
            continue
        for answer in answers:
            text = answer.verdict if answer.document is None else json.dumps(answer.document)
            for token in tokens_in([text or ""]):
                if _is_late(removed.get(token), answer.at, request.sent[0]):
                    yield f"{'/'.join(key)} names {token}, {answer.at - removed[token]:.3f} s after the removal"


def _named_in_messages(history: History, record: Record) -> Iterator[str]:
    removed = _done(history, REMOVALS)
    for naming in record.namings:
        for token in naming.tokens:
            if _is_late(removed.get(token), naming.at, naming.sent):
                yield f"{naming.topic} names {token}, {naming.at - removed[token]:.3f} s after the removal"


def _is_late(removed: float | None, received: float, sent: float | None) -> bool:
    """Return whether a name came after the removal. ``sent``: the time at which its picture was first sent."""
    if removed is None:
        return False
    return received > removed + DELIVERY_S or (sent is not None and sent > removed)


def _refused(history: History) -> Iterator[str]:
    for key, answers in history.answers.items():
        for code in {each.code for each in answers if each.final and each.code != "ok"}:
            yield f"{'/'.join(key)} {history.requests[key].op}: {code}"


def _unnamed(history: History) -> Iterator[str]:
    enrolled, may_be_removed = _done(history, ADDITIONS), _asked(history, REMOVALS)
    for key, request in history.requests.items():
        if request.op != "face_rec" or request.shown is None or not _was_enrolled(request, enrolled):
            continue
        for answer in history.answers.get(key, []):
            gone = may_be_removed.get(request.shown, answer.at)
            if answer.code == "ok" and answer.at <= gone and not _names(request.shown, answer.document, answer.verdict):
                yield f"{'/'.join(key)} does not name {request.shown}"


def _was_enrolled(request: Sent, enrolled: Mapping[str, float]) -> bool:
    """Return whether the person in the picture was enrolled before the request was sent."""
    return request.shown is not None and enrolled.get(request.shown, request.sent[0]) < request.sent[0]


def _names(token: str, document: object, verdict: str | None) -> bool:
    return token in tokens_in([verdict or json.dumps(document)])


def two_leaders(news: Iterable[LeaderNews]) -> Iterator[str]:
    """Yield a text for each time in which two replicas said that they lead, if it was longer than DELIVERY_S."""
    leading: dict[str, float] = {}
    both, end = "", 0.0
    for each in news:
        end = each.at
        if len(leading) > 1 and end > max(leading.values()) + DELIVERY_S and both != (now := " and ".join(leading)):
            both = now
            yield f"{both} lead at the same time, from {max(leading.values()):.1f} to {end:.1f}"
        if each.leads:
            leading.setdefault(each.replica, each.at)
        else:
            leading.pop(each.replica, None)
    if len(leading) > 1:
        yield f"{' and '.join(leading)} lead at the end"
