"""The command ``facegate doctor``: with and without a gateway, a people store and a broker."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from gateway import __version__
from gateway.app import Gateway
from gateway.cli.checkup import machine
from gateway.cli.checkup.backups import check_backups
from gateway.cli.checkup.broker import check_broker, check_pace, find_missing_features
from gateway.cli.checkup.commands import add_config
from gateway.cli.checkup.files import check_files_of_others
from gateway.cli.checkup.finding import Finding
from gateway.cli.checkup.frigate import check_frigate
from gateway.cli.checkup.logins import check_logins
from gateway.cli.checkup.rest import check_rest_settings, check_running_gateway, is_public
from gateway.cli.checkup.work import check_work
from gateway.cli.main import main
from gateway.config import MqttSettings, RestSettings, Settings, find
from gateway.files.disks import is_on_another_disk
from gateway.model.caller import CLI_CALLER, Role
from gateway.mqtt.transport.broker_limits import BrokerLimits
from gateway.people.wiring import open_store_for_command
from gateway.rest.metrics_text import Sample
from gateway.store.tokens import Token, digest_of, make_secret
from tests.e2e.deployments import small_settings
from tests.e2e.secure_broker import secure_broker_running
from tests.store.examples import picture
from tests.support import MOSQUITTO, ROOT, Broker, free_port, wait_for

needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt has no ACL")


def to_do(findings: Iterable[Finding]) -> dict[str, str]:
    """Return the texts of the findings for which a person must act, by the part that they are about."""
    return {each.about: each.text for each in findings if each.state == "to_do"}


class Machine:
    """A configuration and a data folder. No gateway is running, and nothing listens at the broker's port."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.config = folder / "gateway.yaml"
        self.content: dict[str, Any] = {
            "data": str(self.data),
            "mqtt": {"host": "127.0.0.1", "port": free_port()},
            "rest": {"port": free_port()},
        }

    def settings(self) -> Settings:
        return Settings.model_validate(self.content)

    def enrol(self) -> None:
        """Enrol Ada into a new store."""
        self.data.mkdir(mode=0o700)
        with open_store_for_command(self.settings()) as store:
            store.people.enrol("Ada", [picture()], CLI_CALLER)

    def add_token(self, expires: float | None = None) -> None:
        with open_store_for_command(self.settings()) as store:
            token = Token("phone", "viewer", time.time() - 10, expires=expires)
            store.tokens.add(token, digest_of(make_secret()))

    def run(self, *words: str) -> tuple[int, dict[str, tuple[str, str | None]]]:
        """Return the exit code, and the text and the command of each thing to do, by the part that it is about.

        The commands are without the option ``--config``, which each command of facegate must have.
        """
        self.config.write_text(yaml.safe_dump(self.content))
        done = CliRunner().invoke(main, ["doctor", "--config", str(self.config), "--json", *words])
        document = json.loads(done.stdout)
        found = [each for each in document["findings"] if each["state"] == "to_do"]
        assert document["good"] is (not found)
        assert document["schema"] == 1
        return done.exit_code, {each["about"]: (each["text"], self._plain(each["command"])) for each in found}

    def _plain(self, command: str | None) -> str | None:
        own, option, rest = (command or "").partition(f" --config {self.config}")
        assert bool(option) is own.startswith("facegate ")
        return own + rest or None


@pytest.fixture
def home(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_only_the_broker_is_missing_before_the_first_start(home: Machine) -> None:
    code, found = home.run()
    assert (code, set(found)) == (1, {"broker"})
    assert "No broker can be reached at 127.0.0.1" in found["broker"][0]
    assert not home.data.exists()


def test_findings_are_lines_with_their_commands(home: Machine) -> None:
    home.config.write_text(yaml.safe_dump(home.content))
    lines = CliRunner().invoke(main, ["doctor", "--config", str(home.config)]).stdout.splitlines()
    assert any(line.startswith("ok: settings: the configuration is valid") for line in lines)
    at = next(n for n, line in enumerate(lines) if line.startswith("advice: gateway: no gateway is running"))
    assert lines[at + 1] == "    sudo systemctl start facegate"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("facegate backup", "facegate backup --config 'my home.yaml'"),
        ("facegate tokens revoke phone", "facegate tokens revoke phone --config 'my home.yaml'"),
        ("facegate acl | sudo tee /etc/acl", "facegate acl --config 'my home.yaml' | sudo tee /etc/acl"),
        ("facegate key make /etc/people.key", "facegate key make /etc/people.key"),
        ("facegate fly", "facegate fly"),
        ("sudo systemctl start facegate", "sudo systemctl start facegate"),
        (None, None),
    ],
)
def test_commands_name_the_configuration(command: str | None, expected: str | None) -> None:
    """Regression: without it a command could change another people store."""
    finding = Finding("store", "to_do", "text", command)
    assert add_config(finding, Path("my home.yaml")).command == expected
    assert add_config(finding, None) == finding


