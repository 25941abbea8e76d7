"""A broker and a gateway as in production, in a temporary folder. Each is started again after it ends."""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from benchmarks.faults.fetching import Reply, fetch
from benchmarks.faults.history import History
from benchmarks.faults.processes import Process, Usage, end, usage
from device_sim.broker_choice import find_mosquitto
from device_sim.errors import SimError
from device_sim.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
START_TIMEOUT_S = 300.0
"""Longest time for the first start, which converts the networks."""
WATCH_INTERVAL_S = 0.05
OUTAGE_RANGE_S = (0.2, 2.0)
"""Time before the broker is started again, like a restart by systemd or a boot."""
OPERATIONS = '["face_rec","face_match","verify","detect","enroll"]'


class Installation:
    """A broker and a gateway. A thread starts each of them again after it ends.

    ``gateway_broker_port``: the broker's port for the gateway, if there is a proxy between them. ``cores``: the only
    processor cores for broker and gateway; empty for all.
    """

    def __init__(
        self,
        folder: Path,
        history: History,
        rng: random.Random,
        *,
        workers: int,
        settings: Mapping[str, str] | None = None,
        port: int | None = None,
        gateway_broker_port: int | None = None,
        cores: Collection[int] = (),
    ) -> None:
        self.port, self.rest_port = port or free_port(), free_port()
        self._history = history
        self._rng = rng
        self.rss_mb_max = 0.0
        self.exits = 0
        """Number of unexpected ends of the gateway."""
        self._end_expected = False
        self._closing = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="installation")
        self.broker = make_broker(folder / "broker", self.port, cores)
        environment = {
            "FACEGATE_DATA": str(folder / "data"),
            "FACEGATE_MQTT__HOST": "127.0.0.1",
            "FACEGATE_MQTT__PORT": str(gateway_broker_port or self.port),
            "FACEGATE_REST__PORT": str(self.rest_port),
            "FACEGATE_WORKERS__PROCESSES": str(workers),
            "FACEGATE_PEOPLE__FOLDER": str(ROOT / "known_faces"),
            # The load enrols more people than any real camera.
            "FACEGATE_PEOPLE__ENROLMENTS_PER_HOUR": "1000000",
            "FACEGATE_OPERATIONS": OPERATIONS,
            **(settings or {}),
        }
        # An empty configuration: the defaults, not config/gateway.yaml.
        command = [sys.executable, "-m", "gateway", "run", "--config", os.devnull]
        self.gateway = Process(command, log=folder / "gateway.log", folder=ROOT, environment=environment, cores=cores)
        self._log = folder / "gateway.log"

    def __enter__(self) -> Installation:
        """Start both, and wait until the gateway is ready. Raises SimError."""
        try:
            self.broker.start()
            time.sleep(0.5)
            self.gateway.start()
            self.wait_ready(START_TIMEOUT_S)
        except BaseException:
            self._end()
            raise
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._watcher.join()
        self._end()

    def wait_ready(self, seconds: float) -> None:
        """Wait until the gateway is ready. Raises SimError."""
        until = time.monotonic() + seconds
        while self.status("/readyz") != 200:
            ended = self.gateway.pid is None and not self._watcher.is_alive()
            if time.monotonic() > until or ended:
                raise SimError(f"The gateway is not ready. {self._last_line()}")
            time.sleep(0.1)

    def kill_gateway(self, *, family: bool) -> None:
        self._end_expected = True
        self._history.record_fault("gateway and workers" if family else "gateway")
        self.gateway.kill(family=family)

    def kill_worker(self, rng: random.Random) -> None:
        workers = self.gateway.children()
        if workers:
            self._history.record_fault("worker")
            pid = rng.choice(sorted(workers))
            end({pid: workers[pid]})

    def kill_broker(self) -> None:
        self._history.record_fault("broker kill")
        self.broker.kill()

    def restart_broker(self) -> None:
        self._history.record_fault("broker restart")
        self.broker.stop()

    def status(self, path: str) -> int | None:
        """Return the HTTP status, or None without an answer within 2 s."""
        answer = self.fetch("GET", path)
        return answer[0] if answer else None

    def fetch(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, wait: float = 2
    ) -> Reply | None:
        return fetch(self.rest_port, method, path, body, headers, wait)

    def usages(self) -> list[Usage]:
        """Return the usage of the gateway, then of its worker processes."""
        pid = self.gateway.pid
        pids = [pid, *self.gateway.children()] if pid is not None else []
        return [found for each in pids if (found := usage(each)) is not None]

    def _watch(self) -> None:
        looked = 0.0
        while not self._closing.wait(WATCH_INTERVAL_S):
            if self.broker.pid is None:
                self._closing.wait(self._rng.uniform(*OUTAGE_RANGE_S))
                self.broker.start()
            if self.gateway.pid is None:
                self._start_gateway()
            if time.monotonic() > looked + 1:
                looked = time.monotonic()
                self.rss_mb_max = max([self.rss_mb_max, *(each.rss_mb for each in self.usages()[:1])])

    def _start_gateway(self) -> None:
        if not self._end_expected:
            self.exits += 1
            self._closing.wait(0.5)
        self._end_expected = False
        self.gateway.start()

    def _end(self) -> None:
        self.gateway.stop()
        self.broker.stop()
        end(self.gateway.left_over())

    def _last_line(self) -> str:
        lines = self._log.read_text(errors="replace").strip().split("\n") if self._log.exists() else [""]
        return f"Last line of its log: {lines[-1]} ({self._log})"


def make_broker(folder: Path, port: int, cores: Collection[int] = ()) -> Process:
    """Return a broker that stores its state in a new folder. Raises SimError if mosquitto is not installed."""
    program = find_mosquitto()
    if program is None:
        raise SimError("mosquitto is not installed (sudo apt-get install mosquitto).")
    folder.mkdir(parents=True)
    # Started by root, mosquitto changes to the user mosquitto, who may not write here, and would save nothing.
    own = "\nuser root\n" if os.geteuid() == 0 else ""
    conf = folder / "mosquitto.conf"
    conf.write_text((ROOT / "config" / "mosquitto.conf").read_text() + own)
    return Process([program, "-c", str(conf), "-p", str(port)], log=folder / "broker.log", folder=folder, cores=cores)


def document_of(answer: Reply | None) -> Any:
    """Return the JSON document of an answer with status 200, otherwise None."""
    return json.loads(answer[1]) if answer is not None and answer[0] == 200 else None
