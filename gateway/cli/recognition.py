"""Recognition by a command itself, with the people store that a gateway may use at the same time.

A command could send its pictures to the running gateway instead. But then it would need a token, and nothing would work
while the gateway is stopped. The store, the models and the rules are the same, so the answers are the same too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gateway.cli.files import explain_read_errors
from gateway.config import Settings
from gateway.formats.file_names import shown_file_name
from gateway.metrics import Metrics
from gateway.model import FoundFace, Image, Operation, Origin, Reply, Request
from gateway.model.caller import CLI_CALLER
from gateway.people.folder.files import read_bounded
from gateway.people.wiring import open_for_command
from gateway.service.recognition import RecognitionService
from gateway.service.request_check import allow_camera, policy_of
from gateway.service.turns import Turns
from gateway.workers.wiring import create_pool, prepare_engine

Recognise = Callable[[Operation, tuple[Path, ...], Origin], Reply]
"""Return the reply to a request about pictures. Raise GatewayError."""


@contextmanager
def recognition(settings: Settings, *, workers: int = 1) -> Iterator[Recognise]:
    """Give the operations on pictures. Nothing about the pictures is stored.

    Raise GatewayError.
    """
    pool = create_pool(settings, prepare_engine(settings), Metrics(), workers=workers)
    with ExitStack() as stack:
        people = stack.enter_context(open_for_command(settings))
        service = RecognitionService(
            run=pool.submit,
            gallery=people.gallery,
            decision=people.decision,
            people=people.registry,
            changes=Turns(stack.enter_context(ThreadPoolExecutor(1))),
            policy=policy_of(settings, allow_camera),
            metrics=Metrics(),
            observe_unknown=_forget_unknown,
        )
        people.updater.refresh()
        pool.start()
        stack.callback(pool.stop)

        def recognise(operation: Operation, paths: tuple[Path, ...], origin: Origin) -> Reply:
            pictures = tuple(_read(path, settings.limits.file.bytes) for path in paths)
            names = tuple(shown_file_name(path.name) for path in paths)
            request = Request(
                operation=operation, pictures=pictures, valid_for_s=math.inf, origin=origin, file_names=names
            )
            return service.submit(request).result()

        yield recognise


def new_origin() -> Origin:
    """Return the origin of a request of this command."""
    return Origin(caller=CLI_CALLER)


def _read(path: Path, max_bytes: int) -> bytes:
    with explain_read_errors(path):
        return read_bounded(path, max_bytes)[0]


def _forget_unknown(_face: FoundFace, _picture: bytes, _image: Image, _camera: str) -> None:
    """Store no group of unknown faces: the pictures may be old ones."""
