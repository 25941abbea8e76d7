"""The command ``facegate doctor``."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from gateway.cli.checks import check_settings
from gateway.cli.checkup.broker import check_broker
from gateway.cli.checkup.cluster import check_cluster
from gateway.cli.checkup.commands import add_config
from gateway.cli.checkup.files import check_files_of_others
from gateway.cli.checkup.finding import Finding, from_error
from gateway.cli.checkup.frigate import check_frigate
from gateway.cli.checkup.logins import check_logins
from gateway.cli.checkup.machine import check_machine
from gateway.cli.checkup.people_store import check_store
from gateway.cli.checkup.rest import check_rest_settings, check_running_gateway
from gateway.cli.files import read_named
from gateway.cli.operations import errors_as_messages
from gateway.cli.options import CONFIG_OPTION
from gateway.config import Settings
from gateway.config.find import find_and_load
from gateway.errors import BadRequest, GatewayError
from gateway.files.ownership import become_owner
from gateway.logs import escape

DOCUMENT_VERSION = 1

MARKS = {"ok": "ok", "advice": "advice", "to_do": "to do"}
"""By the state of a finding, the beginning of its line."""


@click.command(short_help="Find out what is open, wrong or about to break.")
@CONFIG_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for other programs.")
@click.option(
    "--token-file",
    "token_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with a token, with which a running gateway is asked. May be repeated.",
)
@click.option(
    "--login-file",
    "login_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with LOGIN:PASSWORD of a camera or user at the broker, to try it. May be repeated.",
)
def doctor(config: Path | None, as_json: bool, token_files: tuple[Path, ...], login_files: tuple[Path, ...]) -> None:
    """Check settings, files, people store, REST, broker and machine, and say what to do.

    It works whether a gateway and a broker are running or not. The exit code is 1 if a line begins with "to do".
    """
    with errors_as_messages():
        tokens = [(str(file), _read_token(file)) for file in token_files]
        logins = [_split_login(file) for file in login_files]
    with _no_log():
        found = (add_config(each, config) for each in check_gateway(config, tokens, logins))
        findings = list(_printed(found, quiet=as_json))
    if as_json:
        click.echo(json.dumps(_document(findings)))
    sys.exit(1 if any(each.state == "to_do" for each in findings) else 0)


@contextmanager
def _no_log() -> Iterator[None]:
    """Switch the log off: each problem is printed once, as a finding."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _printed(findings: Iterable[Finding], *, quiet: bool) -> Iterator[Finding]:
    """Print each finding as soon as it is known, unless ``quiet``, and yield it."""
    for finding in findings:
        if not quiet:
            click.echo(_line(finding))
        yield finding


def _read_secret(file: Path) -> str:
    return read_named(file).decode("utf-8", "replace").strip()


def _read_token(file: Path) -> str:
    token = _read_secret(file)
    if not token.isascii() or not token.isprintable() or not token:
        raise BadRequest(f"{file} cannot be used: it needs one line with a token, as `facegate tokens add` prints it")
    return token


def _split_login(file: Path) -> tuple[str, str]:
    login, colon, password = _read_secret(file).partition(":")
    if not colon:
        raise BadRequest(f"{file} cannot be used: it needs one line with LOGIN:PASSWORD")
    return login, password


def check_gateway(
    config: Path | None, tokens: Sequence[tuple[str, str]], logins: Sequence[tuple[str, str]]
) -> Iterator[Finding]:
    """Check everything. ``tokens``: names, each with a token. ``logins``: at the broker, each with its password."""
    try:
        found = find_and_load(config)
    except GatewayError as error:
        yield from_error("settings", error)
        return
    settings = found.settings
    yield from _check_settings(settings, found.source)
    yield from check_files_of_others(settings, found.path)
    yield from check_machine(settings.data)
    yield from check_store(settings)
    yield from check_rest_settings(settings.rest)
    yield from check_cluster(settings)
    yield from check_running_gateway(settings.rest, tokens, is_replica=settings.cluster.name is not None)
    yield from check_broker(settings)
    yield from check_logins(settings.mqtt, logins)
    yield from check_frigate(settings)


def _check_settings(settings: Settings, source: str) -> Iterator[Finding]:
    try:
        become_owner(settings.data)
        check_settings(settings)
    except GatewayError as error:
        yield from_error("settings", error)
    else:
        yield Finding("settings", "ok", f"the configuration is valid: {source}")
    if not settings.workers.confined:
        text = "workers.confined is false: a picture that takes over a decoder could read the people store; remove it"
        yield Finding("workers", "to_do", text, "facegate check-config")


def _line(finding: Finding) -> str:
    line = f"{MARKS[finding.state]}: {finding.about}: {escape(finding.text)}"
    return line if finding.command is None or finding.state == "ok" else f"{line}\n    {escape(finding.command)}"


def _document(findings: Sequence[Finding]) -> dict[str, object]:
    return {
        "schema": DOCUMENT_VERSION,
        "good": all(each.state != "to_do" for each in findings),
        "findings": [
            {"about": each.about, "state": each.state, "text": each.text, "command": each.command} for each in findings
        ],
    }
