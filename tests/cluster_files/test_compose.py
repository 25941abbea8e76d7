"""The compose file of a small site, its secrets, its broker, and the settings of its replicas.

No container engine is needed here: docs/how-to/run-several-gateways.md says that the file was not run with one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from paho.mqtt import MQTTException
from paho.mqtt.publish import single

from tests.cluster_files.examples import FOLDER, load_settings, secret_text
from tests.support import MOSQUITTO, ROOT, accepts, free_port, wait_for

COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
REPLICAS = [name for name in SERVICES if name.startswith("replica")]
HASHED = (
    "$7$101$ftvRnhZhVhNbEsDO$FpHb4GkXg2eQEQs3Hk1sRq1mBQ6cR1x2Jq0bHqgLhVbE2zZbXkJ2yOqQJ2C0mE7WpY6cYf5LkF6w4rW2c0w0Aw=="
)
"""The hash of a password that nobody knows, as mosquitto_passwd writes it."""

SINGLE = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["facegate"]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The folder with the secrets that the script makes."""
    shutil.copy(FOLDER / "make_secrets.sh", tmp_path)
    make_secrets(tmp_path)
    return tmp_path / "secrets"


def make_secrets(folder: Path) -> None:
    subprocess.run(["sh", folder / "make_secrets.sh"], check=True, capture_output=True)


def test_replicas_differ_only_in_their_place() -> None:
    assert len(REPLICAS) == 3
    for name in REPLICAS:
        address = SERVICES[name]["networks"]["site"]["ipv4_address"]
        own = json.dumps(SERVICES[name]).replace(name, "replica1").replace(address, "172.28.77.11")
        assert json.loads(own) == SERVICES["replica1"]
    assert len({SERVICES[name]["networks"]["site"]["ipv4_address"] for name in REPLICAS}) == 3
    assert set(REPLICAS) <= COMPOSE["volumes"].keys()


def test_replica_is_as_closed_as_a_single_gateway_in_a_container() -> None:
    for setting in ("image", "read_only", "tmpfs", "cap_drop", "security_opt", "stop_grace_period", "restart"):
        assert SERVICES["replica1"][setting] == SINGLE[setting], setting
    assert SERVICES["replica1"]["build"] == {"context": "../..", "dockerfile": SINGLE["build"]["dockerfile"]}


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_limited_and_gets_no_new_privileges(service: str) -> None:
    described = SERVICES[service]
    assert described.keys() >= {"mem_limit", "cpus", "pids_limit", "restart"}
    assert described["security_opt"] == ["no-new-privileges:true"]
    # The official image of PostgreSQL starts as root, gives its volume to its user, and becomes that user.
    if service != "postgres":
        assert described["read_only"] is True
        assert described["cap_drop"] == ["ALL"]
    assert not described["image"].endswith(":latest")


def test_ports_are_published_to_this_machine_only_unless_a_variable_says_otherwise() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 2
    assert all(re.match(r"\$\{[A-Z]+_ADDRESS:-127\.0\.0\.1\}:\d+:\d+$", port) for port in published)


def test_no_secret_stands_in_the_file_or_in_a_variable() -> None:
    variables = {name for service in SERVICES.values() for name in service.get("environment", {})}
    assert not {name for name in variables if re.search("PASSWORD$|__KEY$|STORE$", name)}


def test_secrets_are_the_files_that_the_script_makes(secrets: Path) -> None:
    named = {Path(each["file"]).name for each in COMPOSE["secrets"].values()}
    assert named == {path.name for path in secrets.iterdir()}
    used = [each for service in SERVICES.values() for each in service.get("secrets", [])]
    assert {each if isinstance(each, str) else each["source"] for each in used} == COMPOSE["secrets"].keys()
    # Other users of the machine cannot enter the folder. The users of the containers read the single files.
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()} == {0o444}
    assert (FOLDER / "secrets").relative_to(ROOT).as_posix() + "/" in (ROOT / ".gitignore").read_text().splitlines()


def test_folder_of_secrets_is_closed_to_others_if_it_was_open(secrets: Path) -> None:
    secrets.chmod(0o755)
    for path in secrets.iterdir():
        path.chmod(0o666)
    make_secrets(secrets.parent)
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()} == {0o444}


def test_secrets_that_are_there_stay(secrets: Path) -> None:
    before = {path: path.read_bytes() for path in secrets.iterdir()}
    make_secrets(secrets.parent)
    assert {path: path.read_bytes() for path in secrets.iterdir()} == before


def test_files_that_are_mounted_exist() -> None:
    mounted = [text.split(":")[0] for service in SERVICES.values() for text in service.get("volumes", [])]
    files = [FOLDER / path for path in mounted if path.startswith(".")]
    assert len(files) >= 7
    assert all(path.exists() for path in files)
    assert {path for path in mounted if not path.startswith(".")} == COMPOSE["volumes"].keys()


