"""The command ``facegate calibrate``."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import click

from gateway.cli.files import OutputFile, check_outside, note_replacement, write_named
from gateway.cli.operations import operations, settings_or_exit
from gateway.cli.options import CONFIG_OPTION, JSON_OPTION
from gateway.cli.output import count, print_table
from gateway.contract.base import Document


@click.command(short_help="Measure how well your people can be told apart.")
@CONFIG_OPTION
@JSON_OPTION
@click.option("--plot", type=OutputFile(), help="Write a diagram to this file (PNG).")
def calibrate(config: Path | None, as_json: bool, plot: Path | None) -> None:
    """Measure how well the enrolled people can be told apart, by their own pictures."""
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
    if found["closest"]:
        one, other = found["closest"]["people"]
        doubt = ": are they the same person?" if found["closest"]["one_person"] else ""
        click.echo(f"the most similar people are {one} and {other}, with a score of {found['closest']['score']}{doubt}")
    click.echo(found["refused"] or f"proposed: decision.fixed_identification: {found['proposed_threshold']}")
