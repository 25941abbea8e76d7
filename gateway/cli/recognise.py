"""The command ``facegate recognise``: who is in these pictures?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from gateway.cli.operations import settings_or_exit
from gateway.cli.options import CONFIG_OPTION, JSON_OPTION
from gateway.cli.output import count
from gateway.cli.recognition import Recognise, new_origin, recognition
from gateway.contract.errors import write_error
from gateway.contract.replies import write_reply
from gateway.errors import GatewayError
from gateway.logs import escape
from gateway.model import Face, Operation, Origin, Recognition


@click.command(short_help="Print who is in pictures.")
@CONFIG_OPTION
@JSON_OPTION
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def recognise(config: Path | None, as_json: bool, files: tuple[Path, ...]) -> None:
    """Print who is in pictures: a line for each face. This works whether a gateway runs or not, and stores nothing.

    With --json, print one line for each file: the document that MQTT and REST return, and the file. The exit code is 1
    if a file could not be read or is no picture.
    """
    failed = 0
    with settings_or_exit(config) as settings, recognition(settings) as run:
        for file in files:
            origin = new_origin()
            try:
                reply = _recognise(run, file, origin)
            except GatewayError as error:
                failed += 1
                _print_error(file, origin, error, as_json)
            else:
                _print_reply(file, origin, reply, as_json)
    if failed:
        click.echo(f"facegate: {count(failed, 'file')} of {len(files)} could not be recognised", err=True)
        sys.exit(1)


def _recognise(run: Recognise, file: Path, origin: Origin) -> Recognition:
    reply = run(Operation.FACE_REC, (file,), origin)
    assert isinstance(reply, Recognition)
    return reply


def _print_error(file: Path, origin: Origin, error: GatewayError, as_json: bool) -> None:
    if as_json:
        document = write_error(origin, Operation.FACE_REC.value, error).document()
        click.echo(json.dumps({"file": str(file), **document}, ensure_ascii=False))
    else:
        click.echo(escape(f"{file}: {error}"), err=True)


def _print_reply(file: Path, origin: Origin, reply: Recognition, as_json: bool) -> None:
    if as_json:
        document = write_reply(origin, Operation.FACE_REC.value, reply).document()
        click.echo(json.dumps({"file": str(file), **document}, ensure_ascii=False))
        return
    for text in [describe_face(face) for face in reply.faces] or ["nobody"]:
        click.echo(escape(f"{file}: {text}"))


def describe_face(face: Face) -> str:
    """Return a part of a sentence about a face that was compared with the enrolled people."""
    if face.person is not None:
        return f"{face.person.name} ({face.person.slug}), score {face.score:.2f}"
    if face.verdict == "unknown":
        return f"a stranger, score {face.score:.2f}"
    if face.verdict == "ambiguous" and face.judgement is not None:
        likely = " or ".join(f"{each.person.name} ({each.person.slug})" for each in face.judgement.candidates)
        return f"{likely}, score {face.score:.2f}"
    return f"somebody who cannot be recognised ({(face.verdict or '').replace('_', ' ')})"
