"""The start of a gateway, also while its database is away, and its stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol, TypeVar

from gateway.errors import Busy, StoreAway

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""Seconds between two attempts to start."""


class Startable(Protocol):
    """A gateway. Its constructor opens the store. All of them raise GatewayError."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


G = TypeVar("G", bound=Startable)


def start(make: Callable[[], G]) -> tuple[G, ExitStack]:
    """Return a gateway that has started, and the context that stops it at its end. Raise GatewayError."""
    gateway = make()
    with ExitStack() as stack:
        stack.enter_context(_stopping(gateway))
        gateway.start()
        return gateway, stack.pop_all()


def start_when_store_answers(make: Callable[[], G]) -> tuple[G, ExitStack]:
    """Return what ``start`` returns. While the database is away, wait and try again. Raise GatewayError."""
    # After a power cut the database often starts later than the gateway. A gateway that ended would need a new process,
    # and a service manager may wait longer and longer before it starts one.
    logged = ""
    while True:
        try:
            return start(make)
        # During the start only the store raises Busy.
        except (StoreAway, Busy) as error:
            if str(error) != logged:
                logged = str(error)
                log.warning("the gateway waits for its people store, and tries again every second: %s", logged)
        time.sleep(RETRY_S)


@contextmanager
def _stopping(gateway: Startable) -> Iterator[None]:
    """Stop the gateway at the end."""
    try:
        yield
    except SystemExit:
        log.info("a signal ends the gateway: its workers finish their pictures")
        raise
    finally:
        gateway.stop()
        log.info("the gateway has stopped")
