"""The group of commands ``facegate tls``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gateway.cli.operations import errors_as_messages
from gateway.cli.options import CONFIG_OPTION
from gateway.config import Settings
from gateway.config.find import find_and_load
from gateway.files.ownership import become_owner, permission_hint
from gateway.rest.cross_site import machine_names
from gateway.rest.self_signed import CERT_FILE, MAX_DAYS, MadeCertificate, make_certificate

WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104  # these are compared, not bound


@click.command("make", short_help="Make a certificate for REST over HTTPS.")
@CONFIG_OPTION
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="A further name or address of this gateway.")
@click.option("--days", default=MAX_DAYS, show_default=True, type=click.IntRange(1, MAX_DAYS), help="Its life.")
@click.option("--replace", is_flag=True, help="Replace the certificate that this command made before.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def make(config: Path | None, hosts: tuple[str, ...], days: int, replace: bool, as_json: bool) -> None:
    """Make a key and a certificate that is signed with it, in the folder tls of the data folder.

    The certificate names localhost, this machine, rest.host, rest.hosts and each --host. Clients must be told to trust
    it: no authority has signed it.
    """
    with errors_as_messages():
        settings = find_and_load(config).settings
        become_owner(settings.data)
        folder = settings.data / "tls"
        if (folder / CERT_FILE).exists() and not replace:
            raise click.ClickException(f"there is a certificate already, {folder / CERT_FILE}: add --replace")
        try:
            settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = make_certificate(folder, _names(settings, hosts), days)
        except OSError as error:
            raise click.ClickException(f"{folder}: {error.strerror}{permission_hint(error)}") from None
    click.echo(json.dumps(_document(made)) if as_json else _describe(made))


def _names(settings: Settings, hosts: tuple[str, ...]) -> list[str]:
    own = [] if settings.rest.host in WILDCARDS else [settings.rest.host]
    return [*hosts, *settings.rest.hosts, *own, *machine_names(), "localhost", "127.0.0.1", "::1"]


def _document(made: MadeCertificate) -> dict[str, object]:
    return {
        "cert": str(made.cert.absolute()),
        "key": str(made.key.absolute()),
        "hosts": made.hosts,
        "expires": made.expires.isoformat(),
        "fingerprint": made.fingerprint,
    }


def _describe(made: MadeCertificate) -> str:
    return (
        f"The certificate is for {', '.join(made.hosts)}, until {made.expires.date()}.\n"
        f"SHA-256: {made.fingerprint}\n"
        "Add this to the configuration, and start the gateway again:\n\n"
        f"rest:\n  tls: {{cert: {made.cert.absolute()}, key: {made.key.absolute()}}}"
    )


tls = click.Group("tls", commands=[make], help="Certificates: make.", short_help="Certificates for REST: make one.")
