"""The overhead of the gateway over the bare engine: ``python -m benchmarks.gateway [--json]``.

The benchmark starts a broker and ``facegate run`` as in production, on free ports of this machine. All requests are
``face_rec`` with one picture of 480 lines.

Latency: single requests over MQTT and REST alternate. The overhead is the round trip less the time of the steps in the
worker process, from decoding to embedding, in the same request.

Processor time: the time that the main process of the gateway and the broker use while single requests come, divided by
their number, and the time that a worker process uses outside of the analysis. ``idle_cpu_ms_a_second`` is the
processor time of both without requests, of which each frame also has its share.

Throughput: in several rounds, bare engine processes, as many as workers, analyse the picture repeatedly. Then the
gateway gets as many requests over MQTT as keep its workers busy. The same is done with one engine process, and with a
second gateway with one worker. ``scaling`` is the throughput of all workers divided by that of one, in the gateway and
bare. The figures are medians over the rounds.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a file, Python would search the folder of this module for the package gateway, and find this gateway.py.
if __package__ is None or __package__ == "":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import json
import os
import secrets
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from queue import SimpleQueue
from typing import Any

import click

from benchmarks.engines import ROOT
from benchmarks.processor_time import CPU_ROUNDS, cpu_ms_a_frame, idle_cpu_ms_a_second
from device_sim.broker_choice import choose_broker, run_broker
from device_sim.child_process import ChildProcess
from device_sim.connection import Broker, Connection
from device_sim.inbox import Inbox
from device_sim.ports import free_port
from device_sim.readiness import wait_until_ready

PICTURE = ROOT / "device_sim" / "frames" / "obama_1.jpg"
ENGINE_STEPS = ("decode", "detect", "align", "embed", "details")
REPLY_TIMEOUT_S = 60


class MqttClient:
    """A device with one connection. Its requests may overlap."""

    def __init__(self, broker: Broker, picture: bytes) -> None:
        self._picture = picture
        self._answers: SimpleQueue[tuple[str, bytes, float]] = SimpleQueue()
        topics = [("facegate/bench/response/face_rec/+", 1)]
        self.connection = Connection(broker, f"bench-{secrets.token_hex(4)}", filters=topics, receive=self._receive)

    def send_request(self) -> None:
        topic = f"facegate/bench/request/face_rec/{secrets.token_hex(8)}"
        if not self.connection.publish(topic, self._picture, 1, None):
            raise click.ClickException("The broker does not accept the request.")

    def answer(self) -> tuple[dict[str, Any], float]:
        """Return the next result, and the time of its arrival."""
        _, payload, at = self._answers.get(timeout=REPLY_TIMEOUT_S)
        result: dict[str, Any] = json.loads(payload)
        if result["status"] != "ok":
            raise click.ClickException(f"The gateway answers {result['code']}: {result['error']}.")
        return result, at

    def added_ms(self) -> float:
        begun = time.monotonic()
        self.send_request()
        result, at = self.answer()
        return 1000 * (at - begun) - sum(float(result["timing_ms"][step]) for step in ENGINE_STEPS)

    def _receive(self, topic: str, payload: bytes, _correlation: bytes | None) -> None:
        self._answers.put((topic, payload, time.monotonic()))


class RestClient:
    """A client that reuses its connection, and sends the picture as a form."""

    def __init__(self, port: int, picture: bytes) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=REPLY_TIMEOUT_S)
        part = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="picture.jpg"\r\n\r\n'
        self._body = part + picture + b"\r\n--edge--\r\n"

    def added_ms(self) -> float:
        begun = time.monotonic()
        self._connection.request(
            "POST", "/face_rec", self._body, {"Content-Type": "multipart/form-data; boundary=edge"}
        )
        response = self._connection.getresponse()
        response.read()
        total = 1000 * (time.monotonic() - begun)
        timing = dict(step.split(";dur=") for step in response.headers["Server-Timing"].split(", "))
        return total - sum(float(timing[step]) for step in ENGINE_STEPS)


class BareEngines:
    """Bare engine processes, as many as workers."""

    def __init__(self, count: int) -> None:
        command = [sys.executable, "-m", "benchmarks.bare_engine", str(PICTURE)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._processes = [
            subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(count)
        ]
        for process in self._processes:
            self._line(process)

    def run(self, seconds: float) -> list[list[float]]:
        """Return for each process the milliseconds of each analysis."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()
        return [json.loads(self._line(process)) for process in self._processes]

    def close(self) -> None:
        for process in self._processes:
            process.communicate()

    def _line(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise click.ClickException("An engine process has ended: see its messages above.")
        return line


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """A broker, and a gateway that is ready. ``processes``: the process ids of both, by name."""

    broker: Broker
    rest_port: int
    processes: Mapping[str, int]


@contextmanager
def run_gateway(workers: int, settings: Mapping[str, str] | None = None) -> Iterator[RunningGateway]:
    """Run a broker and a gateway until the context ends. ``settings``: further variables of its environment."""
    inbox, port, rest_port = Inbox(), free_port(), free_port()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="facegate-benchmark-")))
        choice = choose_broker("auto", port)
        conf = ROOT / "config" / "mosquitto.conf"
        broker = stack.enter_context(run_broker(choice, conf=conf, log=folder / "broker.log", inbox=inbox))
        if broker is None:
            raise click.ClickException(f"Another broker has taken port {port}: run the benchmark again.")
        environment = {
            "FACEGATE_DATA": str(folder / "data"),
            "FACEGATE_MQTT__PORT": str(port),
            "FACEGATE_REST__PORT": str(rest_port),
            "FACEGATE_WORKERS__PROCESSES": str(workers),
            "FACEGATE_PEOPLE__FOLDER": str(ROOT / "known_faces"),
            **(settings or {}),
        }
        command = [sys.executable, "-m", "gateway", "run", "--config", str(ROOT / "config" / "gateway.yaml")]
        gateway = ChildProcess("The gateway", command, log=folder / "gateway.log", environment=environment, folder=ROOT)
        wait_until_ready(rest_port, stack.enter_context(gateway), inbox, lambda _status: None)
        yield RunningGateway(choice.broker, rest_port, {"gateway": gateway.pid, "broker": broker.pid})


