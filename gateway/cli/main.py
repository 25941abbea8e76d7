"""The command ``facegate``, with ``run`` and ``check-config``. Other commands are loaded when they are used."""

from __future__ import annotations

import importlib
import logging
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import click
from click.shell_completion import CompletionItem

from gateway import __version__
from gateway.allocator import give_back_large_blocks, share_one_arena
from gateway.cli.error_line import print_error
from gateway.cli.options import CONFIG_OPTION
from gateway.confinement.limits import hide_memory
from gateway.errors import GatewayError

log = logging.getLogger(__name__)

# Commands import the rest of the gateway when they run. That takes a second, in which a signal should already end the
# process in order.


class LazyCommand(NamedTuple):
    """The module that defines a command, and the command's line in the list of commands."""

    module: str
    short_help: str


LAZY_COMMANDS: Mapping[str, LazyCommand] = {
    "acl": LazyCommand("gateway.cli.acl", "Print the ACL for the broker."),
    "audit": LazyCommand("gateway.cli.audit", "The audit: check that nobody changed it."),
    "asyncapi": LazyCommand("gateway.cli.describe", "Print the description of the MQTT interface (AsyncAPI 3)."),
    "backup": LazyCommand("gateway.cli.backups", "Copy the people store into a file."),
    "benchmark": LazyCommand("gateway.cli.benchmark", "Measure how many pictures a second this machine analyses."),
    "cameras": LazyCommand("gateway.cli.cameras", "Live cameras: switch recognition on or off, forget a camera."),
    "calibrate": LazyCommand("gateway.cli.calibrate", "Measure how well your people can be told apart."),
    "cluster": LazyCommand("gateway.cli.cluster", "Print the replicas of a cluster, and who owns which camera."),
    "completion": LazyCommand("gateway.cli.completion", "Print a script that lets a shell complete commands."),
    "doctor": LazyCommand("gateway.cli.doctor", "Find out what is open, wrong or about to break."),
    "frigate": LazyCommand("gateway.cli.frigate", "Frigate servers: try their connection."),
    "home-assistant-app": LazyCommand("gateway.cli.home_assistant_app", "Run the gateway as an app of Home Assistant."),
    "key": LazyCommand("gateway.cli.key", "The key that encrypts the people store: make one, rotate it."),
    "openapi": LazyCommand("gateway.cli.describe", "Print the description of the REST interface (OpenAPI 3.1)."),
    "match": LazyCommand("gateway.cli.match", "Print whether two pictures show the same person."),
    "people": LazyCommand("gateway.cli.people", "Enrolled people: add, list, rename, erase, and more."),
    "recognise": LazyCommand("gateway.cli.recognise", "Print who is in pictures."),
    "restore": LazyCommand("gateway.cli.backups", "Replace the people store by a backup."),
    "sightings": LazyCommand("gateway.cli.sightings", "Sightings of live cameras: list, show, confirm, correct."),
    "store": LazyCommand("gateway.cli.store_copy", "The people store: copy it into PostgreSQL, or back."),
    "tokens": LazyCommand("gateway.cli.tokens", "Tokens for the REST interface: add, list, revoke, rotate."),
    "tls": LazyCommand("gateway.cli.tls", "Certificates for REST: make one."),
    "unknowns": LazyCommand("gateway.cli.unknowns", "Faces that belong to no enrolled person: name, ignore, join."),
    "watch": LazyCommand("gateway.cli.watch", "Print who comes and leaves, as any gateway announces it."),
}
"""The commands of other modules. Each module has a variable with the name of the command."""


class LazyGroup(click.Group):
    """A group of commands that imports the modules of LAZY_COMMANDS only for the command that is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *LAZY_COMMANDS])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ImportError, LookupError):
            # Python loads some of its own modules late. A process of root that became another user may not read them.
            _check_python()
            raise

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if lazy := LAZY_COMMANDS.get(cmd_name):
            command = getattr(importlib.import_module(lazy.module), cmd_name.replace("-", "_"))
            assert isinstance(command, click.Command)
            return command
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self._short_helps().items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [(name, text) for name, text in sorted(self._short_helps().items()) if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=text) for name, text in found), *options]

    def _short_helps(self) -> dict[str, str]:
        """Return the line of each command, without an import of the commands."""
        own = {name: command.get_short_help_str() for name, command in self.commands.items()}
        return own | {name: command.short_help for name, command in LAZY_COMMANDS.items()}


@click.group(cls=LazyGroup, help="Facegate: face recognition for cameras on MQTT, with a REST interface.")
@click.version_option(__version__, prog_name="facegate")
def main() -> None:
    # Every command may read the key and the passwords. A worker process must not read them in this one's memory.
    hide_memory()


@main.command(short_help="Run the gateway until SIGTERM or Ctrl-C.")
@CONFIG_OPTION
def run(config: Path | None) -> None:
    """Run the gateway until SIGTERM or Ctrl-C. The exit code is then 0.

    If the gateway cannot start or continue, it prints the reason in one sentence. The exit code is 78 if a person must
    act, and 75 or 70 if another attempt may succeed (sysexits.h).
    """
    signal.signal(signal.SIGTERM, _exit_on_signal)
    signal.signal(signal.SIGINT, _exit_on_signal)
    share_one_arena()
    give_back_large_blocks()
    from gateway.app import running
    from gateway.cli.checks import check_settings
    from gateway.config.find import find_and_load
    from gateway.files.ownership import become_owner
    from gateway.logs import configure

    try:
        found = find_and_load(config)
        configure(found.settings.log_level, found.settings.log_format)
        # The configuration was read before: only root may be able to read it. All other files belong to the owner.
        become_owner(found.settings.data)
        check_settings(found.settings)
        log.info("configuration: %s", found.source)
        with running(found.settings) as gateway:
            gateway.run()
    except GatewayError as error:
        _exit_with(error)


@main.command("check-config", short_help="Check the settings, and print them.")
@CONFIG_OPTION
def check_config(config: Path | None) -> None:
    """Print the settings in effect, with secrets hidden. An invalid setting is reported with its path."""
    import yaml

    from gateway.cli.checks import check_settings
    from gateway.config.find import find_and_load
    from gateway.files.closed_folders import is_folder
    from gateway.files.ownership import become_owner, is_root

    try:
        found = find_and_load(config)
        if is_root() and is_folder(found.settings.data):
            # As ``run`` does: root may read a key or a certificate that the owner of the data folder may not.
            become_owner(found.settings.data)
        check_settings(found.settings)
    except GatewayError as error:
        _exit_with(error)
    click.echo(f"facegate: configuration: {found.source}", err=True)
    settings = found.settings
    click.echo(yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True), nl=False)


def _check_python() -> None:
    """End the command with a message if this process may not read its own Python any more."""
    from gateway.files.ownership import check_python

    try:
        check_python()
    except GatewayError as error:
        _exit_with(error)


def _exit_on_signal(_signal: int, _frame: object) -> None:
    """Unwind the main thread, wherever it is."""
    # A second signal must not interrupt the code that stops the parts.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(0)


def _exit_with(error: GatewayError) -> NoReturn:
    print_error(error)
    sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
