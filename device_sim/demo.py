"""``python -m device_sim.demo``: a broker, the gateway and cameras, from nothing to names on the screen."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from device_sim.camera import Camera, rotation
from device_sim.children import Child
from device_sim.choose import KINDS, Choice, choose, running
from device_sim.errors import SimError
from device_sim.inbox import Inbox, Stop
from device_sim.link import Broker
from device_sim.model import Event, Picture
from device_sim.pictures import FRAMES, load
from device_sim.readiness import wait_until_ready
from device_sim.report import Tally
from device_sim.screen import Screen, make_screen
from device_sim.simulation import Simulation
from device_sim.stream import Stream

# What is still on its way when the cameras stop gets this long.
TIMEOUT = 5.0
POSITIVE = click.FloatRange(min=0, min_open=True)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
PATH = click.Path(path_type=Path)
PORT = click.IntRange(1, 65535)
FOLDER = click.Path(path_type=Path, file_okay=False)


@dataclass(frozen=True, slots=True)
class Options:
    """The command line; each field is the option of that name."""

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

    def make_cameras(self, pictures: Sequence[Picture], broker: Broker, inbox: Inbox) -> list[Camera]:
        return [
            Camera(
                f"demo-{number + 1}",
                Stream(rotation(pictures, number), timeout=TIMEOUT),
                inbox.put,
                broker=broker,
                base=self.base,
            )
            for number in range(self.cameras)
        ]

    def gateway(self, choice: Choice) -> Child:
        environment = {
            "FACEGATE_MQTT__HOST": choice.broker.host,
            "FACEGATE_MQTT__PORT": str(choice.broker.port),
            "FACEGATE_REST__PORT": str(self.rest_port),
            "FACEGATE_DATA": str(self.data.resolve()),
        }
        if choice.own == "amqtt":
            # It reads an MQTT 5 CONNECT with a last will wrongly, and then neither answers nor hangs up.
            environment["FACEGATE_MQTT__PROTOCOL"] = "3.1.1"
        return Child(
            "The gateway",
            [sys.executable, "-m", "gateway", "run", "--config", str(self.config)],
            log=self.data / "gateway.log",
            environment=environment,
        )

    def notes(self, choice: Choice) -> str:
        return (
            f"Open http://127.0.0.1:{self.rest_port}/face_rec in a browser to try a picture of your own.\n"
            f"Pictures go through {choice}. Ctrl-C stops."
        )


@click.command(context_settings={"show_default": True})
@click.option("--for", "seconds", type=POSITIVE, metavar="SECONDS", help="End after so long; else at Ctrl-C.")
@click.option("--cameras", default=2, type=click.IntRange(min=1), metavar="N", help="How many cameras.")
@click.option("--rate", default=1.0, type=POSITIVE, metavar="FPS", help="Pictures a second of each camera.")
@click.option("--frames", default=FRAMES, show_default="device_sim/frames", type=FOLDER, help="What they show.")
@click.option("--config", default="config/gateway.yaml", type=FILE, help="The gateway's configuration.")
@click.option("--data", default="data/demo", type=FOLDER, help="The gateway's data, and the logs.")
@click.option("--base", default="facegate", help="Base topic in that configuration.")
@click.option("--broker", default="auto", type=click.Choice(KINDS), help="auto: one that runs, else its own.")
@click.option("--broker-port", default=1883, type=PORT, help="Where to look for a broker, or to start one.")
@click.option("--broker-conf", default="config/mosquitto.conf", type=PATH, help="For a mosquitto of its own.")
@click.option("--rest-port", default=5001, type=PORT, help="The gateway's HTTP port.")
def main(**options: Any) -> None:
    """Start a broker and the gateway, show real photographs to it, and print the names that come back.

    Ends everything that it started, in order, at Ctrl-C or after --for SECONDS.
    """
    inbox, screen = Inbox(), make_screen()
    try:
        with inbox.signals():
            run(Options(**options), screen, inbox)
    except Stop:
        screen.say("Stopped before anything could be shown.")
    except SimError as error:
        raise click.ClickException(str(error)) from None


def run(options: Options, screen: Screen, inbox: Inbox) -> None:
    pictures = load(options.frames)
    refuse_taken(options.rest_port)
    options.data.mkdir(parents=True, exist_ok=True)
    choice = choose(options.broker, options.broker_port)
    screen.say(choice.why)
    # Left in the opposite order: cameras, gateway, broker.
    with ExitStack() as stack:
        log = options.data / "broker.log"
        broker = stack.enter_context(running(choice, conf=options.broker_conf, log=log, inbox=inbox))
        gateway = stack.enter_context(options.gateway(choice))
        with screen.starting() as show_status:
            wait_until_ready(options.rest_port, gateway, inbox, show_status)
        cameras = options.make_cameras(pictures, choice.broker, inbox)
        for camera in cameras:
            stack.enter_context(camera)
        simulation = Simulation(cameras, inbox, rate=options.rate, timeout=TIMEOUT)
        with screen.watching(options.notes(choice)) as show:
            tally = watch(simulation.events(seconds=options.seconds), show, [broker, gateway])
        screen.say("Stopping the gateway.")
    screen.say(tally.summary())
    if not tally.answered and not inbox.stopped:
        raise SimError(f"Not a single result came back; see {gateway.log}.")


def watch(events: Iterator[Event], show: Callable[[Event, Tally], None], children: Sequence[Child | None]) -> Tally:
    """Raises ChildEnded as soon as the broker or the gateway is gone."""
    tally = Tally()
    for event in events:
        tally.add(event)
        show(event, tally)
        for child in filter(None, children):
            child.check()
    return tally


def refuse_taken(port: int) -> None:
    """Before the gateway starts: whatever answers on its port would be mistaken for it."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        raise SimError(f"REST port {port} is taken; give another one with --rest-port.")


if __name__ == "__main__":
    main()