def test_wrong_settings_are_a_finding(home: Machine) -> None:
    home.content["colour"] = "blue"
    code, found = home.run()
    assert (code, set(found)) == (1, {"settings"})
    assert "colour" in found["settings"][0]


def test_people_without_a_backup_need_one(home: Machine) -> None:
    home.enrol()
    assert home.run()[1]["backups"] == ("1 person, and no backup", "facegate backup")
    home.config.write_text(yaml.safe_dump(home.content))
    assert CliRunner().invoke(main, ["backup", "--config", str(home.config)]).exit_code == 0
    assert "backups" not in home.run()[1]


def backup_findings(home: Machine) -> list[Finding]:
    with open_store_for_command(home.settings()) as store:
        return list(check_backups(store, home.settings().backups))


def add_days_to_now(days: float, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time() + days * 86_400
    monkeypatch.setattr("gateway.cli.checkup.backups.time", SimpleNamespace(time=lambda: now))


@pytest.mark.parametrize(("every_h", "days", "expected"), [(24, 3, 3), (0, 30, 30)])
def test_change_that_is_in_no_backup_for_long_is_found(
    home: Machine, monkeypatch: pytest.MonkeyPatch, every_h: int, days: float, expected: int
) -> None:
    home.content["backups"] = {"every_h": every_h}
    home.enrol()
    with open_store_for_command(home.settings()) as store:
        store.backups.make()
    add_days_to_now(days + 0.1, monkeypatch)
    # A store in which nobody was changed needs no other backup.
    assert not to_do(backup_findings(home))
    with open_store_for_command(home.settings()) as store:
        store.people.enrol("Bob", [picture("d2")], CLI_CALLER)
    (found,) = [each for each in backup_findings(home) if each.state == "to_do"]
    assert f"more than {expected} days ago" in found.text
    assert found.command == "facegate backup"


def test_change_after_a_backup_of_the_future_is_found(home: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    home.enrol()
    with open_store_for_command(home.settings()) as store:
        store.backups.make()
        store.people.enrol("Bob", [picture("d2")], CLI_CALLER)
    add_days_to_now(-400, monkeypatch)
    (found,) = [each for each in backup_findings(home) if each.state == "to_do"]
    assert found.text.endswith("in the future")


def test_gateway_without_backups_of_its_own_is_found(home: Machine) -> None:
    home.enrol()
    home.content["backups"] = {"every_h": 0}
    assert any("set backups.every_h to 24" in each.text for each in backup_findings(home))


def test_backup_in_memory_is_on_no_disk(home: Machine) -> None:
    """Regression: a backup in /tmp silenced the advice for a month, though a restart deletes it."""
    home.enrol()
    with TemporaryDirectory(dir="/dev/shm") as folder, open_store_for_command(home.settings()) as store:
        store.backups.make(Path(folder) / "people.sqlite")
    assert "facegate backup /mnt/usb/people.sqlite" in {each.command for each in backup_findings(home)}


def test_backups_on_one_disk_only_are_found(home: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    home.enrol()
    folders = [each for each in (Path("/var/tmp"), Path("/tmp"), ROOT) if is_on_another_disk(each, home.data)]  # noqa: S108
    if not folders:
        pytest.skip("this machine has one disk only")

    def advises_another_disk() -> bool:
        return "facegate backup /mnt/usb/people.sqlite" in {each.command for each in backup_findings(home)}

    with open_store_for_command(home.settings()) as store:
        store.backups.make()
    assert advises_another_disk()
    with TemporaryDirectory(dir=folders[0]) as folder, open_store_for_command(home.settings()) as store:
        store.backups.make(Path(folder) / "people.sqlite")
    assert not advises_another_disk()
    assert any("on another disk was made" in each.text and each.text.endswith(folder) for each in backup_findings(home))
    add_days_to_now(31, monkeypatch)
    assert advises_another_disk()


def test_files_that_others_may_read_are_named_with_the_command_that_closes_them(home: Machine, tmp_path: Path) -> None:
    key = tmp_path / "people key"
    assert CliRunner().invoke(main, ["key", "make", str(key)]).exit_code == 0
    home.content["people"] = {"key_file": str(key)}
    home.enrol()
    assert "files" not in home.run()[1]
    key.chmod(0o644)
    assert home.run()[1]["files"][1] == f"chmod o-rwx '{key}'"
    key.chmod(0o600)
    home.data.chmod(0o755)
    assert home.run()[1]["files"][1] == f"chmod 700 {home.data}"


def test_password_in_settings_that_others_may_read_is_found(home: Machine) -> None:
    home.content["mqtt"] |= {"password": "a word"}
    home.config.touch(0o644)
    home.config.chmod(0o644)
    assert home.run()[1]["files"][1] == f"chmod o-rwx {home.config}"
    home.config.chmod(0o600)
    assert "files" not in home.run()[1]


@pytest.mark.parametrize(
    "section",
    [
        {"frigate": {"home": {"url": "http://frigate:8971", "user": "admin", "password": "a word"}}},
        {"inputs": {"pull": {"porch": {"url": "http://camera/now.jpg", "user": "me", "password": "a word"}}}},
        {"inputs": {"pull": {"porch": {"url": "http://camera/now.jpg", "token": "a word"}}}},
    ],
)
def test_every_secret_in_settings_that_others_may_read_is_found(section: dict[str, Any], tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.touch()
    config.chmod(0o644)
    settings = Settings.model_validate({"data": str(tmp_path / "data"), **section})
    assert to_do(check_files_of_others(settings, config))["files"].startswith(
        f"every user of this machine may read {config}"
    )
    config.chmod(0o600)
    assert not to_do(check_files_of_others(settings, config))


def test_secrets_of_the_unit_that_others_may_read_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, secrets = tmp_path / "gateway.yaml", tmp_path / "secrets"
    monkeypatch.setattr(find, "SYSTEMD_CONFIG", config)
    settings = Settings.model_validate({"data": str(tmp_path / "data")})
    secrets.touch()
    secrets.chmod(0o644)
    found = [each.command for each in check_files_of_others(settings, config) if each.state == "to_do"]
    assert found == [f"chmod o-rwx {secrets}"]
    # Another configuration does not use that file.
    assert not to_do(check_files_of_others(settings, tmp_path / "other.yaml"))
    secrets.chmod(0o600)
    assert not to_do(check_files_of_others(settings, config))


def test_key_in_the_data_folder_is_found(home: Machine, tmp_path: Path) -> None:
    key = home.data / "people key"
    home.content["people"] = {"key_file": str(tmp_path / "people key")}
    assert CliRunner().invoke(main, ["key", "make", str(tmp_path / "people key")]).exit_code == 0
    home.enrol()
    assert "key" not in home.run()[1]
    (tmp_path / "people key").rename(key)
    home.content["people"] = {"key_file": str(key)}
    assert home.run()[1]["key"][1] == f"sudo mv '{key}' /etc/facegate/"


def test_another_key_is_found(home: Machine, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert CliRunner().invoke(main, ["key", "make", str(tmp_path / name)]).exit_code == 0
    home.content["people"] = {"key_file": str(tmp_path / "one")}
    home.enrol()
    home.content["people"] = {"key_file": str(tmp_path / "two")}
    assert "another key" in home.run()[1]["people store"][0]


def test_changed_audit_is_found(home: Machine) -> None:
    home.enrol()
    assert "audit" not in home.run()[1]
    with closing(sqlite3.connect(home.data / "audit.sqlite")) as db, db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        assert db.execute("UPDATE audit SET pictures = 7").rowcount
    assert home.run()[1]["audit"][1] == "facegate audit verify"


def test_expired_token_is_found(home: Machine) -> None:
    home.enrol()
    home.add_token(expires=time.time() - 1)
    assert home.run()[1]["tokens"][1] == "facegate tokens revoke phone"


def test_rest_beyond_this_machine_needs_a_token(home: Machine) -> None:
    home.enrol()
    home.content["rest"]["host"] = "192.168.1.5"
    assert home.run()[1]["tokens"][1] == "facegate tokens add --name phone --role viewer"
    home.add_token()
    assert "tokens" not in home.run()[1]


@pytest.mark.parametrize(
    ("network", "public"),
    [
        ("192.168.0.0/16", False),
        ("10.0.0.0/8", False),
        ("fd00::/8", False),
        ("0.0.0.0/0", True),
        ("::/0", True),
        ("8.8.8.0/24", True),
    ],
)
def test_addresses_of_the_internet_are_told_from_those_of_a_home_network(network: str, public: bool) -> None:
    assert is_public(ip_network(network)) is public
    rest = RestSettings.model_validate({"anonymous": {"from": [network]}})
    assert ("REST" in to_do(check_rest_settings(rest))) is public


def test_gateway_that_is_not_ready_is_described_in_words() -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps({"status": "not_ready", "broker": "connecting", "workers": {"ready": 1, "of": 2}})
            self.send_response(503)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content.encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        rest = RestSettings.model_validate({"port": server.server_port})
        texts = [each.text for each in check_running_gateway(rest, [])]
        server.shutdown()
    assert "the gateway is running, but not ready (broker: connecting, workers: 1 of 2 ready)" in texts


def test_admin_tokens_over_plain_http_are_found() -> None:
    rest = RestSettings.model_validate({"host": "192.168.1.5", "plain_admin": True})
    assert "without encryption" in to_do(check_rest_settings(rest))["REST"]
    assert not to_do(check_rest_settings(RestSettings(plain_admin=True)))


def test_full_disk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not to_do(machine.check_machine(tmp_path / "data"))
    # A disk that is really full would disturb everything else on this machine.
    monkeypatch.setattr("gateway.model.health.LOW_DISK_BYTES", shutil.disk_usage(tmp_path).total + 1)
    assert "delete what is not needed" in to_do(machine.check_machine(tmp_path / "data"))["disk"]


def test_other_program_on_the_port_of_rest_is_found(broker: Broker) -> None:
    assert "gateway" in to_do(check_running_gateway(RestSettings(port=broker.port), []))


def test_running_gateway_is_asked_for_its_warnings(gateway: Gateway, gateway_settings: Settings) -> None:
    secret = make_secret()
    gateway.people.store.tokens.add(Token("doctor", "viewer", time.time()), digest_of(secret))
    findings: list[Finding] = []

    def is_ready() -> bool:
        findings[:] = check_running_gateway(gateway_settings.rest, [("good", secret), ("bad", "nonsense")])
        return any(each.text == "the gateway is running and ready" for each in findings)

    try:
        # A stall of the machine makes a gateway unready for a moment.
        wait_for(is_ready)
    finally:
        gateway.people.store.tokens.remove("doctor")
    assert any(each.text == "the token in good may see people, and may not read the audit" for each in findings)
    assert any(each.text == "a proxy on this machine gets no people without a token" for each in findings)
    warnings = set(gateway.health().warnings)
    assert {each.text for each in findings if each.about == "gateway" and each.state == "to_do"} == warnings
    assert "refuses the token in bad" in to_do(findings)["tokens"]


def numbers(**values: float) -> list[Sample]:
    """Return the numbers of a gateway that started two days ago."""
    basic = {"facegate_clock_seconds": 1e9 + 2 * 86_400, "process_start_time_seconds": 1e9}
    return [Sample(name, {}, value) for name, value in {**basic, **values}.items()]


def test_numbers_of_a_running_gateway_are_checked(gateway: Gateway, gateway_settings: Settings) -> None:
    """The gateway of the tests runs this version, and was started after its files were written."""
    texts = [each.text for each in check_running_gateway(gateway_settings.rest, []) if each.about == "gateway"]
    assert f"version {__version__} is running" in texts


def test_gateway_of_another_version_must_be_restarted() -> None:
    other = Sample("facegate_info", {"version": "0.0.1"}, 1.0)
    (found,) = [each for each in check_work([other, *numbers()]) if each.state == "to_do"]
    assert found.text == f"version 0.0.1 is running, and version {__version__} is installed: restart the gateway"
    assert found.command == "sudo systemctl restart facegate"


def test_files_that_are_newer_than_the_running_gateway_are_found() -> None:
    same = Sample("facegate_info", {"version": __version__}, 1.0)
    assert any("were changed after" in each.text for each in check_work([same, *numbers()]))
    later = time.time() + 60
    assert not any("changed after" in each.text for each in check_work(numbers(process_start_time_seconds=later)))


@pytest.mark.parametrize(
    ("requests", "dropped", "found"), [(10_000, 1_001, True), (10_000, 999, False), (99, 50, False)]
)
def test_machine_that_is_too_slow_is_found(requests: float, dropped: float, found: bool) -> None:
    findings = check_work(numbers(facegate_requests_total=requests, facegate_frames_dropped_total=dropped))
    assert any("the machine is too slow" in each.text for each in findings) is found


@pytest.mark.parametrize(
    ("route", "times", "found"), [("/metrics", 40, True), ("/metrics", 60, False), ("/", 60, True)]
)
def test_gateway_that_no_program_watches_is_found(route: str, times: float, found: bool) -> None:
    asked = Sample("facegate_http_requests_total", {"method": "GET", "route": route, "status": "200"}, times)
    assert any("no program watches" in each.text for each in check_work([asked, *numbers()])) is found


def test_token_is_not_tried_where_its_role_forbids_it(gateway: Gateway, gateway_settings: Settings) -> None:
    """Regression: each run of the doctor left a refusal in the audit."""
    roles: tuple[Role, ...] = ("client", "viewer", "privacy")
    secrets = {role: make_secret() for role in roles}
    tokens = gateway.people.store.tokens
    for role, secret in secrets.items():
        tokens.add(Token(f"doctor-{role}", role, time.time()), digest_of(secret))
    try:
        findings = list(
            check_running_gateway(gateway_settings.rest, [(str(role), secret) for role, secret in secrets.items()])
        )
    finally:
        for role in secrets:
            tokens.remove(f"doctor-{role}")
    assert {each.text for each in findings if each.about == "tokens"} == {
        "the token in client may not see people, and may not read the audit",
        "the token in viewer may see people, and may not read the audit",
        "the token in privacy may see people, and may read the audit",
    }
    gateway.people.audit.events.write_all()
    lines = gateway.people.store.audit.read_lines(1000)
    assert not [line for line in lines if line.actor.startswith("doctor-") and line.outcome == "refused"]


def test_open_broker_is_found_unless_it_is_trusted(broker: Broker, tmp_path: Path) -> None:
    settings = small_settings(tmp_path / "data", broker, mqtt={"trust_broker": False})
    assert "the broker has no ACL" in to_do(check_broker(settings))["broker"]
    assert not to_do(check_broker(small_settings(tmp_path / "data", broker, mqtt={"trust_broker": True})))


def test_check_of_the_broker_leaves_the_levels_of_the_log(broker: Broker, tmp_path: Path) -> None:
    """Regression: INFO lines of the MQTT interface were missing in the log of the rest of the process."""
    before = logging.getLogger("gateway.mqtt").level
    list(check_broker(small_settings(tmp_path / "data", broker)))
    assert logging.getLogger("gateway.mqtt").level == before


@needs_mosquitto
def test_broker_with_the_shipped_files_is_good(tmp_path: Path) -> None:
    with secure_broker_running(tmp_path, []) as secure:
        findings = list(check_broker(secure.settings(tmp_path / "data")))
    assert not to_do(findings)
    texts = [each.text for each in findings]
    assert "the broker has an ACL" in texts
    assert "a client without a login may not use the topics of the gateway" in texts
    assert "the broker takes messages of up to 30000000 bytes, and the gateway of 30000000" in texts


@needs_mosquitto
def test_login_that_reads_replies_to_others_is_found(tmp_path: Path) -> None:
    rules = "\nuser curious\ntopic read facegate/+/response/#\n"
    with secure_broker_running(tmp_path, ["porch", "curious"], rules) as secure:
        mqtt = secure.settings(tmp_path / "data").mqtt
        findings = list(check_logins(mqtt, [(each, each) for each in ("porch", "home", "curious")]))
        (refused,) = check_logins(mqtt, [("porch", "wrong")])
    assert [each.state for each in findings] == ["ok", "ok", "to_do"]
    assert findings[0].text == "the login porch receives the replies to it, and no others"
    assert "the login curious receives replies to other logins" in findings[2].text
    assert refused.state == "to_do"


@pytest.mark.parametrize("login", ["bridge/user/home", "home/#", "+", "bridge"])
def test_login_that_an_acl_gives_topics_of_others_is_refused(tmp_path: Path, login: str) -> None:
    """mosquitto 2.0.11 puts such a login into the topics of cameras. No broker is needed to see it."""
    mqtt = MqttSettings(host="127.0.0.1", port=free_port())
    (found,) = check_logins(mqtt, [(login, "secret")])
    assert (found.state, "is no level of a topic" in found.text) == ("to_do", True)
    settings = Settings(data=tmp_path / "data", mqtt=mqtt.model_copy(update={"user": login}))
    texts = [each.text for each in check_broker(settings) if each.state == "to_do"]
    assert texts[0].endswith("gives it topics of others: give the gateway another login")


def test_features_that_the_broker_does_not_have_are_found() -> None:
    assert not list(find_missing_features(BrokerLimits()))
    found = list(find_missing_features(BrokerLimits(max_qos=0, retains=False, has_wildcards=False)))
    assert [each.state for each in found] == ["to_do"] * 3
    words = ("messages at QoS 1", "retained messages", "subscriptions with wildcards")
    assert all(word in each.text for word, each in zip(words, found, strict=True))


def test_pace_of_the_broker_is_compared_with_the_settings() -> None:
    mqtt = MqttSettings(window=1000, keepalive_s=20)
    assert not list(check_pace(1000, None, mqtt))
    assert not list(check_pace(65_535, 20, mqtt))
    texts = [each.text for each in check_pace(20, 10, mqtt)]
    assert "allows 20 unacknowledged messages, and mqtt.window is 1000" in texts[0]
    assert "wants a message every 10 s: lower mqtt.keepalive_s from 20" in texts[1]


@needs_mosquitto
def test_window_of_a_broker_without_the_shipped_settings_is_found(tmp_path: Path) -> None:
    with secure_broker_running(tmp_path, [], more_settings="max_inflight_messages 20") as secure:
        findings = list(check_broker(secure.settings(tmp_path / "data")))
    assert any("allows 20 unacknowledged messages" in each.text for each in findings if each.state == "advice")


def test_frigate_that_does_not_answer_is_found(home: Machine) -> None:
    home.content["frigate"] = {"yard": {"url": f"http://127.0.0.1:{free_port()}"}}
    assert to_do(check_frigate(home.settings()))["Frigate"].startswith("yard: ")


@pytest.mark.parametrize(
    ("option", "content", "expected"),
    [
        ("--login-file", "porch", "one line with LOGIN:PASSWORD"),
        ("--token-file", "tökén", "one line with a token"),
        ("--token-file", "two\nlines", "one line with a token"),
        ("--token-file", "", "one line with a token"),
    ],
)
def test_file_without_a_login_or_token_is_refused(tmp_path: Path, option: str, content: str, expected: str) -> None:
    (tmp_path / "file").write_text(content)
    done = CliRunner().invoke(main, ["doctor", option, str(tmp_path / "file")])
    assert done.exit_code == 1
    assert f"it needs {expected}" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_user_who_may_not_open_the_data_folder_gets_findings(home: Machine) -> None:
    """The command is for root: it must end with a finding, too, where another user runs it."""
    home.enrol()
    # All modules are loaded before, since only root may read the folder of this Python.
    code = "import os, gateway.app, gateway.cli.doctor, encodings.idna; from gateway.cli.main import main;"
    code += "os.setgroups([]); os.setgid(65533); os.setuid(65533); main(['doctor', '--json'])"
    ports = {"FACEGATE_MQTT__PORT": str(free_port()), "FACEGATE_REST__PORT": str(free_port())}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "FACEGATE_DATA": str(home.data), **ports},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    found = {each["about"] for each in json.loads(done.stdout)["findings"] if each["state"] == "to_do"}
    assert found == {"settings", "people store", "broker"}


@needs_mosquitto
def test_smaller_limit_of_the_broker_is_found(tmp_path: Path, broker: Broker) -> None:
    if not broker.mqtt5:
        pytest.skip("only MQTT 5 states the limit")
    settings = small_settings(tmp_path / "data", broker, limits={"bytes": 20_000_000})
    assert "limits.bytes needs 60000000" in to_do(check_broker(settings))["broker"]


def test_log_is_written_again_after_the_command(home: Machine, caplog: pytest.LogCaptureFixture) -> None:
    home.run()
    logging.getLogger("gateway.test").warning("still written")
    assert "still written" in caplog.text
