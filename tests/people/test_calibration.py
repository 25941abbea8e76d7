from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import PIL.Image
import pytest

from gateway.errors import Unsupported
from gateway.model import Person
from gateway.model.caller import REST_CALLER
from gateway.people import calibration as module
from gateway.people.calibration import Comparisons, calibrate, compare, draw_plot
from gateway.people.decision import Decision
from gateway.store.records import Picture, StoredFace
from tests.examples import descriptor, near, unit
from tests.people.environment import CURVES, RECIPE, PeopleEnvironment, sample


def populated(env: PeopleEnvironment, people: int, pictures: int = 2) -> None:
    """Enrol people, each with pictures that look alike."""
    for n in range(people):
        faces = [near(descriptor(n), 0.95, 1000 + each) for each in range(pictures)]
        kept = [Picture(f"{n}/{each}", "rest", RECIPE, StoredFace(face, None)) for each, face in enumerate(faces)]
        env.store.people.enrol(f"P{n}", kept, REST_CALLER)
    env.updater.refresh()


def run_calibration(env: PeopleEnvironment, *, plot: bool = False) -> Mapping[str, Any]:
    return calibrate(env.store, env.gallery, env.people.decision, recipe=RECIPE, plot=plot)


def score(env: PeopleEnvironment, similarity: float) -> float:
    return env.people.decision.score(similarity)


def test_calibration_without_people_has_no_result(env: PeopleEnvironment) -> None:
    found = run_calibration(env)
    assert (found["people"], found["pictures"], found["same"], found["different"]) == (0, 0, 0, 0)
    assert found["missed"] is found["mistaken"] is found["closest"] is found["proposed_threshold"] is None
    assert "takes 300 comparisons" in found["refused"]


def test_calibration_of_one_person_has_no_comparison_of_different_people(env: PeopleEnvironment) -> None:
    env.registry.enrol("Alice", [sample(f"a{n}", near(descriptor(1), 0.95, n)) for n in range(3)], REST_CALLER)
    found = run_calibration(env)
    assert (found["people"], found["pictures"], found["same"], found["different"]) == (1, 3, 3, 0)
    assert (found["missed"], found["mistaken"], found["closest"]) == (0, None, None)


def test_calibration_with_too_little_data_proposes_no_threshold(env: PeopleEnvironment) -> None:
    """Three people need a rate of one mistake in 300. The rule of three needs 900 comparisons for that."""
    populated(env, 3)
    found = run_calibration(env)
    assert found["proposed_threshold"] is None
    assert found["refused"] == (
        "too few pictures to propose a threshold of your own: one mistake in 300 takes 900 comparisons of different"
        " people, and there are 12. The built-in curves are used instead"
    )
    assert (found["people"], found["pictures"], found["same"], found["different"]) == (3, 6, 6, 12)
    assert found["threshold"] == pytest.approx(env.people.decision.identification_threshold(3), abs=1e-3)


def test_calibration_reports_the_two_most_similar_people(env: PeopleEnvironment) -> None:
    for name, face in [("Alice", descriptor(1)), ("Bob", descriptor(2)), ("Carol", near(descriptor(1), 0.65))]:
        env.registry.enrol(name, [sample(name, face)], REST_CALLER)
    closest = run_calibration(env)["closest"]
    assert sorted(closest["people"]) == ["alice", "carol"]
    assert closest["score"] == pytest.approx(score(env, 0.65), abs=1e-3)
    assert closest["one_person"] is False


def test_calibration_reports_two_people_who_may_be_one(env: PeopleEnvironment) -> None:
    env.registry.enrol("Alice", [sample("a", descriptor(1))], REST_CALLER)
    env.registry.enrol("Alicia", [sample("b", near(descriptor(1), 0.9))], REST_CALLER)
    found = run_calibration(env)
    assert found["closest"]["one_person"] is True
    assert found["mistaken"] == 1


