"""The command ``facegate acl``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from gateway.cli.acl_formats import FORMATS
from gateway.cli.acl_rules import AclRules, RuleGroup
from gateway.cli.operations import errors_as_messages
from gateway.cli.options import CONFIG_OPTION
from gateway.config import Settings
from gateway.config.find import find_and_load
from gateway.errors import ConfigError
from gateway.model.caller import LEVELS, Role
from gateway.model.requests import LOGIN_RULE, find_login_fault, is_user_login


@click.command("acl", short_help="Print the ACL for the broker.")
@CONFIG_OPTION
@click.option("--user", help="Print the rules of this login only.")
@click.option("--role", type=click.Choice(LEVELS), help="The role of --user, if mqtt.users has none.")
@click.option(
    "--broker", type=click.Choice(list(FORMATS)), default="mosquitto", help="The broker to print for (mosquitto)."
)
def acl(config: Path | None, user: str | None, role: Role | None, broker: str) -> None:
    """Print the access control list (ACL) for the broker, from the settings.

    It has the topics of cameras, of the gateway, and of each login in mqtt.users.
    """
    with errors_as_messages():
        settings = find_and_load(config).settings
        if fault := find_login_fault(settings.mqtt.user or ""):
            raise ConfigError(f"mqtt.user: {fault}: give the gateway another login.")
    for line in FORMATS[broker](_choose_groups(settings, user, role)):
        click.echo(line)


def _choose_groups(settings: Settings, user: str | None, role: Role | None) -> Sequence[RuleGroup]:
    rules = AclRules(settings)
    if user is None:
        if role is not None:
            raise click.UsageError("--role needs --user: name the login")
        return rules.all()
    if not is_user_login(user):
        raise click.UsageError(f"--user: {user[:80]!r} is not the login of a user: {LOGIN_RULE}")
    configured = settings.mqtt.users.get(user)
    wanted = role or configured
    if wanted is None:
        raise click.UsageError(f"{user} is not in mqtt.users: add it there, or give --role")
    if wanted != configured:
        click.echo(f"facegate: add the login to the settings: mqtt: {{users: {{{user}: {wanted}}}}}", err=True)
    return [rules.user(user, wanted)]
