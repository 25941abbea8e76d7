"""The operations of the gateway, run by a command on the people store itself.

A gateway may run on the same store. It sees each change within a second.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from gateway.cli.cluster_confirmation import confirmation_of
from gateway.cli.error_line import print_error
from gateway.cli.store import settings_of_store
from gateway.config import Settings
from gateway.contract.base import Document
from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.model import AdministrationRequest, Origin
from gateway.model.caller import CLI_CALLER
from gateway.model.health import Health, ImportProgress, MqttHealth
from gateway.mqtt.announcements.known_cameras import find_known_cameras
from gateway.people.vision import EnrolmentVision, NoVision
from gateway.people.wiring import open_for_command
from gateway.service.administration import Administration
from gateway.service.enrolment_vision import WorkerVision
from gateway.service.live_notes import StoredCameras
from gateway.service.turns import Turns
from gateway.workers.pool import Pool
from gateway.workers.wiring import create_pool, prepare_engine

RunOperation = Callable[..., Document]
"""Run an operation with its fields, and return its document. Raise GatewayError."""


PAGE_SIZE = 1000
"""Entries of a list that one call of its operation returns."""


def all_pages(run: RunOperation, operation: str, **fields: Any) -> Iterator[Document]:
    """Give the documents of all pages of a list. Raise GatewayError."""
    after: str | None = ""
    while after is not None:
        page = run(operation, after=after, limit=PAGE_SIZE, **fields)
        yield page
        after = page["next"]


@contextmanager
def errors_as_messages() -> Iterator[None]:
    """End the command with a message and exit code 1 if a GatewayError is raised."""
    try:
        yield
    except GatewayError as error:
        print_error(error)
        sys.exit(1)


@contextmanager
def settings_or_exit(config: Path | None, *, new: bool = False) -> Iterator[Settings]:
    """Give the settings of the people store. Errors end the command. ``new``: create a store if there is none."""
    with errors_as_messages():
        yield settings_of_store(config, new=new)


@contextmanager
def operations_or_exit(config: Path | None, *, with_worker: bool = False, new: bool = False) -> Iterator[RunOperation]:
    """Give the operations on the people store. Errors end the command.

    ``with_worker``: start a worker process, for operations with pictures. ``new``: create a store if there is none.
    """
    with settings_or_exit(config, new=new) as settings, operations(settings, with_worker=with_worker) as run:
        yield run


@contextmanager
def operations(settings: Settings, *, with_worker: bool) -> Iterator[RunOperation]:
    """Give the operations on the people store. ``with_worker``: start a worker process. Raise GatewayError."""
    pool = create_pool(settings, prepare_engine(settings), Metrics(), workers=1) if with_worker else None
    vision = _vision(settings, pool)
    with ExitStack() as stack:
        people = stack.enter_context(open_for_command(settings, vision, confirmation_of(settings)))
        turns = Turns(stack.enter_context(ThreadPoolExecutor(1)))
        if pool is not None:
            pool.start()
            stack.callback(pool.stop)
        cameras = StoredCameras(people.store, people.sightings, find_known_cameras(settings))
        administration = Administration(people, vision, turns, turns, _health, cameras)

        def run(operation: str, **fields: Any) -> Document:
            origin = Origin(caller=CLI_CALLER)
            request = AdministrationRequest(operation=operation, fields=fields, origin=origin)
            return administration.submit(request).result().document()

        yield run


def _vision(settings: Settings, pool: Pool | None) -> EnrolmentVision:
    if pool is None:
        return NoVision()
    return WorkerVision(pool.submit, min_face=settings.detection.min_face, size_limit=settings.limits.file)


def _health() -> Health:
    mqtt = MqttHealth(alive=False, connected=False, loopback=False)
    return Health(mqtt, 0, 0, workers_maintained=False, store=True, known_faces=ImportProgress())
