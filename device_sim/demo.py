"""The command ``python -m device_sim.demo``: a broker, the gateway and cameras, with the names on the screen."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from device_sim.broker_choice import BROKER_KINDS, BrokerChoice, choose_broker, run_broker
from device_sim.camera import Camera
from device_sim.child_process import ChildProcess
from device_sim.connection import Broker
from device_sim.errors import SimError
from device_sim.inbox import Inbox, Stopped
from device_sim.leftovers import clear_leftovers
from device_sim.model import Event, Picture
from device_sim.pictures import FRAMES, load, rotate_pictures
from device_sim.readiness import wait_until_ready
from device_sim.report import Statistics
from device_sim.screen import Screen, make_screen
from device_sim.simulation import Simulation
from device_sim.stream import Stream

# Time to wait for outstanding answers after the cameras have stopped.
PICTURE_TIMEOUT_S = 5.0
POSITIVE = click.FloatRange(min=0, min_open=True)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
PATH = click.Path(path_type=Path)
PORT = click.IntRange(1, 65535)
FOLDER = click.Path(path_type=Path, file_okay=False)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    seconds: float | None
    cameras: int
    rate: float
    frames: Path
    config: Path
    data: Path
    base: str
    broker: str
    broker_port: int
    broker_conf: Path
    rest_port: int

    @property
    def camera_names(self) -> list[str]:
        return [f"demo-{number + 1}" for number in range(self.cameras)]

    def make_cameras(self, pictures: Sequence[Picture], broker: Broker, inbox: Inbox) -> list[Camera]:
        return [
            Camera(
                name,
                Stream(rotate_pictures(pictures, number), timeout=PICTURE_TIMEOUT_S),
                inbox.put,
                broker=broker,
                base=self.base,
            )
            for number, name in enumerate(self.camera_names)
        ]

    def gateway(self, choice: BrokerChoice) -> ChildProcess:
        environment = {
            "FACEGATE_MQTT__HOST": choice.broker.host,
            "FACEGATE_MQTT__PORT": str(choice.broker.port),
            "FACEGATE_REST__PORT": str(self.rest_port),
            "FACEGATE_DATA": str(self.data.resolve()),
            # Each photograph is shown for a second, and again after some seconds. So visits are short here.
            "FACEGATE_LIVE__GONE_S": "1",
            "FACEGATE_SIGHTINGS__AGAIN_S": "3",
            # The broker may be that of a household. Its Home Assistant would keep the devices of the demo.
            "FACEGATE_HOMEASSISTANT__ENABLED": "false",
        }
        if choice.own is not None:
            # The demo's own broker serves programs on this machine only.
            environment["FACEGATE_MQTT__TRUST_BROKER"] = "true"
        if choice.own == "amqtt":
            # amqtt misreads an MQTT 5 CONNECT with a last will, and then neither answers nor closes the connection.
            environment["FACEGATE_MQTT__PROTOCOL"] = "3.1.1"
        return ChildProcess(
            "The gateway",
            [sys.executable, "-m", "gateway", "run", "--config", str(self.config)],
            log=self.data / "gateway.log",
            environment=environment,
        )

    def notes(self, choice: BrokerChoice) -> str:
        return (
            f"Open http://127.0.0.1:{self.rest_port}/ in a browser: cameras, people, and a picture of your own.\n"
            f"Pictures go through {choice}. Ctrl-C stops."
        )


@click.command(context_settings={"show_default": True})
@click.option("--for", "seconds", type=POSITIVE, metavar="SECONDS", help="End after this time. Default: at Ctrl-C.")
@click.option("--cameras", default=2, type=click.IntRange(min=1), metavar="N", help="Number of cameras.")
@click.option("--rate", default=1.0, type=POSITIVE, metavar="FPS", help="Pictures per second of each camera.")
@click.option("--frames", default=FRAMES, show_default="device_sim/frames", type=FOLDER, help="Folder of the pictures.")
@click.option("--config", default="config/gateway.yaml", type=FILE, help="The gateway's configuration.")
@click.option("--data", default="data/demo", type=FOLDER, help="Folder for the gateway's data and the logs.")
@click.option("--base", default="facegate", help="Base topic of that configuration.")
@click.option(
    "--broker", default="auto", type=click.Choice(BROKER_KINDS), help="auto: a running one, otherwise start one."
)
@click.option("--broker-port", default=1883, type=PORT, help="Port of the running broker, or for a new one.")
@click.option("--broker-conf", default="config/mosquitto.conf", type=PATH, help="Configuration for a new mosquitto.")
@click.option("--rest-port", default=5001, type=PORT, help="The gateway's HTTP port.")
def main(**options: Any) -> None:
    """Start a broker and the gateway, send photographs to the gateway, and print the names in its answers.

    Ctrl-C, or the time of --for, ends all that was started.
    """
    inbox, screen = Inbox(), make_screen()
    try:
        with inbox.signals():
            run(Options(**options), screen, inbox)
    except Stopped:
        screen.print_line("Stopped before the gateway was ready.")
    except SimError as error:
        raise click.ClickException(str(error)) from None


def run(options: Options, screen: Screen, inbox: Inbox) -> None:
    """Run the demo. Raises SimError and Stopped."""
    pictures = load(options.frames)
    check_port_free(options.rest_port)
    options.data.mkdir(parents=True, exist_ok=True)
    choice = choose_broker(options.broker, options.broker_port)
    screen.print_line(choice.why)
    # These are ended in the opposite order: cameras, gateway, broker.
    with ExitStack() as stack:
        log = options.data / "broker.log"
        broker = stack.enter_context(run_broker(choice, conf=options.broker_conf, log=log, inbox=inbox))
        if choice.own is None:
            stack.callback(lambda: report_leftovers(options, choice.broker, screen))
        gateway = stack.enter_context(options.gateway(choice))
        with screen.starting() as show_status:
            wait_until_ready(options.rest_port, gateway, inbox, show_status)
        cameras = options.make_cameras(pictures, choice.broker, inbox)
        for camera in cameras:
            stack.enter_context(camera)
        simulation = Simulation(cameras, inbox, rate=options.rate, timeout=PICTURE_TIMEOUT_S)
        with screen.watching(options.notes(choice)) as show:
            statistics = collect_statistics(simulation.events(seconds=options.seconds), show, [broker, gateway])
        screen.print_line("Stopping the gateway.")
    screen.print_line(statistics.summary())
    if not statistics.answered and not inbox.stopped:
        raise SimError(f"No result was received: see {gateway.log}.")


def report_leftovers(options: Options, broker: Broker, screen: Screen) -> None:
    """Delete what the gateway and the cameras leave at the broker, and print what went wrong."""
    statuses = [f"{options.base}/{name}/status" for name in options.camera_names]
    if problem := clear_leftovers(broker, options.data, statuses):
        screen.print_line(problem)


def collect_statistics(
    events: Iterator[Event], show: Callable[[Event, Statistics], None], children: Sequence[ChildProcess | None]
) -> Statistics:
    """Show and count the events. Raises ChildEnded as soon as the broker or the gateway has ended."""
    statistics = Statistics()
    for event in events:
        statistics.add(event)
        show(event, statistics)
        for child in filter(None, children):
            child.check()
    return statistics


def check_port_free(port: int) -> None:
    """Raise SimError if another program uses the port. Its answers would be mistaken for the gateway's."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        raise SimError(f"REST port {port} is in use: choose another one with --rest-port.")


if __name__ == "__main__":
    main()
