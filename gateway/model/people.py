"""People, and the judgement which person a face shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

QualityProblem = Literal["too_small", "too_dark", "blurred", "turned", "cut_off", "compressed"]
"""The reason why a face is not compared with anybody."""

Hint = Literal["undecided"] | QualityProblem
"""The reason why one more picture may give a better answer. ``undecided``: the sighting needs another picture."""

Verdict = Literal["match", "unknown", "ambiguous"] | QualityProblem


@dataclass(frozen=True, slots=True)
class Person:
    """An enrolled person. ``slug`` is the id on the wires, ``name`` the text for people."""

    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Likeness:
    """A person that a face resembles. ``score`` and ``similarity``: as in Judgement."""

    person: Person
    score: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """The decision about a face.

    ``person`` is set for ``match`` only. ``candidates`` is set for ``ambiguous`` only: the people who pass, the best
    first. ``score``: 0 to 1, from the false match rate (people/decision.py). ``similarity``: to the mean of the
    person's pictures (people/similarity.py). ``margin``: the distance to the next person's similarity. ``similarity``
    and ``margin`` are None while nobody is enrolled.
    """

    verdict: Verdict
    person: Person | None = None
    score: float = 0.0
    similarity: float | None = None
    margin: float | None = None
    candidates: tuple[Likeness, ...] = ()
