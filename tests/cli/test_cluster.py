"""The command ``facegate cluster`` on a real PostgreSQL."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.checkup.cluster import check_cluster
from gateway.cli.checkup.rest import check_running_gateway
from gateway.cli.main import main
from gateway.cluster.rendezvous import find_favourite
from gateway.config import RestSettings, Settings
from gateway.config.find import find_and_load
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.postgres.coordination import PostgresCoordination
from gateway.store.postgres.opening import open_store
from gateway.store.protocols.coordination import Member
from tests.cluster.support import IDENTITY, Cluster, cluster_running
from tests.store.examples import enrol
from tests.support import free_port, wait_for

CAMERAS = ["attic", "hall", "porch"]
Command = Callable[..., Result]


@pytest.fixture
def command(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    config = tmp_path / "gateway.yaml"
    config.write_text("cluster: {name: site}")
    monkeypatch.setenv("FACEGATE_PEOPLE__STORE", postgres_url)
    return lambda *words: CliRunner().invoke(main, ["cluster", "--config", str(config), *words])


@pytest.fixture
def cluster(postgres_url: str) -> Iterator[Cluster]:
    with cluster_running(postgres_url, 30) as cluster:
        yield cluster


def test_replicas_and_owners_are_printed(command: Command, cluster: Cluster) -> None:
    a, _ = cluster.start("a", "b")
    a.membership.add_cameras(CAMERAS)
    owners = {camera: find_favourite(camera, ["a", "b"]) for camera in CAMERAS}
    wait_for(lambda: cluster.owners() == owners and cluster.leaders())
    done = command("--json")
    assert (done.exit_code, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    (leader,) = cluster.leaders()
    assert (found["cluster"], found["leader"], found["epoch"]) == ("site", leader, 1)
    assert {each["replica"]: each["cameras"] for each in found["replicas"]} == {
        name: sorted(camera for camera, owner in owners.items() if owner == name) for name in "ab"
    }
    assert {each["replica"]: each["state"] for each in found["replicas"]} == {
        name: "leader" if name == leader else "serving" for name in "ab"
    }
    lines = command().stdout.splitlines()
    assert lines[0].split("\t") == ["replica", "state", "broker", "lease", "cameras", "version", "address"]
    assert [line.split("\t") for line in lines[-3:]] == [[camera, owners[camera]] for camera in CAMERAS]


def test_replica_that_does_not_reach_the_broker_is_shown(command: Command, cluster: Cluster) -> None:
    a, b = cluster.start("a", "b")
    wait_for(lambda: bool(cluster.leaders()) and a.membership.may_name_people() and b.membership.may_name_people())
    cluster.start("stray", connected=False)
    wait_for(lambda: a.membership.view().live == {"a", "b", "stray"})
    done = command("--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert {each["replica"]: each["broker"] for each in found["replicas"]} == {
        "a": "connected",
        "b": "connected",
        "stray": "connecting",
    }
    cluster.stop("stray")
    done = command("--json")
    assert done.exit_code == 0
    assert {each["replica"]: each["broker"] for each in json.loads(done.stdout)["replicas"]}["stray"] is None


def test_stopped_replicas_leave_cameras_without_an_owner(command: Command, cluster: Cluster) -> None:
    (a,) = cluster.start("a")
    a.membership.add_cameras(CAMERAS)
    wait_for(lambda: a.membership.owned == set(CAMERAS))
    cluster.stop("a")
    done = command("--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert (found["leader"], found["cameras_without_owner"]) == (None, CAMERAS)
    assert [each["state"] for each in found["replicas"]] == ["stopped"]
    assert "porch\tnobody" in command().stdout.splitlines()


def test_command_that_erases_a_person_waits_for_all_replicas(
    command: Command, cluster: Cluster, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the command ended before, and replicas named the person for a moment."""
    monkeypatch.setenv("FACEGATE_DATA", str(tmp_path / "data"))
    with closing(open_store(postgres_url, Cipher(None), PeopleLimits())) as store:
        enrol(store, "Ada Lovelace")
    (a,) = cluster.start("a")
    wait_for(lambda: a.membership.may_name_people() and a.followed > 0)
    before = a.followed
    config = ["--config", str(tmp_path / "gateway.yaml")]
    with ThreadPoolExecutor(1) as threads:
        with a.following:
            erasing = threads.submit(CliRunner().invoke, main, ["people", "erase", *config, "ada_lovelace", "--yes"])
            wait_for(lambda: erasing.done() or a.membership.view().revision > before)
            assert not erasing.done(), erasing.result().output
        assert erasing.result().exit_code == 0, erasing.result().output
    assert a.followed > before


