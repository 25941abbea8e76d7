"""Calibration: how well the gateway distinguishes the enrolled people, measured with their own pictures."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import Unsupported
from gateway.model import Person
from gateway.people.decision import FULL_SCORE, Decision
from gateway.people.gallery import Gallery
from gateway.people.stranger_rate import stranger_rate
from gateway.store.protocols import Store

RULE_OF_THREE = 3
"""After n comparisons without an error the true rate is below 3/n, with a confidence of 95 % (rule of three)."""

LIKELY_DUPLICATE_SCORE = 0.5
"""Score from which the pictures of two people may show one person, so that a user should look at them."""

MAX_COMPARISONS = 5_000_000
"""Comparisons of a picture with a person that one calibration makes: about a minute of work."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """Scores of all comparisons, float64, (n,).

    ``same``: each picture with the mean of the person's other pictures; ``different``: each picture with each other
    person; ``closest``: the two people with the highest score in ``different``.
    """

    same: Floats
    different: Floats
    closest: tuple[Person, Person] | None


def calibrate(
    store: Store, gallery: Gallery, decision: Decision, *, recipe: str, plot: bool = False
) -> Mapping[str, Any]:
    """Return the document of ``calibrate``, for the pictures with descriptors of a recipe.

    With too little data ``proposed_threshold`` is None and ``refused`` holds the reason. Raises Unsupported for too
    many people.
    """
    people, faces = store.faces.read_faces(recipe)
    names = list(dict.fromkeys(people))
    if len(names) * len(people) > MAX_COMPARISONS:
        raise Unsupported(
            f"calibrate would compare {len(people):,} pictures with {len(names):,} people: it makes at most"
            f" {MAX_COMPARISONS:,} comparisons"
        )
    found = compare(gallery, decision, people, faces, names)
    threshold = decision.identification_threshold(len(names))
    wanted = 10 ** (-6 * threshold)
    needed = RULE_OF_THREE / wanted
    refused = None
    if len(found.different) < needed:
        refused = (
            "too few pictures to propose a threshold of your own: one mistake in "
            f"{1 / wanted:,.0f} takes {needed:,.0f} comparisons of different people, and there are "
            f"{len(found.different)}. The built-in curves are used instead"
        )
    closest = found.closest
    return {
        "people": len(names),
        "pictures": len(people),
        "same": len(found.same),
        "different": len(found.different),
        "threshold": round(threshold, 3),
        "measured_for": decision.max_measured_people(),
        "strangers": stranger_rate(decision, len(gallery), store.sightings(recipe), time.time()).document(),
        "missed": None if not len(found.same) else round(float((found.same < threshold).mean()), 4),
        "mistaken": None if not len(found.different) else round(float((found.different >= threshold).mean()), 6),
        "closest": None
        if closest is None
        else {
            "people": [each.slug for each in closest],
            "score": round(float(found.different.max()), 3),
            "one_person": bool(found.different.max() >= LIKELY_DUPLICATE_SCORE),
        },
        "curve": _table(found.different),
        "proposed_threshold": None if refused else round(float(np.quantile(found.different, 1 - wanted)), 3),
        "refused": refused,
        **({"plot": base64.b64encode(draw_plot(found, threshold)).decode()} if plot else {}),
    }


def compare(
    gallery: Gallery, decision: Decision, people: list[Person], faces: NDArray[np.float32], names: list[Person]
) -> Comparisons:
    """Compare each picture with the mean of the pictures of each of the people in ``names``.

    ``people``: the person on each picture; ``faces``: the descriptors of the pictures, (n, d).
    """
    place = {person: n for n, person in enumerate(names)}
    owners = np.array([place[person] for person in people], np.intp)
    sums = np.zeros((len(names), faces.shape[1]), np.float32)
    np.add.at(sums, owners, faces)
    counts = np.bincount(owners, minlength=len(names))
    same, different, closest, highest = [], [], None, -np.inf
    for face, owner in zip(faces, owners.tolist(), strict=True):
        scores = _score_all(gallery, decision, face, sums, counts)
        others = np.delete(scores, owner)
        different.append(others)
        if len(others) and others.max() > highest:
            highest = float(others.max())
            nearest = int(np.argmax(np.where(np.arange(len(names)) == owner, -np.inf, scores)))
            closest = names[owner], names[nearest]
        if counts[owner] > 1:
            rest = (sums[owner] - face)[None]
            same.append(float(_score_all(gallery, decision, face, rest, counts[[owner]] - 1)[0]))
    flat = np.concatenate(different) if different else np.empty(0)
    return Comparisons(np.array(same), flat, closest)


def _score_all(
    gallery: Gallery,
    decision: Decision,
    face: NDArray[np.float32],
    sums: NDArray[np.float32],
    counts: NDArray[np.intp],
) -> Floats:
    """Return the score of a face and each person. ``sums``, ``counts``: of each person's descriptors."""
    means = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    alike = gallery.similarities(face, means)
    pairs = zip(alike.tolist(), counts.tolist(), strict=True)
    return np.array([decision.score(each, pictures) for each, pictures in pairs])


def _table(different: Floats) -> list[Mapping[str, float]]:
    """Return the score that one in 10, 100 … comparisons reaches, for each rate with at least ten comparisons."""
    rates = [rate for rate in (0.1, 0.01, 0.001, 1e-4, 1e-5) if rate * len(different) >= 10]
    return [{"rate": rate, "score": round(float(np.quantile(different, 1 - rate)), 3)} for rate in rates]


def _at_least(measured: Floats, scores: Floats) -> Floats:
    """Return for each score the share of the measured scores that are at least as high."""
    return 1 - np.searchsorted(np.sort(measured), scores, "left") / len(measured)


def _below(measured: Floats, scores: Floats) -> Floats:
    """Return for each score the share of the measured scores that are lower."""
    return np.searchsorted(np.sort(measured), scores, "left") / len(measured)


def draw_plot(found: Comparisons, threshold: float) -> bytes:
    """Return a PNG with both curves. Raises Unsupported if matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise Unsupported("a plot needs matplotlib, which is not installed: pip install matplotlib") from None
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    scores = np.linspace(0, 1, 501)
    axes.plot(
        scores, 10 ** (-FULL_SCORE * scores), color="grey", linestyle=":", label="different people, as measured for all"
    )
    for measured, share, label, colour in (
        (found.different, _at_least, "different people, mistaken", "tab:red"),
        (found.same, _below, "the same person, missed", "tab:green"),
    ):
        if len(measured):
            lines = share(measured, scores)
            axes.step(scores, np.where(lines > 0, lines, np.nan), color=colour, label=f"{label} ({len(measured)})")
    axes.axvline(threshold, color="black", linestyle="--", label=f"named from here: {threshold:.2f}")
    axes.set(xlabel="score from which a face is named", ylabel="share of the comparisons")
    axes.set_title("Your people, each picture with everybody else")
    axes.set_yscale("log")
    axes.legend(loc="lower left")
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=120)
    return out.getvalue()
