"""The composition root: builds every part by keyword, starts and stops them in order."""

from __future__ import annotations

import fcntl
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from gateway import __version__
from gateway.config import Settings
from gateway.contract.documents import SCHEMA
from gateway.errors import GatewayError, StartError
from gateway.files.ownership import become_owner, check_python, open_lock
from gateway.health import Health
from gateway.metrics import Metrics
from gateway.mqtt.interface import MqttInterface
from gateway.mqtt.transport.identity import load_identity
from gateway.people.folder.importer import FolderImporter
from gateway.people.wiring import has_store, open_people, open_unknown_faces, store_path
from gateway.rest.app import create_app
from gateway.rest.cross_site import machine_names
from gateway.rest.server import RestServer
from gateway.service.administration import Administration
from gateway.service.enrolment_vision import Describer
from gateway.service.recognition import Service
from gateway.systemd import SystemdNotifier
from gateway.vision.engines.model_files import MODEL_FILES, check_models
from gateway.vision.engines.options import RECIPES, EngineOptions
from gateway.workers.conversion import ensure_converted
from gateway.workers.options import WorkerOptions
from gateway.workers.pool import Pool
from gateway.workers.queue import FairQueue
from gateway.workers.queue_limits import QueueLimits
from gateway.workers.worker import Worker, worker_command

log = logging.getLogger(__name__)


class Gateway:
    """Building it opens the store, starting it the rest. Both raise StartError."""

    def __init__(self, settings: Settings) -> None:
        engine = prepare_engine(settings)
        self.metrics = Metrics()
        self._fatal: SimpleQueue[GatewayError] = SimpleQueue()
        if not has_store(settings):
            log.info("there is no people store yet: a new one is made at %s", store_path(settings).absolute())
        self.known = open_people(settings, RECIPES[settings.engine])
        self.pool = create_pool(settings, engine, self.metrics, workers=settings.workers.count)
        self.changes, self.reads = ThreadPoolExecutor(1, "changes"), ThreadPoolExecutor(1, "reads")
        describer = Describer(
            self.pool.submit,
            min_face=settings.detection.min_face,
            max_bytes=settings.limits.bytes,
            rotation=settings.rotation_of,
        )
        self.known_faces = FolderImporter(
            settings.people.folder,
            self.known.registry,
            describer.picture,
            describer.again,
            rescan_s=settings.people.rescan_s,
            max_bytes=settings.limits.bytes,
        )
        self.unknowns = open_unknown_faces(settings, self.known, describer.part)
        self.service = Service(
            look=self.pool.submit,
            gallery=self.known.gallery,
            decision=self.known.decision,
            people=self.known.registry,
            changes=self.changes,
            allowed=settings.operations_of,
            search=settings.search_of,
            metrics=self.metrics,
            on_stranger=self.unknowns.observe,
            max_bytes=settings.limits.bytes,
            landmarks_68=settings.landmarks_68,
        )
        administration = Administration(
            self.known.registry, self.unknowns, describer, self.changes, self.reads, self.health
        )
        self.mqtt = MqttInterface(
            settings.mqtt,
            settings.limits,
            settings.uploads,
            settings.data,
            self.service.submit,
            self.pool.check_capacity,
            administration.submit,
            self.health,
            _info(settings),
            self.metrics,
            identity=load_identity(settings.data, settings.mqtt.client_id),
            on_fatal=self._fatal.put,
        )
        rest = create_app(
            self.service.submit,
            administration.submit,
            self.health,
            self.metrics,
            settings.limits,
            hosts=(settings.rest.host, *settings.rest.hosts, *machine_names()),
        )
        self.rest = RestServer(rest, settings.rest, settings.limits)
        self.supervisor = SystemdNotifier(self.health)

    def start(self) -> None:
        self.rest.start()  # first, so that /readyz can tell how far the others are
        self.supervisor.start()
        self.pool.start()
        self.known.registry.start()
        self.known.backups.check()
        self.unknowns.start()
        self.mqtt.start()  # when all is there to answer what waits at the broker
        self.known_faces.start()
        when = "MQTT" if self.mqtt.connected else "MQTT when the broker is there"
        log.info("ready to serve: %s, and REST on %s", when, self.rest.url)

    def run(self) -> None:
        """Until a signal ends it, or something that no other try would mend. Raises GatewayError then."""
        raise self._fatal.get()

    def stop(self) -> None:
        """From the last line up, whatever fails: the doors take no more, what runs is finished, connections end."""
        with ExitStack() as stack:
            stack.callback(self.known.store.close)
            stack.callback(self.known.registry.stop)
            stack.callback(self.mqtt.stop)
            stack.callback(self.rest.stop)
            stack.callback(self.reads.shutdown, cancel_futures=True)
            stack.callback(self.changes.shutdown, cancel_futures=True)
            stack.callback(self.pool.stop)
            stack.callback(self.mqtt.stop_accepting)
            stack.callback(self.supervisor.stop)
            stack.callback(self.unknowns.stop)
            stack.callback(self.known_faces.stop)
            stack.callback(self.known.registry.interrupt)

    def health(self) -> Health:
        return Health(
            mqtt=self.mqtt.health,
            workers_ready=self.pool.ready,
            workers=self.pool.size,
            workers_maintained=self.pool.has_all_keepers,
            store=self.known.registry.writable,
            known_faces=self.known_faces.progress,
            warnings=self._warnings(),
        )

    def _warnings(self) -> tuple[str, ...]:
        """Sentences about what works but needs a person's attention, from each part that may have some."""
        return (
            *self.known.registry.warnings,
            *self.known.backups.warnings,
            *self.known.audit.warnings,
            *self.unknowns.warnings,
            *self.known_faces.warnings,
            *self.mqtt.warnings,
        )