def gateway_fps(mqtt: MqttClient, in_flight: int, seconds: float) -> float:
    """Return the answers per second with a fixed number of outstanding requests."""
    for _ in range(in_flight):
        mqtt.send_request()
    mqtt.answer()
    mqtt.send_request()
    begun = last = time.monotonic()
    answered = 0
    while last < begun + seconds:
        _, last = mqtt.answer()
        answered += 1
        mqtt.send_request()
    for _ in range(in_flight):
        mqtt.answer()
    return answered / (last - begun)


@dataclass(frozen=True, slots=True)
class GatewayAndEngines:
    """A gateway, and bare engine processes, as many as its workers."""

    workers: int
    gateway: RunningGateway
    mqtt: MqttClient
    rest: RestClient
    engines: BareEngines

    def round(self, seconds: float) -> tuple[float, float]:
        """Return the frames per second of the gateway, and of the bare engines."""
        alone = engine_fps(self.engines.run(seconds))
        return gateway_fps(self.mqtt, 2 * self.workers, seconds), alone


@contextmanager
def run_bench(workers: int) -> Iterator[GatewayAndEngines]:
    picture = PICTURE.read_bytes()
    with run_gateway(workers) as gateway:
        mqtt, engines = MqttClient(gateway.broker, picture), BareEngines(workers)
        try:
            with mqtt.connection:
                yield GatewayAndEngines(workers, gateway, mqtt, RestClient(gateway.rest_port, picture), engines)
        finally:
            engines.close()


def engine_fps(runs: Sequence[Sequence[float]]) -> float:
    return sum(1000 * len(run) / sum(run) for run in runs)


def percentiles(added: Sequence[float]) -> dict[str, float]:
    return {
        "added_ms_p50": round(statistics.median(added), 2),
        "added_ms_p95": round(statistics.quantiles(added, n=20)[-1], 2),
    }


def measure(requests: int, frames: int, rounds: int, seconds: float, workers: int) -> dict[str, Any]:
    with run_bench(workers) as all_workers, run_bench(1) as one_worker:
        mqtt, rest = all_workers.mqtt, all_workers.rest
        for client in (mqtt, rest):
            # This opens connections and fills caches.
            client.added_ms()
        added = [(mqtt.added_ms(), rest.added_ms()) for _ in range(requests)]
        ask = {"mqtt": mqtt.added_ms, "rest": rest.added_ms}
        cpu = cpu_ms_a_frame(all_workers.gateway.processes, ask, PICTURE.read_bytes(), frames)
        idle = idle_cpu_ms_a_second(all_workers.gateway.processes)
        taken = [(all_workers.round(seconds), one_worker.round(seconds)) for _ in range(rounds)]
    pairs = [pair for pair, _ in taken]
    return {
        "mqtt": percentiles([each for each, _ in added]),
        "rest": percentiles([each for _, each in added]),
        "cpu_ms_a_frame": cpu,
        "idle_cpu_ms_a_second": idle,
        "throughput": {
            "gateway_fps": round(statistics.median(through for through, _ in pairs), 2),
            "engine_fps": round(statistics.median(alone for _, alone in pairs), 2),
            "ratio": round(statistics.median(through / alone for through, alone in pairs), 3),
        },
        "scaling": {
            "gateway": round(statistics.median(many[0] / one[0] for many, one in taken), 3),
            "engine": round(statistics.median(many[1] / one[1] for many, one in taken), 3),
        },
        "workers": workers,
        "requests": requests,
        "frames": frames,
        "rounds": rounds,
    }


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
@click.option("--requests", default=50, show_default=True, help="Single requests over each interface.")
@click.option(
    "--frames",
    default=200,
    show_default=True,
    type=click.IntRange(CPU_ROUNDS),
    help="Requests over each interface for the processor time.",
)
@click.option("--rounds", default=5, show_default=True, help="Rounds of throughput, engine and gateway alternating.")
@click.option("--seconds", default=6.0, show_default=True, help="Duration of each half of a round.")
@click.option("--workers", default=os.cpu_count(), show_default="one per core", help="Number of worker processes.")
def main(as_json: bool, requests: int, frames: int, rounds: int, seconds: float, workers: int) -> None:
    result = measure(requests, frames, rounds, seconds, workers)
    if as_json:
        click.echo(json.dumps(result))
        return
    for client in ("mqtt", "rest"):
        figures = result[client]
        click.echo(
            f"{client}: adds {figures['added_ms_p50']} ms (median), {figures['added_ms_p95']} ms (p95) a request"
        )
        cpu = ", ".join(f"{name} {ms}" for name, ms in result["cpu_ms_a_frame"][client].items())
        click.echo(f"{client}: processor time in ms a frame: {cpu}")
    idle = ", ".join(f"{name} {ms}" for name, ms in result["idle_cpu_ms_a_second"].items())
    click.echo(f"idle: processor time in ms a second: {idle}")
    through = result["throughput"]
    scaling = result["scaling"]
    click.echo(f"{workers} workers against one: {scaling['gateway']} times, bare engines {scaling['engine']} times")
    click.echo(f"{through['gateway_fps']} frames/s, the engine alone {through['engine_fps']}: ratio {through['ratio']}")


if __name__ == "__main__":
    main()
