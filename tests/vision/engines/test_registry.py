from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from gateway.model import EngineName, PictureLimits
from gateway.vision.chips import cut_chips
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engine import Engine
from gateway.vision.engines.options import EngineOptions
from gateway.vision.engines.registry import ENGINES, open_engine
from tests.support import ROOT, frame


@pytest.fixture(scope="module", params=["facegate", "dlib-hog", "dlib-cnn"])
def any_engine(request: pytest.FixtureRequest, models: Path) -> Engine:
    return open_engine(EngineOptions(request.param, models))


@pytest.fixture(scope="module")
def portrait() -> Picture:
    """A small picture, because dlib's CNN takes seconds for a whole frame."""
    return np.ascontiguousarray(decode(frame("obama_1"), PictureLimits())[60:330, 330:600])


def test_every_engine_finds_aligns_and_describes_a_face(any_engine: Engine, portrait: Picture) -> None:
    (face,) = any_engine.detector.detect(portrait, 56, None)
    box = face.box
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((56, 40, 221, 200), abs=30)
    points = any_engine.predictor_5.points(portrait, box)
    assert (points > 0).all()
    assert (points < 270).all()
    for purpose, count in (("stream", 1), ("enrolment", 3)):
        chips = cut_chips(portrait, points, purpose)  # type: ignore[arg-type]
        assert len(chips) == count
        (descriptor,) = any_engine.embedder.embed([chips])
        assert descriptor.shape == (128,)
        assert descriptor.dtype == np.float32
        assert np.linalg.norm(descriptor) == pytest.approx(1, abs=1e-5)


def test_every_engine_has_a_recipe() -> None:
    """Descriptors of different recipes must not be compared."""
    assert set(ENGINES) == set(get_args(EngineName))
    assert ENGINES["facegate"].recipe != ENGINES["dlib-hog"].recipe == ENGINES["dlib-cnn"].recipe


@pytest.mark.parametrize("precision", ["auto", "int8", "bf16", "f32"])
def test_facegate_engine_opens_in_any_precision(models: Path, portrait: Picture, precision: str) -> None:
    """Any precision works on any processor, only slower."""
    rest = "f32" if precision == "int8" else precision
    opened = open_engine(EngineOptions("facegate", models, precision, rest))  # type: ignore[arg-type]
    (face,) = opened.detector.detect(portrait, 56, None)
    assert (
        len(opened.embedder.embed([cut_chips(portrait, opened.predictor_5.points(portrait, face.box), "stream")])) == 1
    )


def test_facegate_engine_does_not_import_face_recognition(models: Path) -> None:
    """Its import takes a second, loads the model of 68 points, and ends the process if setuptools is too new."""
    code = (
        "import sys, pathlib; from gateway.vision.engines.registry import open_engine; "
        "from gateway.vision.engines.options import EngineOptions; "
        f"open_engine(EngineOptions('facegate', pathlib.Path({str(models)!r}))); "
        "print({'face_recognition', 'face_recognition_models', 'pkg_resources'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr
