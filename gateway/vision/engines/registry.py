"""The table of engines: the name, the recipe of the descriptors, the model files, and the function that opens it.

The gateway's main process imports this module. Each function therefore imports the libraries of its engine itself, and
a process loads only the libraries of the engine that it uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.allocator import keep_freed_memory
from gateway.model import DescriptorPrecision, EngineName
from gateway.vision.engines.model_files import Role, model_file
from gateway.vision.engines.options import EngineOptions, RecogniserOptions

if TYPE_CHECKING:
    from gateway.vision.engine import Detector, Embedder, Engine


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """An engine of the table.

    ``recipe``: the way its descriptors are made. Every enrolled picture stores its recipe, because descriptors of two
    recipes must never be compared. ``curves``: the name of their measurement in ``gateway/people/curves.json``.
    ``models``: the model files that the engine always needs. ``open_networks``: opens its detector and its embedder.
    ``needs_conversion``: it uses networks that conversion.py converts. ``has_typical_faces``: typical faces correct the
    similarity of its descriptors. ``package``: a Python package that it needs, and that the extra ``stock`` of Facegate
    installs.
    """

    recipe: str
    curves: str
    models: frozenset[Role]
    open_networks: Callable[[EngineOptions], tuple[Detector, Embedder]]
    needs_conversion: bool = False
    package: str | None = None
    has_typical_faces: bool = False


def _open_facegate(options: EngineOptions) -> tuple[Detector, Embedder]:
    from gateway.vision.engines.networks import open_detector, open_embedder, open_two_stage_detector

    assert options.models is not None
    find = open_two_stage_detector if options.method == "two-stage" else open_detector
    detector = find(options.models, options.detector)
    if options.recogniser is None:
        return detector, open_embedder(options.models, options.descriptor)
    return detector, _open_recogniser(options.recogniser, options.descriptor)


def _open_recogniser(recogniser: RecogniserOptions, precision: DescriptorPrecision) -> Embedder:
    from gateway.vision.engines.processor import fast_float
    from gateway.vision.engines.recogniser_network import RecogniserEmbedder

    # 8 bits need measured ranges, which only dlib's network has.
    return RecogniserEmbedder(recogniser, fast_float() if precision == "auto" or precision == "int8" else precision)


def _open_dlib_hog(_options: EngineOptions) -> tuple[Detector, Embedder]:
    from gateway.vision.engines.stock import StockDetector, StockEmbedder

    return StockDetector("hog"), StockEmbedder()


def _open_dlib_cnn(_options: EngineOptions) -> tuple[Detector, Embedder]:
    from gateway.vision.engines.stock import StockDetector, StockEmbedder

    return StockDetector("cnn"), StockEmbedder()


STOCK_MODELS = frozenset[Role]({"detector", "landmarks_5", "landmarks_68", "descriptor"})
"""The models that the package face_recognition loads at its import, whichever of them is used."""

# The gateway's own engine takes the mean over chips and their mirror images: two for a face of a stream, six for an
# enrolled picture. The stock engines take one chip, as face_recognition.face_encodings does by default. They share a
# recipe, because they differ only in their detector.
ENGINES: Mapping[EngineName, EngineEntry] = {
    "facegate": EngineEntry(
        "dlib-resnet/5-point/2-of-6",
        "facegate",
        frozenset({"detector", "landmarks_5", "descriptor", "proposer"}),
        _open_facegate,
        needs_conversion=True,
        has_typical_faces=True,
    ),
    "dlib-hog": EngineEntry(
        "dlib-resnet/5-point/1-chip", "stock", STOCK_MODELS, _open_dlib_hog, package="face_recognition"
    ),
    "dlib-cnn": EngineEntry(
        "dlib-resnet/5-point/1-chip", "stock", STOCK_MODELS, _open_dlib_cnn, package="face_recognition"
    ),
}


def open_engine(options: EngineOptions) -> Engine:
    """Load all models and set up this process for image analysis. Raises StartError.

    The engine opens no file later: a confined process could not.
    """
    import cv2

    from gateway.vision.engine import Engine
    from gateway.vision.engines.face_mesh import FaceMesh
    from gateway.vision.engines.landmarks import Predictor5, Predictor68

    # There is one worker process for each core already.
    cv2.setNumThreads(1)
    keep_freed_memory()
    detector, embedder = ENGINES[options.name].open_networks(options)
    predictor_68 = Predictor68() if options.dlib_68 else None
    return Engine(detector, embedder, Predictor5(model_file("landmarks_5")), FaceMesh(), predictor_68)
