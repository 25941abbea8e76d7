"""All cameras of one run, with their connections: one for each camera, or a few that they share."""

from __future__ import annotations

import resource
import secrets
import time
from contextlib import ExitStack
from functools import partial

from device_sim.camera import Camera
from device_sim.connection import Connection, Receive
from device_sim.inbox import Inbox
from device_sim.model import Message
from device_sim.network_loop import NetworkLoop
from device_sim.options import Options
from device_sim.pictures import PictureSource

# Open files beside the connections.
SPARE_FILES = 100


class Fleet:
    """The cameras of the options. The context starts when all are connected. Raises SimError.

    One thread serves all connections, so that a thousand cameras fit in one process.
    """

    def __init__(self, options: Options, source: PictureSource, inbox: Inbox) -> None:
        self._loop = NetworkLoop()
        self._shared = [self._shared_connection(options, inbox) for _ in range(options.connections or 0)]
        self.cameras = [
            Camera(
                name,
                options.make_mode(source, number),
                inbox.put,
                broker=options.broker,
                base=options.base,
                qos=options.qos,
                parts=options.parts if options.mode == "request" else None,
                loop=self._loop,
                shared=self._shared[number % len(self._shared)] if self._shared else None,
            )
            for number, name in enumerate(options.camera_names)
        ]
        self._stack = ExitStack()

    def _shared_connection(self, options: Options, inbox: Inbox) -> Connection:
        return Connection(
            options.broker,
            f"{options.name}-{secrets.token_hex(4)}",
            receive=deliver_by_topic(options.base, inbox),
            loop=self._loop,
        )

    def __enter__(self) -> Fleet:
        allow_open_files(len(self.cameras) + SPARE_FILES)
        with ExitStack() as stack:
            stack.enter_context(self._loop)
            for connection in self._shared:
                stack.enter_context(connection)
            for camera in self.cameras:
                stack.enter_context(camera)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()


def deliver_by_topic(base: str, inbox: Inbox) -> Receive:
    """Return the receiver of a shared connection: the topic tells the camera."""
    return partial(_deliver, f"{base}/", inbox)


def _deliver(prefix: str, inbox: Inbox, topic: str, payload: bytes, correlation: bytes | None) -> None:
    camera, _, below = topic.removeprefix(prefix).partition("/")
    inbox.put(Message(camera, below, payload, correlation, time.monotonic()))


def allow_open_files(number: int) -> None:
    """Raise the process's limit of open files as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < number:
        allowed = number if hard == resource.RLIM_INFINITY else min(number, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
