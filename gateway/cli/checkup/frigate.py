"""The checks of the Frigate servers of the settings."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.cli.checkup.finding import Finding
from gateway.config import Settings
from gateway.integrations.frigate.checkup import check_server
from gateway.integrations.frigate.server import FrigateServer


def check_frigate(settings: Settings) -> Iterator[Finding]:
    """Try each server as ``facegate frigate check`` does."""
    for name, each in settings.frigate.items():
        for finding in check_server(FrigateServer(name, each, settings.limits.bytes), each):
            text = f"{name}: {finding.text}"
            yield Finding(
                "Frigate", "ok" if finding.good else "to_do", text, None if finding.good else "facegate frigate check"
            )
