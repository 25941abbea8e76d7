"""The unit of systemd for several replicas on one machine, and the settings that they share."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.config import Settings
from tests.cluster_files.examples import FOLDER, load_settings, secret_text
from tests.support import ROOT

TEMPLATE = FOLDER / "facegate@.service"
SINGLE = (ROOT / "config" / "facegate.service").read_text()
STORE = "postgresql://facegate:secret@db.example.org/facegate"


def lines_of(unit: str) -> list[str]:
    return [line for line in unit.splitlines() if line and not line.startswith("#")]


def test_template_is_the_unit_of_a_single_gateway_with_the_place_of_a_replica() -> None:
    own, single = lines_of(TEMPLATE.read_text()), lines_of(SINGLE)
    assert [line for line in own if line not in single] == [
        "Description=Facegate: face recognition for cameras on MQTT, replica %i",
        "After=network-online.target mosquitto.service postgresql.service",
        "EnvironmentFile=-/etc/facegate/replica-%i",
        "Environment=FACEGATE_DATA=/var/lib/facegate-%i",
        "Environment=FACEGATE_REST__PORT=500%i",
        "Environment=FACEGATE_CLUSTER__ADDRESS=http://%H:500%i",
        "MemoryMax=25%",
        "StateDirectory=facegate-%i",
    ]
    assert [line.split("=")[0] for line in single if line not in own] == [
        "Description",
        "After",
        "MemoryMax",
        "StateDirectory",
    ]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_template(tmp_path: Path) -> None:
    # The program is not installed in its final place here.
    unit = tmp_path / TEMPLATE.name
    unit.write_text(TEMPLATE.read_text().replace("ExecStart=/opt/facegate/.venv/bin/facegate", "ExecStart=/bin/true"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "facegate@2.service")], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def variables_of(replica: str) -> dict[str, str]:
    """Return the variables that systemd sets for a replica, with the specifiers replaced."""
    found = re.findall(r"^Environment=(\w+)=(.+)$", TEMPLATE.read_text(), re.MULTILINE)
    return {name: text.replace("%i", replica).replace("%H", "gate") for name, text in found}


def settings_of(replica: str, folder: Path) -> Settings:
    authority = folder / "ca.pem"
    authority.touch()
    config = folder / "gateway.yaml"
    config.write_text((FOLDER / "gateway.yaml").read_text().replace("/etc/facegate/ca.pem", str(authority)))
    return load_settings({**variables_of(replica), "FACEGATE_PEOPLE__STORE": STORE}, config)


def test_replicas_share_their_settings_and_differ_in_folder_port_and_address(tmp_path: Path) -> None:
    first, second = (settings_of(replica, tmp_path) for replica in "12")
    assert (str(first.data), first.rest.port, first.cluster.address) == (
        "/var/lib/facegate-1",
        5001,
        "http://gate:5001",
    )
    assert (str(second.data), second.rest.port, second.cluster.address) == (
        "/var/lib/facegate-2",
        5002,
        "http://gate:5002",
    )
    own = {"data": first.data, "rest": first.rest, "cluster": first.cluster}
    assert second.model_copy(update=own) == first


def test_settings_name_what_a_cluster_needs(tmp_path: Path) -> None:
    settings = settings_of("1", tmp_path)
    assert settings.cluster.name == "site"
    assert secret_text(settings.people.store) == STORE
    assert settings.mqtt.protocol == "5"
    assert settings.mqtt.tls.enabled
    # The load balancer asks from another machine, and everybody needs a token.
    assert settings.rest.anonymous is not None
    assert settings.rest.anonymous.networks == ()
    assert settings.rest.proxies
    assert settings.people.folder.is_absolute()
