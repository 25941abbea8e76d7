"""A broker and a gateway as in production, in a temporary folder, each started again whenever it is gone."""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections.abc import Collection, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from benchmarks.faults.history import History
from benchmarks.faults.processes import Process, Usage, end, usage
from device_sim.choose import free_port, mosquitto
from device_sim.errors import SimError

ROOT = Path(__file__).resolve().parent.parent.parent
STARTING_S = 300.0
"""The first start converts the networks."""
WATCH_S = 0.05
AWAY_S = (0.2, 2.0)
"""How long the broker is away, which a supervisor or a boot takes."""
OPERATIONS = '["face_rec","face_match","verify","detect","enroll"]'


class House:
    """``way_in``: the port by which the gateway finds the broker, where a proxy stands between them. ``cores``: the
    only ones that broker and gateway run on, if any are named.

    One thread of ours starts again what ended; whoever breaks something only ends it.
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
        way_in: int | None = None,
        cores: Collection[int] = (),
    ) -> None:
        self.port, self.rest_port = port or free_port(), free_port()
        self._history = history
        self._rng = rng
        self.rss_mb_max = 0.0
        self.exits = 0
        """How often the gateway ended by itself."""
        self._told = False
        self._cores = cores
        self._closing = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="house")
        self.broker = self._make_broker(folder / "broker")
        environment = {
            "FACEGATE_DATA": str(folder / "data"),
            "FACEGATE_MQTT__HOST": "127.0.0.1",
            "FACEGATE_MQTT__PORT": str(way_in or self.port),
            "FACEGATE_REST__PORT": str(self.rest_port),
            "FACEGATE_WORKERS__PROCESSES": str(workers),
            "FACEGATE_PEOPLE__FOLDER": str(ROOT / "known_faces"),
            # more of them than any camera should ask for
            "FACEGATE_PEOPLE__ENROLMENTS_PER_HOUR": "1000000",
            "FACEGATE_OPERATIONS": OPERATIONS,
            **(settings or {}),
        }
        # an empty configuration: the defaults, whatever stands in config/gateway.yaml
        command = [sys.executable, "-m", "gateway", "run", "--config", os.devnull]
        self.gateway = Process(command, log=folder / "gateway.log", folder=ROOT, environment=environment, cores=cores)
        self._log = folder / "gateway.log"

    def __enter__(self) -> House:
        """Returns when the gateway is ready. Raises SimError."""
        try:
            self.broker.start()
            time.sleep(0.5)
            self.gateway.start()
            self.wait_ready(STARTING_S)
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
        """Raises SimError."""
        until = time.monotonic() + seconds
        while self.status("/readyz") != 200:
            ended = self.gateway.pid is None and not self._watcher.is_alive()
            if time.monotonic() > until or ended:
                raise SimError(f"The gateway is not ready. {self._last_words()}")
            time.sleep(0.1)

    def kill_gateway(self, *, family: bool) -> None:
        self._told = True
        self._history.broke("gateway and workers" if family else "gateway")
        self.gateway.kill(family=family)

    def kill_worker(self, rng: random.Random) -> None:
        workers = self.gateway.children()
        if workers:
            self._history.broke("worker")
            pid = rng.choice(sorted(workers))
            end({pid: workers[pid]})

    def kill_broker(self) -> None:
        self._history.broke("broker kill")
        self.broker.kill()

    def restart_broker(self) -> None:
        self._history.broke("broker restart")
        self.broker.stop()

    def status(self, path: str) -> int | None:
        """The HTTP status; None where nobody answers within 2 s."""
        answer = self.fetch("GET", path)
        return answer[0] if answer else None

    def fetch(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, wait: float = 2
    ) -> tuple[int, bytes] | None:
        connection = HTTPConnection("127.0.0.1", self.rest_port, timeout=wait)
        try:
            connection.request(method, path, body or None, dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()

    def usages(self) -> list[Usage]:
        """Of the gateway first, then of its workers."""
        pid = self.gateway.pid
        pids = [pid, *self.gateway.children()] if pid is not None else []
        return [found for each in pids if (found := usage(each)) is not None]

    def _watch(self) -> None:
        looked = 0.0
        while not self._closing.wait(WATCH_S):
            if self.broker.pid is None:
                self._closing.wait(self._rng.uniform(*AWAY_S))
                self.broker.start()
            if self.gateway.pid is None:
                self._start_gateway()
            if time.monotonic() > looked + 1:
                looked = time.monotonic()
                self.rss_mb_max = max([self.rss_mb_max, *(each.rss_mb for each in self.usages()[:1])])

    def _start_gateway(self) -> None:
        if not self._told:
            self.exits += 1
            self._closing.wait(0.5)
        self._told = False
        self.gateway.start()

    def _end(self) -> None:
        self.gateway.stop()
        self.broker.stop()
        end(self.gateway.left_over())

    def _make_broker(self, folder: Path) -> Process:
        program = mosquitto()
        if program is None:
            raise SimError("mosquitto is not installed (sudo apt-get install mosquitto).")
        folder.mkdir(parents=True)
        # Started by root it becomes the user mosquitto, who may not write here, and saves nothing.
        own = "\nuser root\n" if os.geteuid() == 0 else ""
        conf = folder / "mosquitto.conf"
        conf.write_text((ROOT / "config" / "mosquitto.conf").read_text() + own)
        command = [program, "-c", str(conf), "-p", str(self.port)]
        return Process(command, log=folder / "broker.log", folder=folder, cores=self._cores)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().split("\n") if self._log.exists() else [""]
        return f"It said: {lines[-1]} ({self._log})"


def json_of(answer: tuple[int, bytes] | None) -> Any:
    """The document of an answer with status 200, else None."""
    return json.loads(answer[1]) if answer is not None and answer[0] == 200 else None
