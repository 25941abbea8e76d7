"""The README lists the functions that a frame meets. A real frame meets them in this order."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from gateway.app import running
from gateway.model import LiveTask, PictureLimits
from gateway.vision.engines.options import EngineOptions
from gateway.vision.engines.registry import open_engine
from gateway.vision.tasks import run_task
from tests.conftest import settings
from tests.support import ROOT, Broker, Client, frame, models, wait_for

PACKAGE = ROOT / "gateway"


class Step(NamedTuple):
    module: str
    function: str


def readme_steps() -> list[Step]:
    """Return the steps ``module: function`` of the README's numbered list, in its order."""
    section = re.split(r"## The \w+ of a frame\n", (ROOT / "README.md").read_text())[1]
    numbered = section.split("\n1. ")[1].split("\n\n")[0]
    return [Step(*found) for found in re.findall(r"`([a-z_0-9]+(?:/[a-z_0-9]+)*): ([a-z_]+)`", numbered)]


class Recorder:
    """A profile function that records calls and returns of the functions named in the README."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.met: list[Step] = []
        self._steps = {(str(PACKAGE / f"{step.module}.py"), step.function): step for step in steps}

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        # A return counts too: the queue's `take` is called before there is a job, and returns with it.
        step = self._steps.get((frame.f_code.co_filename, frame.f_code.co_name))
        if step is not None and event in ("call", "return"):
            self.met.append(step)


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Record this thread and those that it starts."""
    threading.setprofile(recorder)
    sys.setprofile(recorder)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def missing_step(wanted: Sequence[Step], met: Sequence[Step]) -> Step | None:
    """Return the first step that was not met after those before it; None if all were met in their order."""
    remaining = iter(met)
    return next((step for step in wanted if step not in remaining), None)


def test_missing_step_is_found_where_the_order_differs() -> None:
    a, b, c = Step("a", "a"), Step("b", "b"), Step("c", "c")
    assert missing_step([a, b, c], [a, a, b, a, c]) is None
    assert missing_step([a, b, c], [a, c, b]) == c


def test_frame_meets_the_readme_steps_of_the_gateway_in_order(tmp_path: Path, broker: Broker) -> None:
    steps = [step for step in readme_steps() if not step.module.startswith("vision/")]
    assert len(steps) >= 8
    recorder = Recorder(steps)
    with recording(recorder), running(settings(tmp_path / "data", broker, mqtt={"base": "path"})) as gateway:
        wait_for(lambda: gateway.health().ready, 60)
        client = Client(broker.port).subscribe("path/porch/result")
        del recorder.met[:]
        client.publish("path/porch/frame", frame("obama_1"), qos=0)
        assert client.get().json["person"] == "barack_obama"
        # The gateway may publish the result before its last steps.
        wait_for(lambda: missing_step(steps, [*recorder.met]) is None)
        client.close()


def test_frame_meets_the_readme_steps_of_a_worker_in_order() -> None:
    steps = [step for step in readme_steps() if step.module.startswith("vision/")]
    assert len(steps) >= 5
    engine, recorder = open_engine(EngineOptions("facegate", models())), Recorder(steps)
    with recording(recorder):
        run_task(frame("obama_1"), engine, LiveTask(full=True), PictureLimits())
    assert missing_step(steps, recorder.met) is None
