"""The command ``python -m device_sim.cluster_demo``: three gateways with one store, of which one at a time is killed.

It starts PostgreSQL, mosquitto, gateways with simulated worker processes, and cameras with real photographs. The screen
shows which gateway serves which camera, while a gateway is killed and comes back. The simulated workers only sleep, so
that two processor cores are enough for three gateways. They read the name of a face from a comment in the picture.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from device_sim.answer_counts import WATCH_INTERVAL_S, AnswerCounts
from device_sim.broker_choice import BrokerChoice, find_mosquitto, run_broker
from device_sim.camera import Camera
from device_sim.child_process import ChildProcess
from device_sim.cluster_board import ClusterBoard
from device_sim.cluster_director import DemoReplica, Director
from device_sim.cluster_state import ClusterListener
from device_sim.connection import Broker
from device_sim.demo import FOLDER, PATH, POSITIVE, check_port_free
from device_sim.errors import SimError
from device_sim.inbox import Inbox, Stopped
from device_sim.model import Event, Picture
from device_sim.named_pictures import name_faces
from device_sim.pictures import FRAMES, load, rotate_pictures
from device_sim.ports import free_port
from device_sim.postgres_server import PostgresServer
from device_sim.readiness import wait_until_ready
from device_sim.repetition import RepeatPolicy
from device_sim.replicas import ReplicaSettings, make_key, simulated_gateway_command
from device_sim.report import Statistics
from device_sim.request import Requests
from device_sim.simulation import Simulation
from device_sim.stream import Stream

REPLICAS = 3
WORKERS = 2
PICTURE_MS = 60.0
LEASE_S = 3.0
BASE = "facegate"
# Of the cameras so many send requests, which any replica answers. The others send live frames.
ASKING_CAMERAS = 2
ANSWER_TIMEOUT_S = 15.0
DWELL = 6
PEOPLE = {"obama": "Barack Obama", "biden": "Joe Biden", "hopper": "Grace Hopper"}
"""The enrolled people, by the first word of the file names of their photographs."""
ABOUT_COUNTS = (
    "Lost are pictures that got no answer: mostly live frames that a replica had when it was killed. The counts of the"
    f" replicas are read every {WATCH_INTERVAL_S} s: the last answers before a kill and before the end are not in them."
)
NO_MOSQUITTO = (
    "mosquitto is not installed (sudo apt-get install mosquitto). Replicas share their requests by shared subscriptions"
    " of MQTT 5. amqtt, the other broker of the demos, has neither."
)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    seconds: float | None
    cameras: int
    rate: float
    data: Path
    broker_conf: Path
    rest_port: int
    as_json: bool

    @property
    def camera_names(self) -> Sequence[str]:
        asking = min(ASKING_CAMERAS, self.cameras - 1)
        live = [f"cam-{number + 1}" for number in range(self.cameras - asking)]
        return [*live, *(f"gate-{number + 1}" for number in range(asking))]


@click.command(context_settings={"show_default": True})
@click.option(
    "--for",
    "seconds",
    type=POSITIVE,
    metavar="SECONDS",
    help="Send pictures for this time, and wait for the last answers. Default: until Ctrl-C.",
)
@click.option("--cameras", default=10, type=click.IntRange(min=1), metavar="N", help="Number of cameras.")
@click.option("--rate", default=2.0, type=POSITIVE, metavar="FPS", help="Pictures per second of each camera.")
@click.option("--data", default="data/cluster-demo", type=FOLDER, help="Folder for the logs.")
@click.option("--broker-conf", default="config/mosquitto.conf", type=PATH, help="Configuration of mosquitto.")
@click.option("--rest-port", default=5001, type=click.IntRange(1, 65000), help="HTTP port of the first gateway.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end only.")
def main(**options: Any) -> None:
    """Start three gateways with one PostgreSQL, kill one of them again and again, and show who serves which camera.

    Ctrl-C, or the time of --for, ends all that was started.
    """
    inbox = Inbox()
    try:
        with inbox.signals():
            run(Options(**options), inbox)
    except Stopped:
        click.echo("Stopped before the gateways were ready.", err=True)
    except SimError as error:
        raise click.ClickException(str(error)) from None


def run(options: Options, inbox: Inbox) -> None:
    """Run the demo. Raises SimError and Stopped."""
    if find_mosquitto() is None:
        raise SimError(NO_MOSQUITTO)
    ports = [options.rest_port + number for number in range(REPLICAS)]
    for port in ports:
        check_port_free(port)
    options.data.mkdir(parents=True, exist_ok=True)
    say = (lambda _text: None) if options.as_json else click.echo
    pictures = [named(picture) for picture in load(FRAMES)]
    # These are ended in the opposite order: cameras, gateways, broker, PostgreSQL.
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="facegate-cluster-")))
        say(describe_demo(options.camera_names))
        say("Starting PostgreSQL and mosquitto.")
        store = stack.enter_context(PostgresServer())
        broker = Broker(port=free_port(), protocol="5")
        choice = BrokerChoice(broker, "mosquitto", "")
        stack.enter_context(run_broker(choice, conf=options.broker_conf, log=options.data / "broker.log", inbox=inbox))
        replicas = make_replicas(options, folder, ports, broker, store.create_database())
        say(f"Starting {REPLICAS} gateways, one after the other.")
        for each in replicas:
            stack.enter_context(each.process)
            wait_until_ready(each.rest_port, each.process, inbox, lambda _status: None)
            say(f"{each.name} is ready: {each.url}")
        enrol(replicas[0], pictures)
        cameras = make_cameras(options, pictures, broker, inbox)
        for camera in cameras:
            stack.enter_context(camera)
        listener = stack.enter_context(ClusterListener(broker, BASE))
        counts = stack.enter_context(AnswerCounts(ports))
        simulation = Simulation(cameras, inbox, rate=options.rate, timeout=ANSWER_TIMEOUT_S)
        director = Director(replicas, listener, counts)
        with watching(options, director) as show:
            statistics = watch(simulation.events(seconds=options.seconds), director, show)
        report(options, statistics, director)
        say("Stopping the gateways.")
    if not statistics.answered and not inbox.stopped:
        raise SimError(f"No result was received: see the logs in {options.data}.")


def describe_demo(cameras: Sequence[str]) -> str:
    """Return what is simulated, and which cameras a replica owns."""
    asking = [name for name in cameras if name.startswith("gate")]
    requests = f" {' and '.join(asking)} send requests, which any replica answers." if asking else ""
    return (
        f"The recognition is simulated: a picture takes {PICTURE_MS:.0f} ms, and a comment in it names the face."
        f" {len(cameras) - len(asking)} cameras send live frames, and each has one replica.{requests}"
    )


def make_replicas(
    options: Options, folder: Path, ports: Sequence[int], broker: Broker, store_url: str
) -> Sequence[DemoReplica]:
    # Each photograph is shown for some seconds, and again later. So visits are short here.
    other = {
        "FACEGATE_LIVE__GONE_S": "1",
        "FACEGATE_SIGHTINGS__AGAIN_S": "3",
        # The leader looks for further cameras only every 15 s.
        "FACEGATE_CAMERAS": json.dumps({name: {} for name in options.camera_names if not name.startswith("gate")}),
    }
    settings = ReplicaSettings(broker.port, WORKERS, LEASE_S, make_key(), other)
    command = simulated_gateway_command(PICTURE_MS, "config/gateway.yaml")
    return [
        DemoReplica(
            name,
            port,
            ChildProcess(
                name,
                command,
                log=options.data / f"{name}.log",
                environment=settings.environment(name, folder / name, port, store_url),
            ),
        )
        for number, port in enumerate(ports, 1)
        if (name := f"replica-{number}")
    ]


def make_cameras(options: Options, pictures: Sequence[Picture], broker: Broker, inbox: Inbox) -> list[Camera]:
    cameras = []
    for number, name in enumerate(options.camera_names):
        shown = rotate_pictures(pictures, number, dwell=DWELL)
        mode: Stream | Requests = Stream(shown, timeout=ANSWER_TIMEOUT_S)
        if name.startswith("gate"):
            mode = Requests(
                shown,
                op="face_rec",
                person=None,
                timeout=ANSWER_TIMEOUT_S,
                by_correlation=True,
                repeating=RepeatPolicy(),
            )
        cameras.append(Camera(name, mode, inbox.put, broker=broker, base=BASE))
    return cameras


def named(picture: Picture) -> Picture:
    """Return the picture with a comment that names its face, except if it shows nobody."""
    who = picture.name.partition("_")[0]
    if who == "empty":
        return picture
    return replace(picture, jpeg=name_faces(picture.jpeg, [PEOPLE.get(who, Path(picture.name).stem)]))


def enrol(replica: DemoReplica, pictures: Sequence[Picture]) -> None:
    """Enrol the people of the photographs at one replica. Raises SimError."""
    shown = {PEOPLE[who]: each for each in reversed(pictures) if (who := each.name.partition("_")[0]) in PEOPLE}
    for name, picture in shown.items():
        body = json.dumps({"name": name, "images": [base64.b64encode(picture.jpeg).decode()]})
        connection = HTTPConnection("127.0.0.1", replica.rest_port, timeout=30)
        try:
            connection.request("POST", "/api/v1/people", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            if response.status >= 300:
                raise SimError(f"{name} could not be enrolled: {response.read().decode(errors='replace')}")
        except OSError as error:
            raise SimError(f"{replica.name} does not answer: {error}.") from None
        finally:
            connection.close()


Show = Callable[[Event, Statistics], None]


@contextmanager
def watching(options: Options, director: Director) -> Iterator[Show]:
    """Show the events: a live table on a terminal, otherwise lines, and nothing for ``--json``."""
    console = Console(highlight=False)
    board = ClusterBoard(options.camera_names)
    if options.as_json or not console.is_terminal:

        def show_lines(_event: Event, _statistics: Statistics) -> None:
            for text in director.news.take_unprinted():
                if not options.as_json:
                    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)

        yield show_lines
        return
    with Live(console=console, refresh_per_second=8) as live:

        def show_board(event: Event, statistics: Statistics) -> None:
            board.add(event)
            live.update(board.draw(director.rows, director.news, notes(statistics)))

        yield show_board


def watch(events: Iterator[Event], director: Director, show: Show) -> Statistics:
    """Show and count the events, while the director kills replicas. Raises ChildEnded."""
    statistics = Statistics()
    for event in events:
        statistics.add(event)
        director.step()
        show(event, statistics)
    return statistics


def notes(statistics: Statistics) -> str:
    return (
        f"sent {statistics.sent}, answered {statistics.answered}, errors {statistics.errors.total()}."
        " Cameras called gate ask any replica. Ctrl-C stops."
    )


def report(options: Options, statistics: Statistics, director: Director) -> None:
    answered = {row.name: row.answered for row in director.rows}
    if options.as_json:
        figures = {"kills": director.kills, "moves": director.news.moves, "answered_by": answered}
        click.echo(json.dumps({**statistics.as_dict(), **figures}))
        return
    click.echo(statistics.summary())
    parts = ", ".join(f"{name} {number}" for name, number in answered.items())
    click.echo(f"{director.kills} kills, {director.news.moves} moves of cameras; pictures answered: {parts}")
    click.echo(ABOUT_COUNTS)


if __name__ == "__main__":
    main()
