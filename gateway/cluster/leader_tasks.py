"""The parts of the gateway that only the leader of a cluster runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Protocol

log = logging.getLogger(__name__)


class LeaderTask(Protocol):
    """A part that can be started again after a stop. ``stop`` ends what runs, and waits for its end."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class LeaderTasks:
    """The tasks, which run while this gateway is the leader. Safe to use from any thread.

    A thread of its own starts and stops them: a stop may wait for a picture, and the lease must be renewed meanwhile.
    So the tasks of two leaders may overlap for some seconds. Their changes do not contradict each other, since each is
    one transaction of the store.
    """

    def __init__(self, tasks: Sequence[LeaderTask]) -> None:
        self._tasks = tuple(tasks)
        self._changed = threading.Condition()
        self._is_leader = False
        self._is_running = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="leader-tasks")

    def start(self) -> None:
        """Start the thread. The tasks start when this gateway becomes the leader."""
        self._thread.start()

    def set_leader(self, is_leader: bool) -> None:
        """Let the tasks start or stop soon. This does not wait for them."""
        with self._changed:
            self._is_leader = is_leader
            self._changed.notify()

    def stop(self) -> None:
        """Stop the tasks and the thread, which may not have been started."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._is_leader != self._is_running)
                if self._ended and not self._is_running:
                    return
                # Without the lock, since the tasks may be slow: ``set_leader`` must not wait for them.
                self._is_running = start = self._is_leader and not self._ended
            for task in self._tasks if start else reversed(self._tasks):
                self._switch(task, start)

    def _switch(self, task: LeaderTask, start: bool) -> None:
        try:
            task.start() if start else task.stop()
        # The other tasks must run nevertheless.
        except Exception:
            log.exception("a task of the leader cannot be %s", "started" if start else "stopped")
