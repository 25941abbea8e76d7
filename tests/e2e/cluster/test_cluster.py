"""Two gateways on one store in PostgreSQL and one broker, as replicas of a cluster, with real pictures."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import Empty
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from gateway.app import Gateway, running
from gateway.cli.operations import operations
from gateway.config.cluster_section import ClusterSettings
from gateway.errors import StartError
from gateway.model import FoundFace
from gateway.model.caller import REST_CALLER
from gateway.store.postgres.statements import WRITE_LOCK
from tests.e2e.cluster.support import BASE, Replica, Site, enrol, send
from tests.examples import BOX, QUALITY, descriptor
from tests.support import WAIT_S, Client, frame, wait_for

MOST_OF_A_REPLICA = 20
"""Connections that a replica has at most, as docs/how-to/run-several-gateways.md says."""

WRITERS = 20
"""More threads that write at once than a replica has connections for."""


def test_change_by_a_command_waits_for_all_replicas(site: Site, tmp_path: Path) -> None:
    replica = site.start("first")
    enrol(replica, "Barack Obama", "obama_1")
    with operations(site.settings("command"), with_worker=False) as run:
        run("people/rename", person="barack_obama", name="Obama")
        assert replica.name("obama_2") == "Obama"
        run("people/erase", person="barack_obama")
        assert replica.name("obama_2") is None


def test_replica_without_an_address_shows_its_machine(site: Site) -> None:
    replica = site.start("first")
    (found,) = replica.place.membership.view().replicas
    assert found.address == f"{socket.gethostname()}:{urlsplit(replica.gateway.rest.url).port}"


def test_gateway_with_another_name_of_the_cluster_is_refused(site: Site) -> None:
    site.start("first")
    other = site.settings("second").model_copy(update={"cluster": ClusterSettings(name="other")})
    with pytest.raises(StartError, match="belongs to the cluster site on the base topic cluster, and") as refusal:
        running(other).__enter__()
    assert refusal.value.exit_code == os.EX_CONFIG


def test_gateway_ends_that_started_at_the_moment_of_another_cluster(site: Site) -> None:
    """Regression: it ran on without a lease. Its settings are wrong, as if it had started later."""
    wrong = site.settings("second").model_copy(update={"cluster": ClusterSettings(name="other")})
    # This gateway looks at the database when no replica has a lease yet.
    wrong.data.mkdir(exist_ok=True)
    gateway = Gateway(wrong)
    with ExitStack() as stack:
        stack.callback(gateway.stop)
        site.start("first")
        gateway.start()
        wait_for(lambda: not gateway._fatal_errors.empty())
        with pytest.raises(StartError, match="belongs to the cluster site") as refusal:
            gateway.run()
    assert refusal.value.exit_code == os.EX_CONFIG


def test_change_is_followed_by_all_replicas_before_its_answer(site: Site) -> None:
    first, second = site.start("first"), site.start("second")
    enrol(first, "Barack Obama", "obama_1")
    assert second.name("obama_2") == "Barack Obama"
    answers: list[str | None] = []
    erased, stop = threading.Event(), threading.Event()

    def stream() -> None:
        while not stop.is_set():
            after = erased.is_set()
            name = second.name("obama_2")
            if after:
                answers.append(name)

    thread = threading.Thread(target=stream)
    thread.start()
    try:
        answer = first.ask("POST", "people/barack_obama/erase")
        assert answer.status_code == 200, answer.text
        erased.set()
        wait_for(lambda: len(answers) > 3)
    finally:
        stop.set()
        thread.join()
    assert "Barack Obama" not in answers


@contextmanager
def following_nothing(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a replica follow no change of people, so that its lease ends soon."""
    is_held, may_follow = threading.Event(), threading.Event()
    refresh = replica.gateway.people.updater.refresh

    def wait_and_refresh() -> None:
        is_held.set()
        may_follow.wait()
        refresh()

    monkeypatch.setattr(replica.gateway.people.updater, "refresh", wait_and_refresh)
    try:
        # Before that a call of the original may still follow the next change.
        wait_for(is_held.is_set)
        yield
    finally:
        may_follow.set()


