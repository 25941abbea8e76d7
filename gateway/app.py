"""The composition root: builds every part by keyword, starts and stops them in order."""

from __future__ import annotations

import fcntl
import logging
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from gateway import __version__
from gateway.config import Settings
from gateway.documents import SCHEMA
from gateway.errors import StartError
from gateway.health import Health
from gateway.metrics import Metrics
from gateway.mqtt.client import MqttDoor
from gateway.people.decision import CURVE, STOCK_CURVE, Decision
from gateway.people.gallery import Gallery
from gateway.people.known_faces import KnownFaces
from gateway.people.similarity import Similarity, typical_faces
from gateway.people.sqlite import SqliteStore
from gateway.rest.app import create_app
from gateway.rest.server import RestServer
from gateway.service import Service
from gateway.vision.models import FILES, check_models
from gateway.vision.options import RECIPES, EngineOptions
from gateway.workers.converter import converted
from gateway.workers.options import WorkerOptions
from gateway.workers.pool import Pool
from gateway.workers.queue import FairQueue
from gateway.workers.worker import Worker, worker_command

log = logging.getLogger(__name__)


class Gateway:
    """Building it opens the store, starting it the rest. Both raise StartError."""

    def __init__(self, settings: Settings) -> None:
        options = WorkerOptions(_engine(settings), settings.limits.pixels, settings.workers.picture_s)
        self.metrics = Metrics()
        self.store = SqliteStore(settings.data / "people.sqlite")
        ours = settings.engine == "facegate"
        self.gallery = Gallery(similarity=Similarity(typical_faces() if ours else None))
        self.pool = Pool(
            partial(Worker, worker_command(options)),
            FairQueue(settings.workers.queue, settings.workers.queue_per_camera, self.metrics),
            self.metrics,
            workers=settings.workers.count,
            picture_s=settings.workers.picture_s,
        )
        self.service = Service(
            look=self.pool.submit,
            gallery=self.gallery,
            decision=Decision(
                settings.decision.max_false_identification,
                settings.decision.max_false_match,
                CURVE if ours else STOCK_CURVE,
            ),
            allowed=settings.operations_of,
            search=settings.search_of,
            metrics=self.metrics,
            max_bytes=settings.limits.bytes,
            landmarks_68=settings.landmarks_68,
        )
        self.known_faces = KnownFaces(
            settings.people.folder,
            self.store,
            self.gallery,
            self.service.describe,
            self.service.describe_again,
            recipe=RECIPES[settings.engine],
            rescan_s=settings.people.rescan_s,
        )
        self.mqtt = MqttDoor(
            settings.mqtt,
            settings.limits,
            self.service.submit,
            _info(settings),
            self.metrics,
            client_id=settings.mqtt.client_id or _installation(settings.data),
        )
        rest = create_app(self.service.submit, self.health, self.metrics, settings.limits)
        self.rest = RestServer(rest, settings.rest, settings.limits)

    def start(self) -> None:
        self.rest.start()  # first, so that /readyz can tell how far the others are
        self.mqtt.start()
        self.pool.start()
        self.known_faces.start()
        log.info("ready to serve: MQTT, and REST on %s", self.rest.url)

    def stop(self) -> None:
        """From the last line up, whatever fails: the doors take no more, what runs is finished, connections end."""
        with ExitStack() as stack:
            stack.callback(self.store.close)
            stack.callback(self.mqtt.stop)
            stack.callback(self.rest.stop)
            stack.callback(self.pool.stop)
            stack.callback(self.mqtt.quiet)
            stack.callback(self.known_faces.stop)

    def health(self) -> Health:
        return Health(self.mqtt.connected, self.pool.ready, self.pool.size, self.known_faces.progress)


@contextmanager
def running(settings: Settings) -> Iterator[Gateway]:
    """A gateway from start to end, alone on its data folder. Raises StartError."""
    with _locked(settings.data):
        gateway = Gateway(settings)
        try:
            gateway.start()
            yield gateway
        finally:
            gateway.stop()


@contextmanager
def _locked(data: Path) -> Iterator[None]:
    """Two gateways on one store would throw each other off the broker, too: they share a client id."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        data.chmod(0o700)
        lock = (data / "lock").open("w")
    except OSError as error:
        raise StartError(f"The data folder {data} cannot be used: {error.strerror}.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError(f"Another gateway is at work on the data folder {data}.") from None
        yield


def _installation(data: Path) -> str:
    """This installation's own client id, made once: a restart is then the same client to the broker."""
    path = data / "client_id"
    if not path.exists():
        new = path.with_suffix(".new")
        new.write_text(f"facegate-{secrets.token_hex(6)}")
        new.replace(path)
    return path.read_text().strip()


def _engine(settings: Settings) -> EngineOptions:
    """With its models checked, and converted if need be. Raises StartError."""
    ours = settings.engine == "facegate"  # the package face_recognition loads all models when it is imported
    check_models(role for role in FILES if role != "landmarks_68" or settings.landmarks_68 or not ours)
    models = converted(settings.data) if ours else None
    return EngineOptions(settings.engine, models, settings.precision.detector, settings.precision.descriptor)


def _info(settings: Settings) -> dict[str, Any]:
    """What ``bridge/info`` tells."""
    limits = settings.limits
    return {
        "schema": SCHEMA,
        "version": __version__,
        "engine": settings.engine,
        "operations": [operation.value for operation in settings.operations],
        "limits": {"bytes": limits.bytes, "pixels": limits.pixels, "request_s": limits.request_s},
        "models": {role: digest for role, (_, digest) in FILES.items()},
    }
