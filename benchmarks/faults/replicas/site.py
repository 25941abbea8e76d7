"""A site: PostgreSQL, a broker, and replicas with simulated workers. Programs that end are started again."""

from __future__ import annotations

import math
import os
import random
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from benchmarks.faults.fetching import Reply, fetch
from benchmarks.faults.history import History
from benchmarks.faults.installation import ROOT, make_broker
from benchmarks.faults.processes import Process, end, usage
from benchmarks.faults.proxy import Proxy
from device_sim.errors import SimError
from device_sim.ports import free_port
from device_sim.postgres_server import PostgresServer
from device_sim.replicas import ReplicaSettings, make_key, simulated_gateway_command

START_TIMEOUT_S = 120.0
WATCH_INTERVAL_S = 0.05
OUTAGE_RANGE_S = (0.2, 2.0)
"""Time before a replica or PostgreSQL is started again, like a restart by systemd."""
OPERATIONS = '["face_rec","face_match","verify","detect","enroll"]'


class Replica:
    """A gateway of the site. ``proxy``: between the gateway and PostgreSQL, if there is one."""

    def __init__(
        self,
        number: int,
        folder: Path,
        settings: ReplicaSettings,
        store_url: str,
        picture_ms: float,
        proxy: Proxy | None,
    ) -> None:
        self.name = f"replica-{number + 1}"
        self.rest_port = free_port()
        self.proxy = proxy
        self.exits = 0
        """Number of ends that nobody asked for."""
        self.end_expected = False
        self.start_at = 0.0
        self._log = folder / f"{self.name}.log"
        environment = settings.environment(self.name, folder / self.name, self.rest_port, store_url)
        command = simulated_gateway_command(picture_ms, os.devnull)
        self.process = Process(command, log=self._log, folder=ROOT, environment=environment)

    @property
    def is_ready(self) -> bool:
        reply = self.fetch("GET", "/readyz")
        return reply is not None and reply[0] == 200

    def fetch(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, wait: float = 2
    ) -> Reply | None:
        return fetch(self.rest_port, method, path, body, headers, wait)

    def wait_ready(self, seconds: float = START_TIMEOUT_S, *, is_restarted: bool = False) -> None:
        """Wait until the replica can serve. ``is_restarted``: it is started again if it ends. Raises SimError."""
        until = time.monotonic() + seconds
        while not self.is_ready:
            has_ended = self.process.pid is None and not is_restarted
            if has_ended or time.monotonic() > until:
                raise SimError(f"{self.name} is not ready. {self.last_line()}")
            time.sleep(0.1)

    def last_line(self) -> str:
        lines = self._log.read_text(errors="replace").strip().split("\n") if self._log.exists() else [""]
        return f"Last line of its log: {lines[-1]} ({self._log})"