def test_erasure_waits_for_a_replica_that_is_slow_or_without_a_lease(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = site.start("first"), site.start("second")
    enrol(first, "Barack Obama", "obama_1")
    assert second.name("obama_2") == "Barack Obama"
    with following_nothing(second, monkeypatch):
        answer = first.ask("POST", "people/barack_obama/erase")
        assert answer.status_code == 200, answer.text
        assert second.name("obama_2") == "busy"
    names: list[str | None] = []

    def is_unknown() -> bool:
        names.append(second.name("obama_2"))
        return names[-1] is None

    wait_for(is_unknown)
    assert set(names) <= {"busy", None}


def read_stream(replica: Replica) -> str:
    """Return what a new client of the event stream gets first: all states."""
    text = ""
    with replica.ask("GET", "events", stream=True) as answer:
        assert answer.status_code == 200
        pieces = answer.iter_content(None)
        while "event: reset" not in text or "event: camera" not in text:
            text += next(pieces).decode()
    return text


def test_event_stream_of_a_replica_without_a_lease_names_nobody(
    site: Site, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = site.start("first")
    enrol(replica, "Barack Obama", "obama_1")

    def sees_person() -> bool:
        send(client, ["porch"])
        cameras = replica.get("cameras")["cameras"]
        return bool(cameras) and "barack_obama" in read_stream(replica)

    wait_for(sees_person)
    with following_nothing(replica, monkeypatch):
        wait_for(lambda: not replica.place.membership.may_name_people())
        assert "barack_obama" not in read_stream(replica)


# A sighting that ends soon: a person is where they came last, and all cameras of this test show the person first.
@pytest.mark.parametrize("sections", [{"live": {"gone_s": 5}}])
def test_person_is_where_the_cameras_of_all_replicas_saw_them_last(site: Site, client: Client) -> None:
    first, second = site.start("first"), site.start("second")
    enrol(first, "Barack Obama", "obama_1")
    client.subscribe(f"{BASE}/bridge/person/barack_obama")
    cameras = site.name_cameras(3)
    wait_for(lambda: {site.owner(each) for each in send(client, cameras)} == {first, second})
    of_first, of_second = (next(each for each in cameras if site.owner(each) is owner) for owner in (first, second))

    places: list[dict[str, Any]] = []

    def is_at(camera: str) -> bool:
        send(client, [camera])
        with suppress(Empty):
            places.append(client.get(0.5).json)
        return bool(places and places[-1]["present"] and places[-1]["camera"] == camera)

    # The others of the six cameras show nobody any more after a while.
    wait_for(lambda: is_at(of_first), 2 * WAIT_S)
    wait_for(lambda: is_at(of_second), 2 * WAIT_S)


def test_session_of_a_browser_holds_at_all_replicas(site: Site) -> None:
    first, second = site.start("first"), site.start("second")
    secret = first.ask("POST", "tokens", json={"name": "phone", "role": "viewer"}).json()["token"]

    def name(replica: Replica, browser: requests.Session) -> str | None:
        answer = browser.get(f"{replica.gateway.rest.url}/session", timeout=WAIT_S)
        return answer.json().get("name") if answer.status_code == 200 else None

    def log_in(replica: Replica) -> requests.Session:
        # A cookie knows no ports: it is sent to each replica on this machine, as behind one load balancer.
        browser = requests.Session()
        answer = browser.post(f"{replica.gateway.rest.url}/login", json={"token": secret}, timeout=WAIT_S)
        assert answer.status_code == 200
        return browser

    one, other = log_in(first), log_in(second)
    assert [name(replica, browser) for replica in site.started for browser in (one, other)] == ["phone"] * 4
    shown = second.gateway.rest.url
    csrf = one.get(f"{shown}/session", timeout=WAIT_S).json()["csrf"]
    headers = {"Origin": shown, "X-CSRF-Token": csrf}
    assert one.post(f"{shown}/logout", headers=headers, allow_redirects=False, timeout=WAIT_S).status_code == 303
    assert name(first, other) == "phone"
    assert first.ask("DELETE", "tokens/phone").status_code == 200
    assert [name(each, other) for each in site.started] == [None, None]


def test_only_the_leader_imports_the_folder(site: Site) -> None:
    first, second = site.start("first"), site.start("second")
    wait_for(lambda: first.place.leads != second.place.leads)
    leader, other = (first, second) if first.place.leads else (second, first)

    def imports(replica: Replica) -> bool:
        return replica.gateway.people.folder._thread.is_alive()

    wait_for(lambda: imports(leader))
    assert not imports(other)
    site.stop(leader)
    wait_for(lambda: other.place.leads and imports(other))


def test_camera_moves_with_its_sighting_and_everybody_sees_it(site: Site, client: Client) -> None:
    first, second = site.start("first"), site.start("second")
    enrol(first, "Barack Obama", "obama_1")
    client.subscribe(f"{BASE}/#")

    def sightings() -> list[dict[str, Any]]:
        client.publish(f"{BASE}/porch/frame", frame("obama_2"), qos=0)
        return list(site.started[0].get("sightings?camera=porch&outcome=named")["sightings"])

    wait_for(sightings)
    wait_for(lambda: site.owner("porch") is not None)
    owner = site.owner("porch")
    assert owner is not None
    other = second if owner is first else first

    def shown(replica: Replica) -> list[str]:
        return [each["name"] for camera in replica.get("cameras")["cameras"] for each in camera["people"]]

    def is_shown_everywhere() -> bool:
        client.publish(f"{BASE}/porch/frame", frame("obama_2"), qos=0)
        return all(shown(each) == ["Barack Obama"] for each in site.started)

    wait_for(is_shown_everywhere)
    (sighting,) = sightings()
    site.stop(owner)
    wait_for(lambda: site.owner("porch") is other)
    wait_for(is_shown_everywhere)
    assert [each["sighting"] for each in sightings()] == [sighting["sighting"]]


def test_switch_that_one_replica_turns_holds_at_all(site: Site, client: Client) -> None:
    first, second = site.start("first"), site.start("second")

    def is_known() -> bool:
        client.publish(f"{BASE}/porch/frame", frame("obama_2"), qos=0)
        return all(
            [each["camera"] for each in replica.get("cameras")["cameras"]] == ["porch"] for replica in site.started
        )

    wait_for(is_known)
    owner = site.owner("porch")
    other = second if owner is first else first
    assert owner is not None
    assert other.ask("PUT", "cameras/porch/enabled", json={"enabled": False}).status_code == 200
    wait_for(lambda: not owner.get("cameras/porch")["enabled"])


@pytest.mark.parametrize("sections", [{"decision": {"failed_verifications_per_hour": 8}}])
def test_replicas_share_the_limits_of_verifications_and_enrolments(site: Site) -> None:
    """Regression: each replica allowed as many attempts as one gateway."""
    first, second = site.start("first"), site.start("second")
    enrol(first, "Barack Obama", "obama_1")
    wait_for(lambda: all(each.place.count_replicas() == 2 for each in site.started))

    def fail(replica: Replica) -> bool:
        answer = replica.ask("POST", "verify/barack_obama", files={"image": frame("biden_1")})
        if answer.status_code == 200:
            assert answer.json()["match"] is False
            return True
        assert "at one of 2 replicas" in answer.json()["detail"]
        return False

    # One gateway allows one caller five of the eight.
    assert [[fail(each) for _ in range(4)] for each in (first, second)] == [[True, True, False, False]] * 2
    count_replicas = first.gateway.people.enrolment_limit._count_replicas
    assert count_replicas is not None
    assert count_replicas() == 2


def test_camera_that_one_replica_forgets_leaves_the_cluster(site: Site, client: Client) -> None:
    """Regression: the table of cameras kept every name for ever, also made-up ones."""
    first, second = site.start("first"), site.start("second")

    def is_known() -> bool:
        client.publish(f"{BASE}/porch/frame", frame("obama_2"), qos=0)
        return all(
            [each["camera"] for each in replica.get("cameras")["cameras"]] == ["porch"] for replica in site.started
        )

    client.subscribe(f"{BASE}/porch/result")
    wait_for(is_known)
    # A frame that comes after the forgetting makes the camera known. Frames of a camera are answered in their order.
    client.publish(f"{BASE}/porch/frame", frame("empty_1"), qos=0)
    while client.get().json["faces"]:
        pass
    owner = site.owner("porch")
    other = second if owner is first else first
    assert other.ask("DELETE", "cameras/porch").status_code == 200

    def is_forgotten() -> bool:
        if all(each.place.membership.view().cameras == () for each in site.started):
            return all(each.get("cameras")["cameras"] == [] for each in site.started)
        # On a busy machine the search of the leader for new cameras may see the last frame only now.
        other.ask("DELETE", "cameras/porch")
        return False

    wait_for(is_forgotten)


def test_replica_follows_while_all_writers_wait_for_a_long_change(site: Site, postgres_url: str) -> None:
    """Regression: the follower wrote too, and waited for threads that wrote. So a change of seconds ended leases."""
    first, second = site.start("first"), site.start("second")
    enrol(first, "Barack Obama", "obama_1")
    people, joined = second.gateway.people, [each.place.membership.admission for each in site.started]
    group = people.groups.add_face(
        None, FoundFace(BOX, descriptor(9), quality=QUALITY, chips=b"chips"), QUALITY, "porch", time.time()
    )
    with ThreadPoolExecutor(WRITERS + 1) as pool, psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (WRITE_LOCK,))
        try:
            # This thread has the lock of the groups, and waits for the other change.
            ignoring = pool.submit(people.groups.ignore, group.id)
            wait_for(lambda: _count_waiting(other))
            for number in range(WRITERS):
                pool.submit(people.registry.rename, "barack_obama", f"Barack {number}", REST_CALLER)
            # The other change is that of a replica that has died: its last lines wait, and a data key.
            other.execute(
                "INSERT INTO facegate.outbox (uid, at, door, action, person, pictures, detail)"
                " VALUES ('line', 0, 'rest', 'rename', '', 0, '')"
            )
            other.execute("INSERT INTO facegate.erased_people (uid) VALUES ('somebody')")
            other.execute("UPDATE facegate.meta SET value = (value::bigint + 1)::text WHERE key = 'revision'")
            wait_for(lambda: not _count_behind(other))
            assert not ignoring.done()
            connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'facegate'"
            assert (
                _count(other, f"{connections} AND datname = current_database()")
                <= len(site.started) * MOST_OF_A_REPLICA
            )
            assert [each.place.membership.admission for each in site.started] == joined
        finally:
            other.execute("SELECT pg_advisory_unlock(%s)", (WRITE_LOCK,))


def _count_waiting(db: psycopg.Connection[Any]) -> int:
    """Return the number of connections that wait for a lock of the kind that all changes take."""
    return _count(db, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")


def _count_behind(db: psycopg.Connection[Any]) -> int:
    """Return the number of replicas that have not confirmed the present people."""
    present = _count(db, "SELECT value FROM facegate.meta WHERE key = 'revision'")
    return _count(db, f"SELECT count(*) FROM facegate.cluster_replicas WHERE revision < {present}")  # noqa: S608


def _count(db: psycopg.Connection[Any], query: Any) -> int:
    row = db.execute(query).fetchone()
    assert row is not None
    return int(row[0])
