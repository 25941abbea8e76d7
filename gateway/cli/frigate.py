"""The group of commands ``facegate frigate``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway.cli.error_line import print_error
from gateway.cli.options import CONFIG_OPTION
from gateway.config import Settings
from gateway.errors import GatewayError


@click.command("check", short_help="Try each Frigate server of the settings.")
@CONFIG_OPTION
def check(config: Path | None) -> None:
    """Try each Frigate server of the settings: version, login, role, snapshot, go2rtc. Nothing is changed there.

    The exit code is 0 if all works, and 1 if a line begins with "to do".
    """
    from gateway.cli.checks import check_settings
    from gateway.config.find import find_and_load

    try:
        found = find_and_load(config)
        check_settings(found.settings)
        if not found.settings.frigate:
            raise click.ClickException("no Frigate server is configured: add one to the section frigate")
        if not _check_all(found.settings):
            sys.exit(1)
    except GatewayError as error:
        print_error(error)
        sys.exit(error.exit_code)


def _check_all(settings: Settings) -> bool:
    """Print the findings about each server, and return whether no person has to act."""
    from gateway.integrations.frigate.checkup import check_server
    from gateway.integrations.frigate.server import FrigateServer
    from gateway.logs import escape

    good = True
    for name, each in settings.frigate.items():
        click.echo(f"frigate.{name} ({each.url})")
        for finding in check_server(FrigateServer(name, each, settings.limits.bytes), each):
            good &= finding.good
            click.echo(f"  {'ok' if finding.good else 'to do'}: {escape(finding.text)}")
    return good


frigate = click.Group(
    "frigate", commands=[check], help="Frigate servers: check.", short_help="Frigate servers: try their connection."
)
