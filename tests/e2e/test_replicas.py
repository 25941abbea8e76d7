"""Whole gateways as replicas: processes on one broker with the ACL of a cluster, and one database."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
import requests
import yaml

from gateway.cli.acl_formats import write_mosquitto
from gateway.cli.acl_rules import AclRules
from gateway.config import Settings
from tests.e2e.gateway_processes import retained_messages, start_gateway
from tests.support import MOSQUITTO, WAIT_S, Broker, Client, broker_running, frame, free_port, wait_for

pytestmark = [
    pytest.mark.extra,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt has no shared subscriptions"),
]

BOSS, OBSERVER = "boss", "observer"
CLUSTER = {"name": "house", "lease_s": 3}
REPLICA_TOPICS = "facegate/bridge/replica/"

TEMPORARY = {"busy", "timeout"}
"""Errors after which a device repeats its request. On a busy machine each request may get one."""


class Site:
    """A cluster of processes, and a client that keeps the newest document of each retained topic.

    ``answers``: the documents of all final replies, by the last level of their topics.
    """

    def __init__(self, folder: Path, broker: Broker, url: str) -> None:
        self.broker = broker
        self._folder = folder
        self._url = url
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.documents: dict[str, Any] = {}
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.seen: list[tuple[float, str, Any]] = []
        (folder / "nobody").mkdir()
        topics = ("state", "info", "replica/+", "person/+", "response/#")
        self._watcher = Client(broker.port, login=(OBSERVER, OBSERVER)).subscribe(
            *(f"facegate/bridge/{each}" for each in topics), "facegate/+/response/#", "facegate/+/result"
        )

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait(WAIT_S)
        self._watcher.close()

    def start(self, name: str, **changes: Any) -> None:
        """Start a gateway, a replica unless the changes say otherwise."""
        login = {"user": "facegate", "password": "facegate", "users": {BOSS: "admin"}}
        given = {
            "mqtt": {"host": "127.0.0.1", "port": self.broker.port, **login},
            "people": {"store": self._url, "folder": str(self._folder / "nobody")},
            "operations": ["face_rec", "face_match", "verify", "detect", "enroll"],
            "cluster": CLUSTER,
            **changes,
        }
        self.processes[name] = start_gateway(self._folder / name, self.broker, **given)

    def log(self, name: str) -> str:
        return (self._folder / name / "gateway.log").read_text()

    def look(self) -> dict[str, Any]:
        """Take all messages that have come, and return the newest documents."""
        while True:
            try:
                message = self._watcher.get(0.02)
            except Empty:
                return self.documents
            document: Any = message.json if message.payload else None
            self.seen.append((time.monotonic(), message.topic, document))
            if "/response/" not in message.topic:
                self.documents[message.topic] = document
            elif document.get("code") not in TEMPORARY:
                self.answers.setdefault(message.topic.rsplit("/", 1)[1], []).append(document)

    def replicas(self) -> dict[str, Any]:
        """Return the descriptions of the replicas that are online, by their ids."""
        found = {topic: each for topic, each in self.look().items() if topic.startswith(REPLICA_TOPICS)}
        return {topic.removeprefix(REPLICA_TOPICS): each for topic, each in found.items() if each["state"] == "online"}

    def leader(self) -> str | None:
        leading = [name for name, each in self.replicas().items() if each["leader"]]
        return leading[0] if len(leading) == 1 else None

    def owner(self, camera: str) -> str | None:
        return next((name for name, each in self.replicas().items() if camera in each["cameras"]), None)

    def process_of(self, replica: str) -> subprocess.Popen[bytes]:
        """Return the process of the replica with that id."""
        return next(process for name, process in self.processes.items() if self._id_of(name) == replica)

    def _id_of(self, name: str) -> str:
        address = f"http://{name}"
        return next((each for each, found in self.replicas().items() if found["address"] == address), "")

    def rest_of(self, name: str) -> str:
        """Return the address of the operations of a gateway over REST."""
        port = yaml.safe_load((self._folder / name / "gateway.yaml").read_text())["rest"]["port"]
        return f"http://127.0.0.1:{port}/api/v1"

    def retained(self) -> dict[str, bytes]:
        """Return the retained messages of the broker, by their topics."""
        return retained_messages(self.broker.port, login=(OBSERVER, OBSERVER))

    def send_frames(self, cameras: list[str], picture: bytes) -> None:
        for camera in cameras:
            self._watcher.publish(f"facegate/{camera}/frame", picture, qos=0)

    def ask(self, client: Client, topic: str, payload: bytes, key: str, count: int = 1) -> dict[str, Any]:
        """Repeat a request until so many final replies came, as devices do, and return the first reply."""
        end = time.monotonic() + 2 * WAIT_S
        answers = self.answers.setdefault(key, [])
        while (before := len(answers)) < count:
            assert time.monotonic() < end, f"no reply to {topic}"
            client.publish(topic, payload)
            again = time.monotonic() + 3
            while time.monotonic() < again and len(answers) == before:
                self.look()
        return answers[0]


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Broker]:
    """A broker with the ACL that ``facegate acl`` writes for a cluster. The password of each login is the login."""
    port = free_port()
    settings = Settings(
        cluster=CLUSTER, people={"store": "postgresql://x/y"}, mqtt={"user": "facegate", "users": {BOSS: "admin"}}
    )
    passwords, acl = tmp_path / "passwd", tmp_path / "acl"
    passwords.touch(mode=0o600)
    for login in ("facegate", BOSS, "porch", OBSERVER):
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), login, login], check=True)
    rules = "\n".join(write_mosquitto(AclRules(settings).all()))
    acl.write_text(
        f"{rules}\nuser porch\ntopic write facegate/porch/request/enroll/#\nuser {OBSERVER}\ntopic readwrite #\n"
    )
    lines = f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\nacl_file {acl}\nuser root\n"
    with broker_running(tmp_path, port, f"\n{lines}") as broker:
        yield broker


@pytest.fixture
def site(tmp_path: Path, secure: Broker, postgres_url: str) -> Iterator[Site]:
    site = Site(tmp_path, secure, postgres_url)
    yield site
    site.close()


@pytest.fixture
def porch(secure: Broker) -> Iterator[Client]:
    client = Client(secure.port, login=("porch", "porch"))
    yield client
    client.close()


def start_replicas(site: Site, *names: str) -> None:
    for name in names:
        site.start(name, cluster={**CLUSTER, "address": f"http://{name}"})
    wait_for(lambda: len(site.replicas()) == len(names) and site.leader() is not None, 2 * WAIT_S)


def test_replicas_answer_alike_and_survive_their_leader(site: Site, porch: Client, record_property: Any) -> None:
    start_replicas(site, "ada", "ben", "cy")
    picture = frame("obama_1")
    enrolment = json.dumps({"name": "Ada Lovelace", "images": [base64.b64encode(picture).decode()]}).encode()
    first = site.ask(porch, "facegate/porch/request/enroll/e1", enrolment, "e1")
    assert first["status"] == "ok", first

    # Each replica gets one of three requests, and names the person.
    for number in range(6):
        reply = site.ask(porch, f"facegate/porch/request/face_rec/r{number}", picture, f"r{number}")
        assert reply["person"] == "ada_lovelace"
    # The enrolment is repeated at every replica, and happens once.
    site.ask(porch, "facegate/porch/request/enroll/e1", enrolment, "e1", count=4)
    volatile = {"id", "timestamp", "timing_ms"}
    contents = [{k: v for k, v in each.items() if k not in volatile} for each in site.answers["e1"]]
    assert all(each == contents[0] for each in contents)

    # The camera's frames go to one replica, which is killed.
    def owned() -> bool:
        porch.publish("facegate/porch/frame", picture, qos=0)
        return site.owner("porch") is not None and "facegate/porch/result" in site.look()

    wait_for(owned, 2 * WAIT_S)
    owner = site.owner("porch")
    assert owner is not None
    killed_at = time.monotonic()
    os.kill(site.process_of(owner).pid, signal.SIGKILL)

    def moved() -> bool:
        porch.publish("facegate/porch/frame", picture, qos=0)
        return site.owner("porch") not in (None, owner)

    wait_for(moved, 2 * WAIT_S)
    record_property("camera_moved_s", round(time.monotonic() - killed_at, 2))
    site.documents.pop("facegate/porch/result")
    wait_for(lambda: moved() and "facegate/porch/result" in site.look(), 2 * WAIT_S)

    # The leader is killed, if it was not the owner: a command that is sent once is answered by the next one.
    wait_for(lambda: site.leader() is not None, 2 * WAIT_S)
    leader = site.leader()
    assert leader is not None
    boss = Client(site.broker.port, login=(BOSS, BOSS))
    listener = Client(site.broker.port, login=(OBSERVER, OBSERVER)).subscribe("facegate/bridge/user/+/response/#")
    killed_at = time.monotonic()
    os.kill(site.process_of(leader).pid, signal.SIGKILL)
    boss.publish(f"facegate/bridge/user/{BOSS}/request/people/list", b"{}")
    reply = listener.get(2 * WAIT_S).json
    record_property("command_answered_s", round(time.monotonic() - killed_at, 2))
    assert reply["status"] == "ok", reply
    wait_for(lambda: site.leader() not in (None, leader), 2 * WAIT_S)
    assert site.look()["facegate/bridge/state"] == {"state": "online"}
    wait_for(lambda: site.look()["facegate/bridge/info"]["instance"] == site.leader())
    assert {"state": "offline"} not in [each for _, topic, each in site.seen if topic == "facegate/bridge/state"][1:]
    wait_for(lambda: site.look()[f"{REPLICA_TOPICS}{leader}"]["state"] == "offline")
    for client in (boss, listener):
        client.close()


def post_until_final(url: str, **options: Any) -> requests.Response:
    """Repeat a request until its answer is not ``busy``."""
    while (answer := requests.post(url, timeout=WAIT_S, **options)).status_code == 503:
        time.sleep(float(answer.headers["Retry-After"]))
    return answer


def test_nothing_retained_names_a_person_whose_erasure_is_answered(
    site: Site, porch: Client, tmp_path: Path, record_property: Any
) -> None:
    """The leader, which also owns cameras, is killed when it has announced the person, who is erased immediately."""
    for name in ("ada", "ben"):
        live, address = {"snapshot": "retained"}, f"http://{name}"
        cluster = {**CLUSTER, "address": address}
        site.start(name, cluster=cluster, live=live, homeassistant={"enabled": True}, rest={"port": free_port()})
    wait_for(lambda: len(site.replicas()) == 2 and site.leader() is not None, 2 * WAIT_S)
    person, picture = {"name": "Ada Lovelace"}, frame("obama_1")
    leader = site.leader()
    assert leader is not None
    (other,) = [name for name in site.processes if site.replicas()[leader]["address"] != f"http://{name}"]
    people = f"{site.rest_of(other)}/people"
    answer = post_until_final(people, data=person, files={"images": picture})
    assert answer.status_code == 200, answer.text

    cameras = [f"camera{number}" for number in range(6)]

    def names_person(topic: str) -> bool:
        payload = site.retained().get(topic, b"")
        return b"ada_lovelace" in payload or (topic.endswith("/snapshot") and bool(payload))

    def is_announced() -> bool:
        owned = [each for each in cameras if site.owner(each) == leader]
        site.send_frames(cameras, picture)
        return any("ada_lovelace" in topic for topic in site.retained()) and any(
            names_person(f"facegate/{each}/present") and names_person(f"facegate/{each}/snapshot") for each in owned
        )

    wait_for(is_announced, 2 * WAIT_S)
    os.kill(site.process_of(leader).pid, signal.SIGKILL)
    killed_at = time.monotonic()
    answer = post_until_final(f"{people}/ada_lovelace/erase")
    left = {topic: payload for topic, payload in site.retained().items() if payload}
    record_property("erased_s", round(time.monotonic() - killed_at, 2))
    assert answer.status_code == 200, answer.text
    assert not [topic for topic in left if "ada_lovelace" in topic or topic.endswith("/snapshot")]
    assert not [topic for topic, payload in left.items() if b"lovelace" in payload.lower()]


def test_gateway_alone_leaves_a_cluster_and_a_replica_leaves_a_gateway_alone(site: Site) -> None:
    start_replicas(site, "ada")
    alone = {"cluster": {}, "people": {"folder": str(site._folder / "nobody")}}
    site.start("alone", **alone)
    assert site.processes["alone"].wait(2 * WAIT_S) == 75
    assert "another gateway" in site.log("alone").lower()
    wait_for(lambda: len(site.replicas()) == 1)
    site.processes["ada"].terminate()
    assert site.processes["ada"].wait(2 * WAIT_S) == 0
    wait_for(lambda: site.look()["facegate/bridge/state"] == {"state": "offline"})
    site.start("alone", **alone)
    wait_for(lambda: site.look()["facegate/bridge/state"] == {"state": "online"}, 2 * WAIT_S)
    site.start("ben")
    assert site.processes["ben"].wait(2 * WAIT_S) == 75
    assert "another gateway" in site.log("ben").lower()
    assert site.processes["alone"].poll() is None