def test_picture_is_compared_with_the_mean_of_the_other_pictures(env: PeopleEnvironment) -> None:
    """A picture is never compared with a mean that includes this picture."""
    faces = [descriptor(1), near(descriptor(1), 0.8, 1), near(descriptor(1), 0.8, 2)]
    env.registry.enrol("Alice", [sample(f"a{n}", face) for n, face in enumerate(faces)], REST_CALLER)
    people, descriptors = env.store.faces.read_faces(RECIPE)
    found = compare(env.gallery, env.people.decision, people, descriptors, [Person("alice", "Alice")])
    others = [[faces[1], faces[2]], [faces[0], faces[2]], [faces[0], faces[1]]]
    expected = [
        env.people.decision.score(float(unit(np.sum(rest, axis=0)) @ face), 2)
        for face, rest in zip(faces, others, strict=True)
    ]
    assert sorted(found.same) == pytest.approx(sorted(expected), abs=1e-4)
    assert len(found.different) == 0


def test_calibration_reports_the_rate_of_missed_pictures(env: PeopleEnvironment) -> None:
    env.registry.enrol("Alice", [sample("a", descriptor(1)), sample("b", near(descriptor(1), 0.9))], REST_CALLER)
    env.registry.enrol("Bob", [sample("c", descriptor(2)), sample("d", descriptor(3))], REST_CALLER)
    assert run_calibration(env)["missed"] == 0.5


def test_calibration_leaves_out_counter_examples(env: PeopleEnvironment) -> None:
    env.registry.enrol("Alice", [sample("a", descriptor(1))], REST_CALLER)
    env.registry.add_counter_examples("alice", [sample("b", near(descriptor(1), 0.8))], REST_CALLER)
    assert run_calibration(env)["pictures"] == 1


def test_calibration_with_enough_data_proposes_a_threshold(env: PeopleEnvironment) -> None:
    """A rate of one mistake in ten needs few comparisons."""
    populated(env, 40)
    often = Decision(0.5, 0.1, CURVES, fixed_identification=1 / 6)
    found = calibrate(env.store, env.gallery, often, recipe=RECIPE)
    assert (found["refused"], found["different"]) == (None, 80 * 39)
    people, faces = env.store.faces.read_faces(RECIPE)
    different = compare(env.gallery, often, people, faces, list(dict.fromkeys(people))).different
    assert (different >= found["proposed_threshold"] - 1e-3).mean() >= 0.1
    assert found["proposed_threshold"] == pytest.approx(np.quantile(different, 0.9), abs=1e-3)
    assert [point["rate"] for point in found["curve"]] == [0.1, 0.01]
    assert "plot" not in found


def test_calibration_of_too_many_people_is_refused(env: PeopleEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    populated(env, 4, 1)
    monkeypatch.setattr(module, "MAX_COMPARISONS", 15)
    with pytest.raises(Unsupported, match="at most 15 comparisons"):
        run_calibration(env)


@pytest.mark.parametrize("people", [0, 1, 5])
def test_plot_is_a_png(env: PeopleEnvironment, people: int) -> None:
    pytest.importorskip("matplotlib")
    populated(env, people)
    plot = base64.b64decode(run_calibration(env, plot=True)["plot"])
    with PIL.Image.open(io.BytesIO(plot)) as image:
        assert (image.format, image.size) == ("PNG", (960, 600))


def test_plot_shows_both_curves_and_the_threshold() -> None:
    pytest.importorskip("matplotlib")
    some = Comparisons(np.array([0.8, 0.9]), np.array([0.1, 0.2, 0.3]), None)
    assert draw_plot(some, 0.5) == draw_plot(some, 0.5)
    assert draw_plot(some, 0.5) != draw_plot(some, 0.9)
    assert draw_plot(some, 0.5) != draw_plot(Comparisons(some.same, np.array([0.4, 0.5, 0.6]), None), 0.5)


def test_plot_without_matplotlib_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(Unsupported, match="pip install matplotlib"):
        draw_plot(Comparisons(np.array([]), np.array([]), None), 0.5)
