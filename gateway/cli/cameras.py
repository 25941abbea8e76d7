"""The group of commands ``facegate cameras``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gateway.cli.operations import all_pages, operations_or_exit
from gateway.cli.options import CONFIG_OPTION, JSON_OPTION
from gateway.contract.base import Document

_ALL = "all cameras"


@click.command("list")
@CONFIG_OPTION
@JSON_OPTION
def list_cameras(config: Path | None, as_json: bool) -> None:
    """List all cameras that are known, and their switches."""
    with operations_or_exit(config) as run:
        pages = list(all_pages(run, "cameras/list"))
    switches = {each["camera"]: each["enabled"] for page in pages for each in page["cameras"]}
    enabled = pages[-1]["enabled"]
    if as_json:
        cameras = [{"camera": name, "enabled": on} for name, on in switches.items()]
        click.echo(json.dumps({"enabled": enabled, "cameras": cameras}))
        return
    if not enabled:
        click.echo(f"{_ALL}: off")
    for name, on in switches.items():
        click.echo(f"{name}: {'on' if on else 'off'}")
    if not switches:
        click.echo("no camera is known yet")


@click.command("enable")
@CONFIG_OPTION
@click.argument("camera", required=False)
def enable(config: Path | None, camera: str | None) -> None:
    """Switch recognition on for a camera. Without CAMERA: the switch for all cameras."""
    with operations_or_exit(config) as run:
        done = run("cameras/enable", camera=camera)
    _print_switch(done, f"recognition is switched on for {camera or _ALL}")


@click.command("disable")
@CONFIG_OPTION
@click.argument("camera", required=False)
def disable(config: Path | None, camera: str | None) -> None:
    """Switch recognition off for a camera: nothing of it is decoded. Without CAMERA: the switch for all cameras."""
    with operations_or_exit(config) as run:
        done = run("cameras/disable", camera=camera)
    _print_switch(done, f"recognition is switched off for {camera or _ALL}")


@click.command("forget")
@CONFIG_OPTION
@click.argument("camera")
def forget(config: Path | None, camera: str) -> None:
    """Forget a camera that exists no more, with its switch and its sightings."""
    with operations_or_exit(config) as run:
        run("cameras/forget", camera=camera)
        click.echo(f"forgot the camera {camera}")


def _print_switch(done: Document, line: str) -> None:
    """Print the warnings about a switch, or the line if there are none."""
    for each in done.get("warnings") or [line]:
        click.echo(each)


cameras = click.Group(
    "cameras",
    commands=[list_cameras, enable, disable, forget],
    help="Live cameras: switch recognition on or off, forget a camera.",
)
