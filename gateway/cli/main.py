"""The command ``facegate``."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path

import click

from gateway import __version__
from gateway.allocator import give_back_large_blocks, share_one_arena
from gateway.cli.options import CONFIG
from gateway.errors import GatewayError

log = logging.getLogger(__name__)

# The rest is imported by the commands: it takes a second, in which a signal should already end us in order.

COMMANDS = ("backup", "calibrate", "people", "restore", "unknowns")


class _Commands(click.Group):
    """With the commands of gateway/cli/commands.py, which are loaded when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            from gateway.cli import commands

            return next(each for each in commands.COMMANDS if each.name == cmd_name)
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Commands, help="Facegate: face recognition for cameras on MQTT, with a REST sidecar.")
@click.version_option(__version__, prog_name="facegate")
def main() -> None: ...


@main.command()
@CONFIG
def run(config: Path | None) -> None:
    """Run the gateway until SIGTERM or Ctrl-C.

    It ends with 0 when told to. If it cannot start, or go on, it says why in one sentence and ends with 78 where a
    person has to mend something, with 75 or 70 where another try may help (sysexits.h).
    """
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    share_one_arena()
    give_back_large_blocks()
    from gateway.app import running
    from gateway.cli.checks import check_settings
    from gateway.config.find import find_and_load
    from gateway.files.ownership import become_owner
    from gateway.logs import configure

    try:
        found = find_and_load(config)
        configure(found.settings.log_level)
        # the configuration may be root's own, every other file is the owner's
        become_owner(found.settings.data)
        check_settings(found.settings)
        log.info("configuration: %s", found.source)
        with running(found.settings) as gateway:
            gateway.run()
    except GatewayError as error:
        _fail(error)


@main.command("check-config", short_help="Check the settings, and print them.")
@CONFIG
def check_config(config: Path | None) -> None:
    """Print the settings as they are in effect, secrets hidden; refuse what is wrong by its path."""
    import yaml

    from gateway.cli.checks import check_settings
    from gateway.config.find import find_and_load

    try:
        found = find_and_load(config)
        check_settings(found.settings)
    except GatewayError as error:
        _fail(error)
    click.echo(f"facegate: configuration: {found.source}", err=True)
    settings = found.settings
    click.echo(yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True), nl=False)


def _end(_signal: int, _frame: object) -> None:
    """Unwinds the main thread, wherever it is; what stops the parts must not be interrupted again."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(0)


def _fail(error: GatewayError) -> None:
    click.echo(f"facegate: {error}", err=True)
    sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
