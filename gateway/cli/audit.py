"""The group of commands ``facegate audit``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from gateway.cli.operations import settings_or_exit
from gateway.cli.options import CONFIG_OPTION, JSON_OPTION
from gateway.cli.output import count
from gateway.people.wiring import open_for_command
from gateway.store.audit_records import AuditCheck, AuditHead, parse_head


def _parse_heads(_ctx: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> tuple[AuditHead, ...]:
    try:
        return tuple(map(parse_head, texts))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("verify", short_help="Check that nobody changed the audit.")
@CONFIG_OPTION
@JSON_OPTION
@click.option(
    "--head",
    "heads",
    multiple=True,
    callback=_parse_heads,
    metavar="LINE:CODE",
    help="An end of the audit that the log or the health document once reported. May be repeated.",
)
def verify(config: Path | None, as_json: bool, heads: tuple[AuditHead, ...]) -> None:
    """Check that no line of the audit was changed, removed or inserted. The exit code is 1 if one was.

    Somebody who can read the key of the audit could write the whole audit again. So also check with --head that the
    audit still contains the ends that the gateway reported elsewhere.
    """
    with settings_or_exit(config) as settings, open_for_command(settings) as opened:
        found = opened.store.audit.check(heads)
    click.echo(json.dumps(_document(found)) if as_json else _text(found))
    for problem in found.problems if not as_json else ():
        click.echo(problem, err=True)
    sys.exit(1 if found.problems else 0)


def _document(found: AuditCheck) -> dict[str, object]:
    head = found.head.text() if found.head else None
    return {"lines": found.lines, "head": head, "intact": not found.problems, "problems": list(found.problems)}


def _text(found: AuditCheck) -> str:
    end = f", up to {found.head.text()}" if found.head else ""
    result = count(len(found.problems), "problem") if found.problems else "nothing was changed"
    return f"{count(found.lines, 'line')}{end}: {result}"


audit = click.Group(
    "audit",
    commands=[verify],
    help="The audit: check that nobody changed it. `facegate people audit` prints it.",
    short_help="The audit: check that nobody changed it.",
)
