"""The command ``python -m device_sim``: simulated cameras for tests and load."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from device_sim.connection import PROTOCOLS
from device_sim.errors import SimError, Unreachable
from device_sim.fleet import Fleet
from device_sim.inbox import Inbox
from device_sim.model import Answer
from device_sim.options import Options
from device_sim.pictures import FRAMES
from device_sim.report import Statistics, line
from device_sim.request import OPERATIONS
from device_sim.simulation import Simulation

POSITIVE = click.FloatRange(min=0, min_open=True)
SHARE = click.FloatRange(0, 1)
DEFAULT_SECONDS = 60.0


@click.command(context_settings={"auto_envvar_prefix": "DEVICE_SIM", "show_default": True})
@click.option("--host", default="127.0.0.1", help="The broker's host name or address.")
@click.option("--port", default=1883, type=click.IntRange(1, 65535))
@click.option("--user", help="Login at the broker. {camera} is replaced by the camera's name.")
@click.option(
    "--password", show_envvar=True, help="Password at the broker, as --user. Better set it in the environment."
)
@click.option("--protocol", default="3.1.1", type=click.Choice(list(PROTOCOLS)), help="MQTT version.")
@click.option("--base", default="facegate", help="The gateway's base topic.")
@click.option("--name", default="sim", help="Cameras are called NAME-1, NAME-2, …")
@click.option("--cameras", default=1, type=click.IntRange(min=1), metavar="N", help="Number of cameras.")
@click.option("--camera", help="One camera of exactly this name, in place of --name and --cameras.")
@click.option(
    "--connections",
    type=click.IntRange(min=1),
    metavar="N",
    help="Share this number of connections, without a status for each camera.  [default: one for each camera]",
)
@click.option("--rate", default=1.0, type=POSITIVE, metavar="FPS", help="Pictures per second of each camera.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after this number of pictures of each camera.")
@click.option(
    "--seconds", type=POSITIVE, help="Stop after this time; inf: at Ctrl-C. Without --count the default is 60."
)
@click.option(
    "--mode",
    default="stream",
    type=click.Choice(["stream", "request"]),
    help="stream: live frames; a newer frame replaces an older one. request: every picture gets its own reply.",
)
@click.option("--op", default="face_rec", type=click.Choice(OPERATIONS), help="Operation to request.")
@click.option("--person", help="Person for --op verify and --op enroll, as an id such as barack_obama.")
@click.option(
    "--frames",
    default=FRAMES,
    show_default="device_sim/frames",
    type=click.Path(path_type=Path),
    help="Folder of JPEG files to show, also in subfolders.",
)
@click.option(
    "--dwell",
    default=1,
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Show each picture N times in a row, as a scene that stays the same.",
)
@click.option("--video", metavar="FILE|URL", help="Video to show, or a live stream (rtsp://…). Needs the package av.")
@click.option(
    "--pan", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Photograph to move a window over."
)
@click.option("--window", default=0.5, type=click.FloatRange(0.01, 1), help="Share of its width and height for --pan.")
@click.option("--pan-seconds", default=10.0, type=POSITIVE, help="Time of the window for one way around.")
@click.option("--loss", default=0.0, type=SHARE, help="Share of the pictures that are not sent.")
@click.option("--duplicates", default=0.0, type=SHARE, help="Share of the pictures that are sent twice.")
@click.option("--reordering", default=0.0, type=SHARE, help="Share of the pictures that the next one overtakes.")
@click.option("--jitter", default=0.0, type=click.FloatRange(min=0), help="Longest delay of a picture in seconds.")
@click.option("--clock-skew", default=0.0, type=SHARE, help="Largest error of a camera's clock, as a share.")
@click.option("--seed", type=int, help="Makes the same pictures late, lost and doubled in each run.")
@click.option("--qos", type=click.IntRange(0, 2), help="Default: 0 for a stream, 1 for requests.")
@click.option("--timeout", default=15.0, type=POSITIVE, help="Seconds after which a picture counts as lost.")
@click.option(
    "--repeat/--no-repeat",
    default=True,
    help="Repeat a request with the same id until it is answered, or send it once.",
)
@click.option(
    "--repeat-after",
    default=2.5,
    type=POSITIVE,
    metavar="SECONDS",
    help="Pause before the first repetition. Each later pause is twice as long.",
)
@click.option(
    "--parts", type=click.IntRange(min=1), metavar="BYTES", help="Send requests in pieces of at most this size."
)
@click.option("--quiet", is_flag=True, help="Do not print a line for each answer.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON, and the answers on standard error.")
def main(**options: Any) -> None:
    """Send the pictures of simulated cameras to a gateway over MQTT, and print the answers.

    Every option can also be set in the environment, for example DEVICE_SIM_PORT. Ctrl-C ends the sending and prints
    the summary.

    Every answer is compared with the request and with earlier answers to it. If there is a contradiction, the summary
    names it, and the exit code is 1.

    In a stream no id connects a result with its frame, but a result has the number of bytes of its picture. So each
    frame gets a size of its own by padding. The time shown is from sending a frame to receiving its result, even if
    other frames were dropped in between.
    """
    try:
        statistics = run(Options(**options))
    except Unreachable as error:
        raise click.ClickException(f"{error} Start one there, or name a running one (--host, --port).") from None
    except SimError as error:
        raise click.ClickException(str(error)) from None
    if statistics.contradictions:
        sys.exit(1)


def run(options: Options) -> Statistics:
    """Run the cameras, print their answers and the summary, and return the figures. Raises SimError."""
    inbox = Inbox()
    source = options.open_source()
    with ExitStack() as stack:
        stack.enter_context(inbox.signals())
        fleet = stack.enter_context(Fleet(options, source, inbox))
        simulation = Simulation(
            fleet.cameras, inbox, rate=options.rate, timeout=options.timeout, disturbances=options.disturbances()
        )
        seconds = options.seconds or (None if options.count else DEFAULT_SECONDS)
        statistics = Statistics()
        for event in simulation.events(count=options.count, seconds=seconds):
            statistics.add(event)
            if isinstance(event, Answer) and not options.quiet:
                click.echo(line(event), err=options.as_json)
    click.echo(json.dumps(statistics.as_dict()) if options.as_json else statistics.summary())
    return statistics


if __name__ == "__main__":
    main()
