"""``python -m device_sim``: cameras for tests and load."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from device_sim.camera import Camera, Talk, rotation
from device_sim.errors import SimError
from device_sim.inbox import Inbox
from device_sim.link import PROTOCOLS, Broker
from device_sim.model import Answer, Picture
from device_sim.pictures import FRAMES, load
from device_sim.repeat import Repeating
from device_sim.report import Tally, line
from device_sim.request import OF_A_PERSON, OPERATIONS, Requests
from device_sim.simulation import Simulation
from device_sim.stream import Stream

POSITIVE = click.FloatRange(min=0, min_open=True)
DEFAULT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """The command line; each field is the option of that name."""

    host: str
    port: int
    user: str | None
    password: str | None
    protocol: str
    base: str
    name: str
    cameras: int
    rate: float
    count: int | None
    seconds: float | None
    mode: str
    op: str
    person: str | None
    frames: Path
    qos: int | None
    timeout: float
    repeat: bool
    repeat_after: float
    parts: int | None
    quiet: bool
    as_json: bool

    def __post_init__(self) -> None:
        if self.op in OF_A_PERSON and not self.person:
            raise click.UsageError(f"--op {self.op} needs --person: whom the picture should show.")

    def make_cameras(self, inbox: Inbox) -> list[Camera]:
        pictures = load(self.frames)
        broker = Broker(self.host, self.port, self.user, self.password, self.protocol)
        return [
            Camera(
                f"{self.name}-{number + 1}",
                self._talk(pictures, number),
                inbox.put,
                broker=broker,
                base=self.base,
                qos=self.qos,
                parts=self.parts if self.mode == "request" else None,
            )
            for number in range(self.cameras)
        ]

    def _talk(self, pictures: Sequence[Picture], start: int) -> Talk:
        turning = rotation(pictures, start)
        if self.mode == "stream":
            return Stream(turning, timeout=self.timeout)
        return Requests(
            turning,
            op=self.op,
            person=self.person if self.op in OF_A_PERSON else None,
            timeout=self.timeout,
            by_correlation=self.protocol == "5",
            repeating=Repeating(after=self.repeat_after) if self.repeat else None,
        )


@click.command(context_settings={"auto_envvar_prefix": "DEVICE_SIM", "show_default": True})
@click.option("--host", default="127.0.0.1", help="The broker.")
@click.option("--port", default=1883, type=click.IntRange(1, 65535))
@click.option("--user", help="Login at the broker; {camera} in it stands for the camera's name.")
@click.option("--password", show_envvar=True, help="As --user; better given in the environment.")
@click.option("--protocol", default="3.1.1", type=click.Choice(list(PROTOCOLS)), help="MQTT version.")
@click.option("--base", default="facegate", help="The gateway's base topic.")
@click.option("--name", default="sim", help="Cameras are called NAME-1, NAME-2, …")
@click.option("--cameras", default=1, type=click.IntRange(min=1), metavar="N", help="How many cameras.")
@click.option("--rate", default=1.0, type=POSITIVE, metavar="FPS", help="Pictures a second of each camera.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many pictures of each camera.")
@click.option("--seconds", type=POSITIVE, help="Stop after so long; 60 if --count is not given either.")
@click.option(
    "--mode",
    default="stream",
    type=click.Choice(["stream", "request"]),
    help="stream: live frames, the newest wins. request: every picture gets its own reply.",
)
@click.option("--op", default="face_rec", type=click.Choice(OPERATIONS), help="What to request.")
@click.option("--person", help="Whom --op verify expects and --op enroll names, as a slug such as barack_obama.")
@click.option(
    "--frames",
    default=FRAMES,
    show_default="device_sim/frames",
    type=click.Path(path_type=Path),
    help="Folder of JPEGs to show.",
)
@click.option("--qos", type=click.IntRange(0, 2), help="Default: 0 for a stream, 1 for requests.")
@click.option("--timeout", default=15.0, type=POSITIVE, help="Seconds after which a picture counts as lost.")
@click.option("--repeat/--no-repeat", default=True, help="Ask again with the same id until answered, or ask once.")
@click.option(
    "--repeat-after",
    default=2.5,
    type=POSITIVE,
    metavar="SECONDS",
    help="First repeat; each later pause is twice as long.",
)
@click.option(
    "--parts", type=click.IntRange(min=1), metavar="BYTES", help="Requests in pieces of at most so many bytes."
)
@click.option("--quiet", is_flag=True, help="Print no line for each answer.")
@click.option("--json", "as_json", is_flag=True, help="Summary as JSON; the answers go to standard error.")
def main(**options: Any) -> None:
    """Simulated cameras: send pictures to a gateway over MQTT and print what comes back.

    Every option can also be given in the environment: DEVICE_SIM_PORT and so on. Ctrl-C ends the sending and
    prints the summary.

    Every answer is held against what was sent and against earlier ones to the same request. If anything
    contradicts, the summary names it, and the exit code is 1.

    In a stream no id ties a result to its frame, but a result says how many bytes its picture had. So each
    frame is padded to a size of its own, and the time shown is that from sending a frame to receiving its
    result, however many others were dropped between.
    """
    try:
        tally = run(Options(**options))
    except SimError as error:
        raise click.ClickException(str(error)) from None
    if tally.contradictions:
        sys.exit(1)


def run(options: Options) -> Tally:
    inbox = Inbox()
    cameras = options.make_cameras(inbox)
    with ExitStack() as stack:
        stack.enter_context(inbox.signals())
        for camera in cameras:
            stack.enter_context(camera)
        simulation = Simulation(cameras, inbox, rate=options.rate, timeout=options.timeout)
        seconds = options.seconds or (None if options.count else DEFAULT_SECONDS)
        tally = Tally()
        for event in simulation.events(count=options.count, seconds=seconds):
            tally.add(event)
            if isinstance(event, Answer) and not options.quiet:
                click.echo(line(event), err=options.as_json)
    click.echo(json.dumps(tally.as_dict()) if options.as_json else tally.summary())
    return tally


if __name__ == "__main__":
    main()
