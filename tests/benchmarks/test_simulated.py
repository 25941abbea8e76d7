"""Tests of the simulated worker process, as the gateway's own Worker controls it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from benchmarks.simulated.worker import descriptor_of, look
from device_sim.named_pictures import faces_in, name_faces
from device_sim.pictures import FRAMES
from gateway.errors import BadImage
from gateway.model import AnalyseTask, LiveTask, RedescribeTask
from gateway.workers.environment import python_command
from gateway.workers.worker import Worker
from tests.support import ROOT

PICTURE = (FRAMES / "obama_1.jpg").read_bytes()
MODULE = "benchmarks.simulated.worker"


@contextmanager
def simulated_worker(milliseconds: int) -> Iterator[Worker]:
    worker = Worker([*python_command(MODULE), str(milliseconds), "{}"])
    try:
        worker.wait_until_ready()
        yield worker
    finally:
        worker.kill()


def test_picture_names_its_faces() -> None:
    assert faces_in(PICTURE) == []
    assert faces_in(name_faces(PICTURE, ["Ada", "Bob"])) == ["Ada", "Bob"]
    with pytest.raises(ValueError, match="expected a JPEG"):
        faces_in(b"no picture")


@pytest.mark.parametrize("task", [AnalyseTask(chips=True), LiveTask()], ids=["request", "live frame"])
def test_worker_finds_the_named_faces(task: AnalyseTask | LiveTask) -> None:
    with simulated_worker(0) as worker:
        found = worker.run(name_faces(PICTURE, ["Ada", "Bob"]), task, 10)
        first, second = found.faces
        assert first.chips is not None
        again = worker.run(first.chips, RedescribeTask(), 10)
    for face, name in ((first, "Ada"), (second, "Bob"), (again.faces[0], "Ada")):
        assert face.descriptor is not None
        assert np.array_equal(face.descriptor, descriptor_of(name))
    assert first.box != second.box


def test_worker_takes_the_given_time() -> None:
    with simulated_worker(300) as worker:
        begun = time.monotonic()
        found = worker.run(PICTURE, AnalyseTask(), 30)
        assert time.monotonic() - begun >= 0.3
    assert found.faces == ()
    assert found.timing == {"detect": 300.0}


def test_descriptors_of_two_names_differ() -> None:
    assert float(descriptor_of("Ada") @ descriptor_of("Bob")) < 0.5
    assert float(descriptor_of("Ada") @ descriptor_of("Ada")) == pytest.approx(1)


def test_other_bytes_are_a_bad_image() -> None:
    with pytest.raises(BadImage):
        look(b"no picture", AnalyseTask(), 0.0)


def test_gateway_cannot_be_set_to_simulated_workers() -> None:
    """No module of the package ``gateway`` knows the simulated workers, and no wheel contains them."""
    assert not [path for path in (ROOT / "gateway").rglob("*.py") if "simulated" in path.read_text()]
    assert 'packages = ["gateway", "device_sim"]' in (ROOT / "pyproject.toml").read_text()
