"""The command ``facegate calibrate``."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import click

from gateway.cli.files import OutputFile, check_outside, note_replacement, write_named
from gateway.cli.operations import errors_as_messages, operations, settings_or_exit
from gateway.cli.options import CONFIG_OPTION, JSON_OPTION
from gateway.cli.output import count, print_table
from gateway.cli.store import find_settings
from gateway.contract.base import Document
from gateway.files.ownership import become_owner


@click.command(short_help="Measure how well your people can be told apart.")
@CONFIG_OPTION
@JSON_OPTION
@click.option("--plot", type=OutputFile(), help="Write a diagram to this file (PNG).")
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Measure the configured recogniser with the pictures in this folder: one folder for each person.",
)
@click.option("--write", "writes", is_flag=True, help="With --pictures: store the curves, which the gateway then uses.")
def calibrate(config: Path | None, as_json: bool, plot: Path | None, pictures: Path | None, writes: bool) -> None:
    """Measure how well the enrolled people can be told apart, by their own pictures.

    With --pictures: measure the curves of your own recogniser (setting recogniser) with labelled pictures.
    """
    if pictures is not None:
        if as_json or plot:
            raise click.UsageError("--pictures cannot be combined with --json or --plot")
        _calibrate_recogniser(config, pictures, writes=writes)
        return
    if writes:
        raise click.UsageError("--write needs --pictures FOLDER: the pictures to measure")
    with settings_or_exit(config) as settings:
        if plot:
            check_outside(plot, settings.data)
        with operations(settings, with_worker=False) as run:
            found = dict(run("calibrate", plot=plot is not None))
        if plot:
            _write_plot(plot, base64.b64decode(found.pop("plot")), on_stderr=as_json)
    if as_json:
        click.echo(json.dumps(found))
    else:
        _print_calibration(found)


def _calibrate_recogniser(config: Path | None, pictures: Path, *, writes: bool) -> None:
    from gateway.cli.calibrate_recogniser import calibrate_recogniser

    with errors_as_messages():
        settings = find_settings(config)
        become_owner(settings.data)
        calibrate_recogniser(settings, pictures, writes=writes)


def _write_plot(file: Path, png: bytes, *, on_stderr: bool) -> None:
    replacement = note_replacement(file)
    write_named(file, png)
    click.echo(f"{file}: {len(png):,} bytes{replacement}", err=on_stderr)


def _print_calibration(found: Document) -> None:
    if found["curve"]:
        rows = [(f"{1 / row['rate']:,.0f}", f"{row['score']:.3f}") for row in found["curve"]]
        print_table(("one comparison of different people in", "scores at least"), rows)
    people, pictures = count(found["people"], "person", "people"), count(found["pictures"], "picture")
    click.echo(f"{people}, {pictures}; a face is named from a score of {found['threshold']}")
    click.echo(found["strangers"]["text"])
    if found["closest"]:
        one, other = found["closest"]["people"]
        doubt = ": are they the same person?" if found["closest"]["one_person"] else ""
        click.echo(f"the most similar people are {one} and {other}, with a score of {found['closest']['score']}{doubt}")
    click.echo(found["refused"] or f"proposed: decision.fixed_identification: {found['proposed_threshold']}")
