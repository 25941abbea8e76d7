"""The commands ``facegate people split`` and ``feature``, which change whom a picture shows and which one is shown."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.operations import operations_or_exit
from gateway.cli.options import CONFIG_OPTION
from gateway.cli.output import count


@click.command("split")
@CONFIG_OPTION
@click.argument("person")
@click.argument("pictures", nargs=-1, required=True)
@click.option("--name", help="The name of the other person, who may be new.")
@click.option("--into", help="The id of the other person.")
def split(config: Path | None, person: str, pictures: tuple[str, ...], name: str | None, into: str | None) -> None:
    """Give pictures of a person, by their ids, to another person. People show prints the ids."""
    with operations_or_exit(config) as run:
        done = run("people/split", person=person, pictures=list(pictures), name=name, into=into)
        own = sum(not picture["counter"] for picture in done["pictures"])
        click.echo(f"{done['name']} ({done['person']}) now has {count(own, 'picture')}")


@click.command("feature")
@CONFIG_OPTION
@click.argument("person")
@click.argument("picture")
def feature(config: Path | None, person: str, picture: str) -> None:
    """Choose the picture, by its id, that is shown for a person."""
    with operations_or_exit(config) as run:
        run("people/feature", person=person, picture=picture)
        click.echo(f"the picture {picture} is shown for {person} from now on")
