"""A mosquitto with the files of config/mosquitto: logins, ACL, and TLS with a certificate as the manual makes it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from paho.mqtt.enums import MQTTProtocolVersion

from gateway.config import Settings, load
from tests.e2e.deployments import small_settings
from tests.support import ROOT, Broker, Client, broker_running, free_port

FILES = ROOT / "config" / "mosquitto"
MANUAL = ROOT / "docs" / "how-to" / "logins-and-tls.md"

USERS = load(FILES / "gateway.yaml").mqtt.users
"""The logins of the shipped files that have a role."""


@dataclass(frozen=True)
class SecureBroker:
    """A running broker. The password of each login is the login."""

    broker: Broker
    ca: Path

    def connect(self, login: str, protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311) -> Client:
        return Client(self.broker.port, protocol, (login, login), self.ca)

    def settings(self, data: Path, **changes: object) -> Settings:
        """Return the shipped settings of a gateway for this broker, with the ports and files of the test."""
        shipped = load(FILES / "gateway.yaml").mqtt.model_dump(mode="json")
        tls = {**shipped["tls"], "ca": str(self.ca)}
        own = {"port": self.broker.port, "password": shipped["user"], "tls": tls, "trust_broker": False}
        return small_settings(data, self.broker, mqtt={**shipped, **own, **changes})


class Logins(dict[str, Client]):
    """A client for each login, connected when a test first uses it."""

    def __init__(self, broker: SecureBroker) -> None:
        super().__init__()
        self._broker = broker

    def __missing__(self, name: str) -> Client:
        self[name] = client = self._broker.connect(name)
        return client


def make_certificate(folder: Path) -> None:
    """Run the commands of the manual that make an authority and a certificate."""
    (commands,) = re.findall(r"```sh\n(openssl .*?)```", MANUAL.read_text(), re.DOTALL)
    subprocess.run(["sh", "-e", "-c", commands], cwd=folder, check=True, capture_output=True)


@contextmanager
def secure_broker_running(
    folder: Path, logins: Sequence[str], more_rules: str = "", more_settings: str = ""
) -> Iterator[SecureBroker]:
    """Run the broker. ``logins``: besides those of the files. ``more_rules``: lines for the end of the ACL.

    ``more_settings``: lines for the end of the configuration.
    """
    port = free_port()
    make_certificate(folder)
    passwords, acl = folder / "facegate.passwd", folder / "facegate.acl"
    passwords.touch(mode=0o600)
    for login in ("facegate", *USERS, *logins):
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), login, login], check=True)
    acl.write_text((FILES / "acl").read_text() + more_rules)
    conf = (FILES / "facegate.conf").read_text()
    conf = conf.replace("/etc/mosquitto/certs", str(folder)).replace("/etc/mosquitto", str(folder))
    conf = conf.replace("listener 8883", f"user root\nlistener {port} 127.0.0.1")
    with broker_running(folder, port, f"\n{conf}\n{more_settings}") as broker:
        yield SecureBroker(broker, folder / "ca.pem")