def test_balancer_knows_each_replica_of_its_configuration() -> None:
    hosts = dict(text.split(":") for text in SERVICES["balancer"]["extra_hosts"])
    assert list(hosts.values()) == [SERVICES[name]["networks"]["site"]["ipv4_address"] for name in REPLICAS]
    assert set(re.findall(r"server ([\w.]+):5001", (FOLDER / "nginx.conf").read_text())) == hosts.keys()


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_broker_lets_replicas_in_and_nobody_without_a_login(tmp_path: Path, secrets: Path) -> None:
    port = free_port()
    (tmp_path / "limits").mkdir()
    shutil.copy(ROOT / "config" / "mosquitto.conf", tmp_path / "limits")
    shutil.copy(ROOT / "config" / "mosquitto" / "acl", tmp_path / "acl.default")
    # Started by root, mosquitto would become another user, who may not write into the folder of the test.
    conf = (ROOT / "config" / "container" / "mosquitto" / "logins.conf").read_text()
    conf = conf.replace("listener 1883", f"user root\nlistener {port} 127.0.0.1")
    script = (FOLDER / "start_broker.sh").read_text()
    places = {
        "/mosquitto/data": str(tmp_path / "data"),
        "/mosquitto/limits": str(tmp_path / "limits"),
        "/mosquitto/config": str(tmp_path),
        "/mosquitto/acl": str(tmp_path / "acl.default"),
        "/run/secrets": str(secrets),
        "exec mosquitto": f"exec {MOSQUITTO}",
    }
    for place, path in places.items():
        conf, script = conf.replace(place, path), script.replace(place, path)
    (tmp_path / "logins.conf").write_text(conf)
    (tmp_path / "data").mkdir()
    passwords = tmp_path / "data" / "passwords"
    passwords.write_text(f"facegate:{HASHED}\nporch:{HASHED}\n")
    arguments = tmp_path / "arguments"
    (tmp_path / "programs").mkdir()
    # Notes its arguments, which every user of the machine could read, and does the work.
    noting = tmp_path / "programs" / "mosquitto_passwd"
    noting.write_text(f'#!/bin/sh\necho "$@" >>{arguments}\nexec {shutil.which("mosquitto_passwd")} "$@"\n')
    noting.chmod(0o755)
    path = f"{noting.parent}:{os.environ['PATH']}"
    password = (secrets / "FACEGATE_MQTT__PASSWORD").read_text().strip()
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(["sh", "-c", script], stdout=log, stderr=log, env={**os.environ, "PATH": path}) as process,
    ):
        try:
            wait_for(lambda: process.poll() is not None or accepts(port))
            assert process.poll() is None, (tmp_path / "log").read_text()
            single(
                "facegate/bridge/state",
                b"online",
                hostname="127.0.0.1",
                port=port,
                auth={"username": "facegate", "password": password},
            )
            with pytest.raises(MQTTException, match="Not authorized"):
                single("facegate/porch/frame", b"frame", hostname="127.0.0.1", port=port)
            assert arguments.read_text()
            assert password not in arguments.read_text()
            # The logins of cameras stay.
            facegate, porch = passwords.read_text().splitlines()
            assert facegate.startswith("facegate:$")
            assert porch == f"porch:{HASHED}"
        finally:
            process.terminate()


def variables_of(replica: str, secrets: Path) -> dict[str, str]:
    """Return the variables of a replica, with the defaults of the file, and with the secrets of the test."""
    variables = {
        name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", text) for name, text in SERVICES[replica]["environment"].items()
    }
    image = {"FACEGATE_DATA": "/data", "FACEGATE_REST__HOST": "0.0.0.0", "FACEGATE_REST__ANONYMOUS": '{"from": []}'}  # noqa: S104
    return {**image, **variables, "FACEGATE_SECRETS": str(secrets)}


@pytest.mark.parametrize("replica", REPLICAS)
def test_replica_has_its_settings(replica: str, secrets: Path) -> None:
    settings = load_settings(variables_of(replica, secrets))
    assert settings.cluster.name == "site"
    assert settings.cluster.address == f"http://{replica}:5001"
    assert settings.mqtt.protocol == "5"
    assert settings.mqtt.host in SERVICES
    assert secret_text(settings.mqtt.password) == (secrets / "FACEGATE_MQTT__PASSWORD").read_text().strip()
    assert settings.people.key is not None
    password = (secrets / "store_password").read_text().strip()
    assert secret_text(settings.people.store) == f"postgresql://facegate:{password}@postgres/facegate?sslmode=disable"
    assert [str(each) for each in settings.rest.proxies] == [
        f"{SERVICES['balancer']['networks']['site']['ipv4_address']}/32"
    ]