@contextmanager
def running(settings: Settings) -> Iterator[Gateway]:
    """A gateway from start to end, alone on its data folder. Raises StartError."""
    with data_folder_lock(settings.data):
        gateway = Gateway(settings)
        try:
            gateway.start()
            yield gateway
        except SystemExit:
            log.info("a signal ends the gateway: it finishes the pictures that its workers have")
            raise
        finally:
            gateway.stop()
            log.info("the gateway has stopped")


@contextmanager
def data_folder_lock(data: Path) -> Iterator[None]:
    """Two gateways on one store would throw each other off the broker, too: they share a client id. Root becomes the
    owner of the folder. Raises StartError.
    """
    become_owner(data)
    try:
        data.mkdir(parents=True, exist_ok=True)
        data.chmod(0o700)
        lock = open_lock(data / "lock")
    except OSError as error:
        raise StartError(f"The data folder {data} cannot be used: {error}.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError(f"A gateway is at work on the data folder {data}: stop it first.") from None
        yield


def prepare_engine(settings: Settings) -> EngineOptions:
    """With its models checked, and converted if need be. Raises StartError."""
    check_python()
    ours = settings.engine == "facegate"  # the package face_recognition loads all models when it is imported
    check_models(role for role in MODEL_FILES if role != "landmarks_68" or settings.landmarks_68 or not ours)
    models = ensure_converted(settings.data) if ours else None
    return EngineOptions(settings.engine, models, settings.precision.detector, settings.precision.descriptor)


def create_pool(settings: Settings, engine: EngineOptions, metrics: Metrics, *, workers: int) -> Pool:
    options = WorkerOptions(engine, settings.limits.picture)
    queue_limits = QueueLimits(settings.workers.queue, settings.workers.queue_per_camera, settings.workers.queue_bytes)
    queue = FairQueue(queue_limits, metrics, workers=workers)
    start = partial(Worker, worker_command(options))
    limits = settings.workers
    return Pool(start, queue, metrics, workers=workers, picture_s=limits.picture_s, growth_bytes=limits.growth_bytes)


def _info(settings: Settings) -> dict[str, Any]:
    """What ``bridge/info`` tells."""
    limits = settings.limits
    return {
        "schema": SCHEMA,
        "version": __version__,
        "host": socket.gethostname(),
        "engine": settings.engine,
        "operations": [operation.value for operation in settings.operations],
        "limits": {"bytes": limits.bytes, "pixels": limits.pixels, "side": limits.side, "request_s": limits.request_s},
        "models": {role: digest for role, (_, digest) in MODEL_FILES.items()},
    }
