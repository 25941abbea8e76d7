"""The engine and the pool of worker processes, built from the settings."""

from __future__ import annotations

from functools import partial

from gateway.config import Settings
from gateway.files.ownership import check_python
from gateway.metrics import Metrics
from gateway.model.recipes import DLIB_DIMENSIONS, dimensions_of
from gateway.vision.engines.model_files import MODEL_FILES, check_models
from gateway.vision.engines.options import EngineOptions
from gateway.vision.engines.recogniser import recogniser_of
from gateway.vision.engines.registry import ENGINES
from gateway.vision.engines.requirements import check_requirements
from gateway.workers.conversion import ensure_converted
from gateway.workers.options import WorkerOptions
from gateway.workers.pool import Pool
from gateway.workers.queue import FairQueue
from gateway.workers.queue_limits import QueueLimits
from gateway.workers.worker import Worker, worker_command


def prepare_engine(settings: Settings) -> EngineOptions:
    """Check the engine's requirements and its models, and convert the models if it needs that. Raise StartError."""
    check_python()
    check_requirements(settings)
    entry = ENGINES[settings.engine]
    dlib_68 = settings.landmarks_68 == "dlib"
    wanted = entry.models | {"face_mesh"} | ({"landmarks_68"} if dlib_68 else set())
    check_models(role for role in MODEL_FILES if role in wanted)
    models = ensure_converted(settings.data) if entry.needs_conversion else None
    precision = settings.precision
    return EngineOptions(
        settings.engine,
        models,
        precision.detector,
        precision.descriptor,
        recogniser_of(settings),
        settings.detection.method,
        dlib_68,
    )


def create_pool(settings: Settings, engine: EngineOptions, metrics: Metrics, *, workers: int) -> Pool:
    """Return a pool of that many worker processes. ``start`` starts them."""
    limits = settings.workers
    options = WorkerOptions(engine, settings.limits.picture, limits.confined)
    queue = FairQueue(QueueLimits(limits.queue, limits.queue_per_camera, limits.queue_bytes), metrics, workers=workers)
    start = partial(Worker, worker_command(options), _dimensions(engine))
    return Pool(start, queue, metrics, workers=workers, picture_s=limits.picture_s, growth_bytes=limits.growth_bytes)


def _dimensions(engine: EngineOptions) -> int:
    return DLIB_DIMENSIONS if engine.recogniser is None else dimensions_of(engine.recogniser.recipe)