def test_database_without_tables_is_named_without_its_password(command: Command, postgres_url: str) -> None:
    done = command()
    assert done.exit_code == 1
    assert "has no tables of Facegate: start a gateway" in done.stderr
    assert postgres_url.split(":")[2].split("@")[0] not in done.output


def test_doctor_finds_cameras_that_nobody_follows(cluster: Cluster, postgres_url: str, tmp_path: Path) -> None:
    config = {"data": tmp_path, "people": {"store": postgres_url}, "cluster": {"name": IDENTITY.name}}
    settings = Settings.model_validate(config)
    with closing(PostgresCoordination(postgres_url, 30)) as coordination:
        # A lease alone, without the thread that makes the only replica the leader.
        member = Member(IDENTITY, "a", "process", 30, 30, "1.0")
        coordination.claim_cluster(member)
        coordination.renew(member, revision=0, serving=False, connected=True)
        coordination.add_cameras(["porch"], 1)
        assert [(each.state, each.text) for each in check_cluster(settings)] == [
            ("to_do", "1 live replica, and none leads"),
            ("to_do", "no replica follows porch: see what the replicas say"),
        ]
        coordination.leave(member)
    (a,) = cluster.start("a")
    wait_for(lambda: [each.text for each in check_cluster(settings)] == ["1 live replica; a leads"])
    a.is_connected.clear()
    wait_for(lambda: any("not connected to the broker: a" in each.text for each in check_cluster(settings)))
    cluster.stop("a")
    assert [(each.state, each.text) for each in check_cluster(settings)] == [
        ("advice", f"no replica of the cluster {IDENTITY.name} is running: start one")
    ]


def test_doctor_names_a_replica_that_was_lost(cluster: Cluster, postgres_url: str, tmp_path: Path) -> None:
    """Regression: it said nothing of a machine that had died, and told to start one if that was the last replica."""
    config = {"data": tmp_path, "people": {"store": postgres_url}, "cluster": {"name": IDENTITY.name}}
    settings = Settings.model_validate(config)
    with closing(PostgresCoordination(postgres_url, 30)) as coordination:
        member = Member(IDENTITY, "b", "process", 0.01, 0.01, "1.0", "http://door:5001")
        coordination.claim_cluster(member)
        coordination.renew(member, revision=0, serving=True, connected=True)
        wait_for(lambda: not coordination.read().live)
    reasons = "A lost replica has died, hangs, or does not reach the database: read its log on its machine"
    lost = ("to_do", f"lost: http://door:5001. {reasons}")
    assert [(each.state, each.text) for each in check_cluster(settings)] == [lost]
    cluster.start("a")
    both = [lost, ("ok", "1 live replica; a leads")]
    wait_for(lambda: [(each.state, each.text) for each in check_cluster(settings)] == both)


@pytest.mark.parametrize("settings", ["cluster: {name: other}", "cluster: {name: site}\nmqtt: {base: other}"])
def test_settings_of_another_cluster_are_named(
    command: Command, cluster: Cluster, tmp_path: Path, settings: str
) -> None:
    """Regression: the command and the doctor said that all was well, though the settings were of another cluster."""
    cluster.start("a")
    wait_for(lambda: bool(cluster.leaders()))
    (tmp_path / "gateway.yaml").write_text(settings)
    done = command()
    assert (done.exit_code, done.stdout) == (1, "")
    assert "belongs to the cluster site on the base topic facegate" in done.stderr
    found = list(check_cluster(find_and_load(tmp_path / "gateway.yaml").settings))
    assert [each.state for each in found] == ["to_do"]
    assert "correct cluster.name and mqtt.base" in found[0].text
    cluster.stop("a")
    # A cluster without replicas may get another name.
    assert "belongs to" not in command().stderr


def test_doctor_gives_a_replica_no_advice_to_start_the_service() -> None:
    """Regression: replicas with other ports than the settings say were running."""
    (found,) = check_running_gateway(RestSettings(port=free_port()), [], is_replica=True)
    assert (found.state, found.command) == ("advice", None)
    assert "no replica answers on rest.port" in found.text


def test_wrong_password_is_named_as_at_the_start_of_a_gateway(
    command: Command, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = postgres_url.split(":")[2].split("@")[0]
    monkeypatch.setenv("FACEGATE_PEOPLE__STORE", postgres_url.replace(password, "wrong"))
    done = command()
    assert done.exit_code == 1
    assert "password authentication failed" in done.stderr
    assert "check the user and the password in people.store" in done.stderr


def test_gateway_that_works_alone_has_no_cluster(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.touch()
    done = CliRunner().invoke(main, ["cluster", "--config", str(config)], env={**os.environ})
    assert done.exit_code == 1
    assert "cluster.name is not set" in done.stderr