class Site:
    """PostgreSQL, a broker and replicas. Threads start again what ended.

    ``with_proxies``: each replica reaches PostgreSQL through a proxy of its own, so that its network can fail.
    """

    def __init__(
        self,
        folder: Path,
        *,
        replicas: int,
        workers: int = 2,
        picture_ms: float = 60.0,
        lease_s: float = 3.0,
        with_proxies: bool = False,
        history: History | None = None,
        rng: random.Random | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.lease_s = lease_s
        self.rss_mb_max = 0.0
        self.store: PostgresServer
        self.replicas: list[Replica] = []
        self.broker: Process
        self._folder = folder
        self._count = replicas
        self._picture_ms = picture_ms
        self._with_proxies = with_proxies
        self._history = history or History()
        self._rng = rng or random.Random()
        # The load enrols more people than any real camera.
        other = {"FACEGATE_PEOPLE__ENROLMENTS_PER_HOUR": "1000000", "FACEGATE_OPERATIONS": OPERATIONS}
        self._settings = ReplicaSettings(self.port, workers, lease_s, make_key(), {**other, **(settings or {})})
        self._store_starts_at: float | None = None
        self.store_outages: list[tuple[float, float]] = []
        """The times from a kill of PostgreSQL until it accepted connections again. The last one may have no end yet."""
        self._closing = threading.Event()
        self._stack = ExitStack()

    def __enter__(self) -> Site:
        """Start PostgreSQL and the broker, and prepare the replicas. Raises SimError."""
        with ExitStack() as stack:
            # The commits wait for the disk: otherwise a kill of PostgreSQL would prove little.
            self.store = stack.enter_context(PostgresServer(durable=True))
            self.broker = make_broker(self._folder / "broker", self.port)
            self.broker.start()
            stack.callback(self.broker.stop)
            url = self.store.create_database()
            for number in range(self._count):
                proxy = stack.enter_context(Proxy(self.store.port)) if self._with_proxies else None
                own_url = url.replace(f":{self.store.port}/", f":{proxy.port}/") if proxy else url
                replica = Replica(number, self._folder, self._settings, own_url, self._picture_ms, proxy)
                stack.callback(_end, replica.process)
                self.replicas.append(replica)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._stack.close()

    def start(self) -> None:
        """Start the replicas one after the other, and the threads that start again what ended. Raises SimError."""
        for replica in self.replicas:
            replica.process.start()
            replica.wait_ready()
        # One for each: PostgreSQL may take seconds to start, and systemd does not wait for it either.
        tasks = {"replicas": self._watch_replicas, "store": self._watch_store}
        threads = [threading.Thread(target=task, name=f"site {name}") for name, task in tasks.items()]
        for thread in threads:
            thread.start()

        def stop() -> None:
            self._closing.set()
            for thread in threads:
                thread.join()

        self._stack.callback(stop)

    def kill_replica(self, replica: Replica, *, family: bool) -> float:
        """Kill a replica, with its worker processes if ``family``. Return the time of the kill."""
        replica.end_expected = True
        self._history.record_fault(f"replica {'and workers' if family else ''}".strip())
        killed = time.monotonic()
        replica.process.kill(family=family)
        return killed

    def kill_store(self) -> None:
        self._history.record_fault("store")
        self.store_outages.append((time.monotonic(), math.inf))
        self.store.kill()

    def fetch(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, wait: float = 2
    ) -> Reply | None:
        """Ask one of the running replicas. Return None without a reply."""
        running = [each for each in self.replicas if each.process.pid is not None]
        if not running:
            return None
        return self._rng.choice(running).fetch(method, path, body, headers, wait)

    def wait_ready(self, seconds: float = START_TIMEOUT_S) -> None:
        """Wait until all replicas can serve. Raises SimError."""
        for replica in self.replicas:
            replica.wait_ready(seconds, is_restarted=True)

    def _watch_store(self) -> None:
        while not self._closing.wait(WATCH_INTERVAL_S):
            self._restart_store(time.monotonic())

    def _watch_replicas(self) -> None:
        looked = 0.0
        while not self._closing.wait(WATCH_INTERVAL_S):
            now = time.monotonic()
            for replica in self.replicas:
                self._restart(replica, now)
            if now > looked + 1:
                looked = now
                pids = [pid for each in self.replicas if (pid := each.process.pid) is not None]
                found = [used.rss_mb for pid in pids if (used := usage(pid)) is not None]
                self.rss_mb_max = max([self.rss_mb_max, *found])

    def _restart_store(self, now: float) -> None:
        if self.store.is_running:
            self._store_starts_at = None
        elif self._store_starts_at is None:
            self._store_starts_at = now + self._rng.uniform(*OUTAGE_RANGE_S)
        elif now >= self._store_starts_at:
            self.store.start()
            killed, _ = self.store_outages[-1]
            self.store_outages[-1] = killed, time.monotonic()

    def _restart(self, replica: Replica, now: float) -> None:
        if replica.process.pid is not None:
            replica.start_at = 0.0
        elif not replica.start_at:
            replica.start_at = now + self._rng.uniform(*OUTAGE_RANGE_S)
            replica.exits += not replica.end_expected
            replica.end_expected = False
        elif now >= replica.start_at:
            replica.process.start()


def _end(process: Process) -> None:
    process.stop()
    end(process.left_over())
