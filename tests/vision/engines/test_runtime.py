from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.vision.engines import runtime
from gateway.vision.engines.runtime import MAX_INPUT_SHAPES, Graph

SHAPES = [(32 + 16 * n, 8 + 4 * (n % 5), 12) for n in range(6)]
"""Shapes of small canvases."""


@pytest.fixture
def graph(models: Path) -> Graph:
    return Graph(models / "detector-f32.xml", "f32")


@pytest.fixture(scope="module")
def describe(models: Path) -> Graph:
    return Graph(models / "descriptor-f32.xml", "f32")


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(shape).integers(0, 256, shape, np.uint8)


def test_graph_is_compiled_again_after_too_many_shapes(graph: Graph) -> None:
    """OpenVINO keeps memory for each shape, so the graph is compiled again after some shapes."""
    first = graph._request
    for n in range(MAX_INPUT_SHAPES):
        graph.run(noise(1, 32 + n, 8, 12))
        assert graph._request is first
    graph.run(noise(1, 32, 8, 12))
    assert graph._request is first
    graph.run(noise(1, 32 + MAX_INPUT_SHAPES, 8, 12))
    assert graph._request is not first
    assert len(graph._shapes) == 1


def test_graph_is_compiled_again_without_its_file(models: Path, tmp_path: Path) -> None:
    """A confined process opens no file."""
    for name in ("detector-f32.xml", "detector-f32.bin"):
        shutil.copy(models / name, tmp_path)
    graph = Graph(tmp_path / "detector-f32.xml", "f32", max_shapes=1)
    before = graph.run(noise(1, 32, 8, 12))
    shutil.rmtree(tmp_path)
    graph.run(noise(1, 33, 8, 12))
    assert (graph.run(noise(1, 32, 8, 12)) == before).all()


def test_results_do_not_depend_on_earlier_inputs(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """The results also do not depend on a compilation in between."""
    forwards = {shape: graph.run(noise(1, *shape)) for shape in SHAPES}
    monkeypatch.setattr(runtime, "MAX_INPUT_SHAPES", 4)
    for shape in (*reversed(SHAPES), *SHAPES):
        assert (graph.run(noise(1, *shape)) == forwards[shape]).all()


def test_result_is_not_changed_by_the_next_run(describe: Graph) -> None:
    """OpenVINO writes the next result to the same memory."""
    first = describe.run(noise(1, 150, 150, 3))
    before = first.copy()
    describe.run(255 - noise(1, 150, 150, 3))
    assert (first == before).all()


def test_run_does_not_change_its_input(describe: Graph) -> None:
    chips = noise(2, 150, 150, 3)
    chips.flags.writeable = False
    describe.run(chips)
    assert (chips == noise(2, 150, 150, 3)).all()


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_results_in_a_batch_equal_those_of_single_runs(describe: Graph, count: int) -> None:
    chips = noise(count, 150, 150, 3)
    alone = np.concatenate([describe.run(chip[None]) for chip in chips])
    assert describe.run(chips).shape == (count, 128)
    np.testing.assert_allclose(describe.run(chips), alone, rtol=0, atol=1e-5)


def test_run_accepts_views(describe: Graph) -> None:
    """The bytes of a mirrored or cropped picture are in another order, or not contiguous."""
    chips = noise(2, 160, 170, 3)
    view = chips[:, 5:155, 160:10:-1]
    np.testing.assert_array_equal(describe.run(view), describe.run(np.ascontiguousarray(view)))


def test_run_reads_bytes_as_0_to_255(describe: Graph) -> None:
    """Bytes mean 0 to 255, without overflow or scaling."""
    black, dark, white = (describe.run(np.full((1, 150, 150, 3), value, np.uint8)) for value in (0, 100, 255))
    assert np.abs(black - dark).max() > 0.01
    assert np.abs(dark - white).max() > 0.01
