"""Tests of the cluster demo: the state of replicas, the board, and a whole run."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from device_sim import cluster_demo
from device_sim.answer_counts import AnswerCounts
from device_sim.cluster_board import ClusterBoard, ClusterNews, ReplicaRow
from device_sim.cluster_director import describe_kill
from device_sim.cluster_state import ClusterListener, ReplicaState, read_state
from device_sim.connection import Broker
from device_sim.model import Answer, Picture
from device_sim.named_pictures import faces_in
from device_sim.pictures import FRAMES
from tests.support import MOSQUITTO, ROOT, Client, accepts, broker_running, wait_for


def online(cameras: Collection[str], *, leader: bool = False, address: str | None = "replica-1") -> bytes:
    document = {"schema": 1, "state": "online", "version": "1", "address": address, "leader": leader}
    return json.dumps({**document, "cameras": [*cameras]}).encode()


def row(name: str, cameras: Collection[str], *, leads: bool = False, is_running: bool = True) -> ReplicaRow:
    state = ReplicaState(name, 1.0, True, leads, name, frozenset(cameras))
    return ReplicaRow(name, f"http://{name}/", is_running, state, 7)


def test_message_of_a_replica_is_read() -> None:
    state = ReplicaState("a", 2.0, True, True, "replica-1", frozenset({"porch"}))
    assert read_state("a", online(["porch"], leader=True), 2.0) == state
    offline = b'{"schema":1,"state":"offline","version":"1","address":"replica-1","leader":false,"cameras":[]}'
    assert read_state("a", offline, 3.0) == ReplicaState("a", 3.0, address="replica-1")


@pytest.mark.parametrize("payload", [b"", b"online", b"[]", b'{"state":"online"}'])
def test_cleared_or_invalid_message_means_offline(payload: bytes) -> None:
    assert not read_state("a", payload, 1.0).is_online


def test_listener_knows_the_owner_of_each_camera(tmp_path: Path) -> None:
    with broker_running(tmp_path) as broker, ClusterListener(Broker(port=broker.port), "facegate") as listener:
        client = Client(broker.port)
        client.publish("facegate/bridge/replica/a", online(["porch", "door"], leader=True), retain=True)
        client.publish("facegate/bridge/replica/b", online(["gate"], address="replica-2"), retain=True)
        wait_for(lambda: listener.owners == {"porch": "replica-1", "door": "replica-1", "gate": "replica-2"})
        state = listener.state_at("replica-1")
        assert state is not None
        assert state.leads
        client.publish("facegate/bridge/replica/a", b"", retain=True)
        wait_for(lambda: listener.owners == {"gate": "replica-2"})
        client.close()
    assert listener.state_at("replica-3") is None


def test_news_tell_of_leaders_and_moves() -> None:
    news = ClusterNews()
    news.update([row("replica-1", ["cam-1", "cam-2"], leads=True), row("replica-2", [])])
    news.update([row("replica-1", ["cam-1", "cam-2"], leads=True), row("replica-2", [])])
    assert news.take_unprinted() == ["replica-1 leads", "replica-1 serves cam-1, cam-2"]
    news.update([row("replica-1", ["cam-1", "cam-2"], leads=True, is_running=False), row("replica-2", [])])
    assert news.take_unprinted() == []
    news.update([row("replica-2", ["cam-1"], leads=True)])
    assert news.take_unprinted() == ["replica-2 leads", "replica-2 serves cam-1"]
    assert news.moves == 1


def test_board_shows_who_serves_which_camera() -> None:
    names = [f"cam-{n}" for n in range(1, 10)]
    board, news, console = ClusterBoard([*names, "gate-1"]), ClusterNews(), Console(file=io.StringIO(), width=100)
    board.add(Answer("cam-1", "a.jpg", "Joe Biden", ("Joe Biden",), 0.9, 61.0, None, 0))
    rows = [row("replica-1", ["cam-1"], leads=True), row("replica-2", ["cam-2"])]
    news.update(rows)
    console.print(board.draw([rows[0], row("replica-2", ["cam-2"], is_running=False)], news, "Ctrl-C stops."))
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    (cam_1,) = (line for line in drawn.splitlines() if line.strip().startswith("cam-1 "))
    (cam_2,) = (line for line in drawn.splitlines() if line.strip().startswith("cam-2 "))
    assert "replica-1" in cam_1
    assert "Joe Biden" in cam_1
    assert "nobody" in cam_2
    assert "killed" in drawn
    assert "any replica" in drawn
    # The board fits on a terminal of 24 lines.
    assert len(drawn.splitlines()) < 24


def test_answers_of_earlier_runs_are_added() -> None:
    counts = AnswerCounts([1, 2])
    for number, answered in [(0, 5), (0, None), (0, 9), (0, 2), (1, 4), (0, 3)]:
        counts._note(number, answered)
    assert counts.totals == [12, 4]


def test_pictures_of_the_demo_name_their_faces() -> None:
    def names(file: str) -> list[str]:
        return list(faces_in(cluster_demo.named(Picture(file, (FRAMES / file).read_bytes())).jpeg))

    assert names("obama_1.jpg") == ["Barack Obama"]
    assert names("stranger_2.jpg") == ["stranger_2"]
    assert names("empty_1.jpg") == []


def test_demo_says_at_its_start_what_is_simulated_and_which_cameras_ask() -> None:
    text = cluster_demo.describe_demo(["cam-1", "cam-2", "cam-3", "gate-1", "gate-2"])
    assert "The recognition is simulated: a picture takes 60 ms" in text
    assert "3 cameras send live frames" in text
    assert "gate-1 and gate-2 send requests, which any replica answers." in text
    assert "requests" not in cluster_demo.describe_demo(["cam-1"])


@pytest.mark.parametrize(
    ("cameras", "leads", "sentence"),
    [
        ((), False, "a is killed"),
        (("cam-1", "cam-2"), False, "a is killed: it served cam-1, cam-2"),
        (("cam-1",), True, "a is killed: it was the leader and it served cam-1"),
    ],
)
def test_news_of_a_kill(cameras: Collection[str], leads: bool, sentence: str) -> None:
    assert describe_kill("a", [*cameras], leads=leads) == sentence


def test_demo_without_mosquitto_says_why_it_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_demo, "find_mosquitto", lambda: None)
    result = CliRunner().invoke(cluster_demo.main, [])
    assert result.exit_code == 1
    assert "sudo apt-get install mosquitto" in result.stderr
    assert "shared subscriptions" in result.stderr


def free_ports(count: int) -> int:
    """Return the first of so many free ports in a row. The ports of other tests begin at 10,000."""
    starts = range(8_000, 10_000 - count, count)
    for start in random.sample(starts, len(starts)):
        if not any(accepts(port) for port in range(start, start + count)):
            return start
    raise OSError("no ports are free")


@pytest.mark.extra
@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_demo_moves_the_cameras_of_a_killed_replica(tmp_path: Path) -> None:
    port = free_ports(cluster_demo.REPLICAS)
    # The first replica is killed after 8 s.
    command = [sys.executable, "-m", "device_sim.cluster_demo", "--for", "40", "--json"]
    options = ["--data", str(tmp_path), "--rest-port", str(port)]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["kills"] >= 1
    assert result["moves"] > 0
    assert min(result["answered_by"].values()) > 0
    assert {"Barack Obama", "Joe Biden", "Grace Hopper"} == {*result["people"]}
    assert not any(accepts(each) for each in range(port, port + cluster_demo.REPLICAS))
