"""The command ``facegate match``: do two pictures show the same person?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from gateway.cli.operations import settings_or_exit
from gateway.cli.options import CONFIG_OPTION, JSON_OPTION
from gateway.cli.recognition import new_origin, recognition
from gateway.contract.replies import write_reply
from gateway.model import Comparison, Operation

PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Print whether two pictures show the same person.")
@CONFIG_OPTION
@JSON_OPTION
@click.argument("one", type=PICTURE)
@click.argument("other", type=PICTURE)
def match(config: Path | None, as_json: bool, one: Path, other: Path) -> None:
    """Print whether two pictures show the same person. Each picture has one face. Nothing is stored.

    The exit code is 0 for both answers, and 1 if a picture cannot be compared.
    """
    origin, operation = new_origin(), Operation.FACE_MATCH
    with settings_or_exit(config) as settings, recognition(settings) as run:
        reply = run(operation, (one, other), origin)
    assert isinstance(reply, Comparison)
    if as_json:
        click.echo(json.dumps(write_reply(origin, operation.value, reply).document(), ensure_ascii=False))
        return
    answer = "the same person" if reply.match else "different people"
    click.echo(f"{answer} (score {reply.score:.2f}, from {reply.threshold:.2f} on it is the same person)")
