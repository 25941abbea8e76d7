"""Replicas on one broker and one database: shared requests, owned cameras, and a leader that is replaced."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.cluster import lease_keeper
from gateway.errors import Busy
from gateway.model import Person
from gateway.model.cluster import FORGOTTEN_AFTER_S
from gateway.model.sightings import Presence, PresentPerson
from gateway.mqtt.announcements import publish_guard
from gateway.mqtt.cluster import replica_status
from gateway.mqtt.cluster.specs import NEED
from gateway.mqtt.transport import backoff
from gateway.store.postgres.database import PostgresDatabase
from tests.e2e.gateway_processes import retained_messages
from tests.mqtt.cluster.replicas import CLUSTER, LEASE_S, Replica, Replicas, replicas_running
from tests.support import MOSQUITTO, Broker, Client, Message, accepts, broker_running, frame, free_port, wait_for

pytestmark = [
    pytest.mark.extra,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt has no shared subscriptions"),
]

PICTURE = frame("obama_1")

NO_END_S = 600.0
"""A time that no test takes."""

LISTEN_S = 6.0
"""Time in which a replica with a lease would connect, and announce what it should not."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with broker_running(tmp_path) as broker:
        yield broker


@pytest.fixture
def replicas(tmp_path: Path, broker: Broker, postgres_url: str) -> Iterator[Replicas]:
    with replicas_running(tmp_path, broker, postgres_url) as replicas:
        yield replicas


@pytest.fixture
def device(broker: Broker) -> Iterator[Client]:
    client = Client(broker.port).subscribe("facegate/+/response/#")
    yield client
    client.close()


def responses(device: Client, count: int) -> list[str]:
    return [device.get().topic.rsplit("/", 1)[1] for _ in range(count)]


def ask(device: Client, ids: Collection[str]) -> set[str]:
    """Repeat requests until each has a reply, as devices do: on a busy machine any replica may lose its lease."""
    answered: set[str] = set()

    def all_answered() -> bool:
        for each in set(ids) - answered:
            device.publish(f"facegate/porch/request/detect/{each}", PICTURE)
        answered.update(each.topic.rsplit("/", 1)[1] for each in drain(device))
        return set(ids) <= answered

    wait_for(all_answered)
    return answered.intersection(ids)


def drain(client: Client) -> list[Message]:
    found = []
    while True:
        try:
            found.append(client.get(0.3))
        except queue.Empty:
            return found


def retained(broker: Broker) -> dict[str, Any]:
    """Return the retained documents by their topics."""
    messages = retained_messages(broker.port)
    return {topic: json.loads(payload) for topic, payload in messages.items() if payload[:1] == b"{"}


def description(broker: Broker, replica: Replica) -> dict[str, Any]:
    """Return the retained description of a replica, which comes soon after its start."""
    found: dict[str, Any] = retained(broker).get(f"facegate/bridge/replica/{replica.id}", {"state": None})
    return found


def shown_on(broker: Broker, camera: str) -> str:
    """Return the retained document of the people on a camera."""
    return json.dumps(retained(broker).get(f"facegate/{camera}/present"))


def change_people(replicas: Replicas) -> None:
    """Change the revision, as each change of people does."""
    with closing(PostgresDatabase(replicas.url)) as database, database.transaction() as db:
        db.execute("UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE key = 'revision'")


def test_each_request_is_answered_once_and_the_work_is_shared(replicas: Replicas, device: Client) -> None:
    started = replicas.start("ada", "ben", "cy")
    ids = [str(number) for number in range(60)]
    for each in ids:
        device.publish(f"facegate/cam{int(each) % 4}/request/detect/{each}", PICTURE)
    assert sorted(responses(device, 60)) == sorted(ids)
    assert drain(device) == []
    assert Counter(each for replica in started for each in replica.answered) == Counter(ids)
    assert [len(replica.answered) for replica in started] == [20, 20, 20]


def test_requests_do_not_wait_for_a_slow_one(replicas: Replicas, device: Client) -> None:
    """A change may wait for seconds until all replicas follow it, and acknowledgements go out in their order."""
    replicas.answer_s = NO_END_S
    started = replicas.start("ada", "ben")
    for replica in started:
        replica.slow = {"slow"}

    def all_have_the_slow_one() -> bool:
        device.publish("facegate/porch/request/detect/slow", PICTURE)
        return all(replica.waiting for replica in started)

    wait_for(all_have_the_slow_one)
    ids = [str(number) for number in range(60)]
    assert ask(device, ids) == set(ids)
    for replica in started:
        replica.release()


def test_command_is_carried_out_once_by_the_leader(replicas: Replicas, device: Client) -> None:
    started = replicas.start("ada", "ben", "cy")
    leader = replicas.leader
    for _ in range(4):
        device.publish("facegate/bridge/request/health", b"{}")
    assert responses(device, 4) == ["health"] * 4
    assert drain(device) == []
    assert leader.answered == ["health"] * 4
    assert all(replica.answered == [] for replica in started if replica is not leader)


def test_frames_of_a_camera_reach_its_owner_only(replicas: Replicas, device: Client) -> None:
    """The leader finds the cameras by their frames."""
    started = replicas.start("ada", "ben", "cy")
    cameras = [f"cam{number}" for number in range(9)]

    def all_owned() -> bool:
        for camera in cameras:
            device.publish(f"facegate/{camera}/frame", PICTURE, qos=0)
        return sorted(name for each in started for name in each.membership.owned) == cameras

    wait_for(all_owned)
    wait_for(lambda: all(each.membership.owned for each in started))
    wait_for(lambda: all_owned() and all(set(each.frames) >= each.membership.owned for each in started))
    for each in started:
        each.frames.clear()
    for camera in cameras:
        device.publish(f"facegate/{camera}/frame", PICTURE, qos=0)
    wait_for(lambda: all(set(each.frames) >= each.membership.owned for each in started))
    assert all(set(each.frames) == each.membership.owned for each in started)


def test_pieces_of_a_new_camera_reach_its_owner_when_they_are_repeated(replicas: Replicas, device: Client) -> None:
    replicas.start("ada", "ben")
    wait_for(lambda: replicas.leader is not None)
    half = len(PICTURE) // 2

    def is_answered() -> bool:
        for number, piece in enumerate((PICTURE[:half], PICTURE[half:])):
            device.publish(f"facegate/pieces/part/{number}/2/detect/7", piece)
        return not device.nothing_comes(1)

    wait_for(is_answered)
    assert replicas.owner("pieces").answered == ["7"]


def wait_until_noted(leader: Replica) -> None:
    """Wait until the leader has noted that it takes commands. Without the note the next one refuses those that wait."""
    wait_for(lambda: leader.notes.read_commands_waited_s() is not None)


def test_commands_wait_for_the_next_leader(replicas: Replicas, broker: Broker, device: Client) -> None:
    replicas.start("ada", "ben", "cy")
    first = replicas.leader
    wait_for(lambda: retained(broker).get("facegate/bridge/state") == {"state": "online"})
    watcher = Client(broker.port).subscribe("facegate/bridge/state", f"facegate/bridge/replica/{first.id}")
    drain(watcher)
    wait_until_noted(first)
    first.die()
    device.publish("facegate/bridge/request/health", b"{}")
    assert responses(device, 1) == ["health"]
    second = replicas.leader
    assert second is not first
    assert second.answered == ["health"]
    wait_for(lambda: retained(broker)["facegate/bridge/info"]["instance"] == second.id)
    assert retained(broker)["facegate/bridge/state"] == {"state": "online"}
    wait_for(lambda: description(broker, first)["state"] == "offline")
    wait_for(lambda: description(broker, second).get("leader"))
    # The next leader withdrew the last will: nobody saw `offline`.
    assert b"offline" not in [each.payload for each in drain(watcher) if each.topic.endswith("state")]
    watcher.close()


def test_command_in_work_at_a_leader_that_dies_is_carried_out_by_the_next(replicas: Replicas, device: Client) -> None:
    replicas.start("ada", "ben")
    first = replicas.leader
    first.may_answer.clear()
    device.publish("facegate/bridge/request/health", b"{}")
    wait_for(lambda: first.answered == ["health"])
    wait_until_noted(first)
    first.die()
    assert responses(device, 1) == ["health"]
    assert replicas.leader.answered == ["health"]


def test_replica_without_its_lease_leaves_the_requests_to_the_others(
    replicas: Replicas, broker: Broker, device: Client
) -> None:
    cut, other = replicas.start("ada", "ben")
    cut.store_proxy.cut()
    # By the last will: until the broker has noticed the end of the connection, it goes on sharing out requests to it.
    wait_for(lambda: description(broker, cut)["state"] == "offline")
    ids = [str(number) for number in range(10)]
    assert ask(device, ids) == set(ids)
    assert set(other.answered) == set(ids)
    assert cut.answered == []
    cut.store_proxy.mend()
    wait_for(lambda: cut.mqtt.health.connected and cut.mqtt.loopback.fresh)
    numbers = count(10)
    wait_for(lambda: ask(device, [str(next(numbers))]) and cut.answered)


def test_reply_that_the_broker_did_not_get_before_the_end_of_the_lease_is_not_repeated(
    replicas: Replicas, device: Client
) -> None:
    """The person whom it names may have been erased meanwhile."""
    (replica,) = replicas.start("ada")
    session = replica.mqtt.connections.requests.session
    assert session is not None
    replica.may_answer.clear()
    device.publish("facegate/porch/request/detect/early", PICTURE)
    wait_for(lambda: replica.answered == ["early"])
    # All that the replica sends from now on is lost.
    replica.broker_proxy.half_open()
    replica.release()
    wait_for(lambda: session.pending > 0)
    replica.store_proxy.cut()
    wait_for(lambda: not replica.membership.may_name_people())
    wait_for(lambda: not session.connected)
    replica.store_proxy.mend()
    wait_for(lambda: replica.mqtt.connections.requests.session is not session)
    wait_for(lambda: replica.mqtt.health.connected and replica.mqtt.loopback.fresh)
    device.publish("facegate/porch/request/detect/late", PICTURE)
    assert responses(device, 1) == ["late"]
    assert drain(device) == []
    assert replica.answered == ["early", "late"]


def test_name_that_was_announced_before_the_end_of_the_lease_is_not_announced_after_it(
    replicas: Replicas, broker: Broker
) -> None:
    """Regression: PostgreSQL was away, and a camera was left slowly. The next session announced the erased person."""
    # A replica that is alone would announce at the end that nobody is present.
    started = replicas.start("ada", "ben")
    started[0].membership.add_cameras(["porch"])
    wait_for(lambda: all(len(each.membership.view().candidates) == 2 for each in started))
    replica = replicas.owner("porch")
    replica.announcements.announcer.announce_presence(
        Presence(camera="porch", people=(PresentPerson(Person("grace", "Grace"), 1.0),))
    )
    wait_for(lambda: "grace" in shown_on(broker, "porch"))
    watcher = Client(broker.port).subscribe("facegate/#")
    drain(watcher)
    replica.may_lose.clear()
    for each in started:
        each.store_proxy.cut()
    wait_for(lambda: not any(each.membership.may_name_people() for each in started))
    wait_for(lambda: not replica.mqtt.connections.requests.connected)
    # Meanwhile somebody else erases the person.
    for each in started:
        each.store_proxy.mend()
    wait_for(lambda: replica.membership.problem is None)
    heard, end = drain(watcher), time.monotonic() + LISTEN_S
    while not replica.mqtt.connections.requests.connected and time.monotonic() < end:
        heard += drain(watcher)
    heard += drain(watcher)
    replica.may_lose.set()
    wait_for(lambda: replica.mqtt.health.connected and replica.mqtt.loopback.fresh)
    wait_for(lambda: "porch" in replica.membership.owned)
    heard += drain(watcher)
    # The retained ones are those of before, which came late.
    assert [each.topic for each in heard if b"grace" in each.payload and not each.retain] == []
    watcher.close()


def test_session_of_an_earlier_lease_sends_nothing_more(replicas: Replicas, device: Client) -> None:
    """A reply waits in the session while the lease ends. The replica has a lease again before it looks at the end."""
    (replica,) = replicas.start("ada")
    session = replica.mqtt.connections.requests.session
    assert session is not None
    assert session.may_publish()
    first = replica.membership.admission
    replica.store_proxy.cut()
    wait_for(lambda: not replica.membership.may_name_people())
    replica.store_proxy.mend()
    wait_for(replica.membership.may_name_people)
    assert replica.membership.admission != first
    assert not session.may_publish()
    wait_for(lambda: replica.mqtt.connections.requests.session is not session)
    wait_for(lambda: replica.mqtt.health.connected and replica.mqtt.loopback.fresh)
    device.publish("facegate/porch/request/detect/1", PICTURE)
    assert responses(device, 1) == ["1"]


def test_person_who_is_removed_while_a_camera_is_left_is_withdrawn(replicas: Replicas, broker: Broker) -> None:
    """The live cameras have left the camera already. Its document names the person until the next owner announces."""
    (replica,) = replicas.start("ada")
    replica.membership.add_cameras(["porch"])
    wait_for(lambda: "porch" in replica.membership.owned)
    announcer = replica.announcements.announcer
    people = (PresentPerson(Person("grace", "Grace"), 1.0), PresentPerson(Person("bob", "Bob"), 1.0))
    announcer.announce_presence(Presence(camera="porch", people=people))
    wait_for(lambda: "grace" in shown_on(broker, "porch"))
    announcer.remove_person("grace")
    wait_for(lambda: "grace" not in shown_on(broker, "porch"))
    assert "bob" in shown_on(broker, "porch")


def test_replica_that_may_name_people_without_a_lease_announces_nothing_of_the_cameras_it_lost(
    replicas: Replicas, broker: Broker
) -> None:
    replicas.names_s = NO_END_S
    (replica,) = replicas.start("ada")
    replica.membership.add_cameras(["porch"])
    wait_for(lambda: "porch" in replica.membership.owned)
    announcer = replica.announcements.announcer
    announcer.announce_presence(Presence(camera="porch", people=(PresentPerson(Person("grace", "Grace"), 1.0),)))
    wait_for(lambda: "grace" in shown_on(broker, "porch"))
    wait_for(lambda: description(broker, replica).get("cameras") == ["porch"])
    replica.store_proxy.cut()
    wait_for(lambda: not replica.membership.has_lease())
    # This document follows those of the camera.
    wait_for(lambda: description(broker, replica).get("cameras") == [])
    assert replica.membership.may_name_people()
    # The next owner announces who is there now.
    assert "grace" in shown_on(broker, "porch")


def test_next_owner_clears_what_an_owner_that_died_has_left(replicas: Replicas, broker: Broker) -> None:
    """Regression: it knew only the topics that were in the journal of topics when its own session began."""
    ada, ben = replicas.start("ada", "ben")
    ada.membership.add_cameras(["porch"])
    owner = replicas.owner("porch")
    other = ben if owner is ada else ada
    announcer = owner.announcements.announcer
    announcer.announce_snapshot("porch", b"\xff\xd8 a picture")
    announcer.announce_presence(Presence(camera="porch", people=(PresentPerson(Person("grace", "Grace"), 1.0),)))
    left = {"facegate/porch/snapshot", "facegate/porch/present"}
    wait_for(lambda: left <= retained_messages(broker.port).keys())
    # A removal is answered when no retained message can name anybody who is not enrolled.
    wait_for(lambda: _is_answered(other))
    assert left <= retained_messages(broker.port).keys()
    owner.die()
    change_people(replicas)
    wait_for(lambda: _is_answered(other))
    assert left.isdisjoint(retained_messages(broker.port))


def test_reply_is_at_the_broker_before_a_removal_is_confirmed(replicas: Replicas, device: Client) -> None:
    """Regression: a reply that waited for a slow broker came after the answer to the erasure of the person it named."""
    (replica,) = replicas.start("ada")
    session = replica.side.connections.requests.session
    replica.may_answer.clear()
    device.publish("facegate/porch/request/detect/1", PICTURE)
    wait_for(lambda: replica.waiting)
    replica.broker_proxy.stall()
    replica.release()
    flushing = threading.Thread(target=replica.side.flush, args=(NO_END_S,))
    flushing.start()
    assert drain(device) == []
    assert flushing.is_alive()
    replica.broker_proxy.mend()
    flushing.join()
    assert responses(device, 1) == ["1"]
    assert session is replica.side.connections.requests.session


def test_connection_of_a_broker_that_takes_nothing_is_cut(replicas: Replicas) -> None:
    (replica,) = replicas.start("ada")
    session = replica.side.connections.requests.session
    assert session is not None
    replica.broker_proxy.stall()
    replica.side.flush(0.1)
    assert not session.connected
    replica.broker_proxy.mend()
    wait_for(lambda: replica.mqtt.loopback.fresh and replica.side.connections.requests.session is not session)


def test_leader_clears_the_description_of_a_replica_that_was_removed(
    replicas: Replicas, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: it stayed `offline` for ever."""
    # Longer than the leader needs to learn of a new replica.
    monkeypatch.setattr(replica_status, "TIDY_INTERVAL_S", LEASE_S)
    monkeypatch.setattr(lease_keeper, "FORGET_INTERVAL_S", 0.1)
    ada, ben = replicas.start("ada", "ben")
    ben.stop()
    wait_for(lambda: description(broker, ben)["state"] == "offline")
    with closing(PostgresDatabase(replicas.url)) as database:
        with database.transaction() as db:
            away = FORGOTTEN_AFTER_S + 1, ben.id
            db.execute("UPDATE cluster_replicas SET names_until = now() - ? * interval '1 s' WHERE id = ?", away)
        wait_for(lambda: database.rows("SELECT id FROM cluster_replicas") == [(ada.id,)])
    wait_for(lambda: description(broker, ben)["state"] is None)
    wait_for(lambda: description(broker, ada)["state"] == "online")


def test_removal_is_busy_while_the_broker_confirms_nothing(replicas: Replicas, broker: Broker) -> None:
    (replica,) = replicas.start("ada")
    replica.membership.add_cameras(["porch"])
    wait_for(lambda: "porch" in replica.membership.owned)
    person = (PresentPerson(Person("grace", "Grace"), 1.0),)
    replica.announcements.announcer.announce_presence(Presence(camera="porch", people=person))
    wait_for(lambda: _is_answered(replica))
    replica.broker_proxy.cut()
    replica.announcements.announcer.remove_person("grace")
    change_people(replicas)
    # Nobody was removed by this change.
    wait_for(lambda: _is_answered(replica, removed=False))
    with pytest.raises(Busy, match=r"retained messages at the broker may still name the person .*the camera porch"):
        replica.membership.confirm_everywhere(removed=True)
    wait_for(replica.membership.has_lease)
    replica.broker_proxy.mend()
    wait_for(lambda: "grace" not in shown_on(broker, "porch"))
    wait_for(lambda: _is_answered(replica))


def test_removal_is_busy_for_a_replica_that_has_not_reached_the_broker_since_its_start(
    replicas: Replicas, broker: Broker
) -> None:
    """Regression: such a replica did not count, so an erasure was answered while the broker kept the name."""
    (replica,) = replicas.start("ada")
    replica.membership.add_cameras(["porch"])
    wait_for(lambda: "porch" in replica.membership.owned)
    person = (PresentPerson(Person("grace", "Grace"), 1.0),)
    replica.announcements.announcer.announce_presence(Presence(camera="porch", people=person))
    wait_for(lambda: "grace" in shown_on(broker, "porch"))
    replica.die()
    broker.stop()
    replica.stop()
    again = replicas.begin("ada")
    change_people(replicas)
    with pytest.raises(Busy, match=r"retained messages at the broker may still name the person .*the camera porch"):
        again.membership.confirm_everywhere(removed=True)
    broker.start()
    wait_for(lambda: _is_answered(again))
    assert "grace" not in json.dumps(retained(broker))


def test_camera_that_is_forgotten_without_the_broker_keeps_its_owner_until_it_is_cleared(
    replicas: Replicas, broker: Broker
) -> None:
    """Regression: its row was deleted at once, so nobody cleared its topics, and no erasure waited for them."""
    (replica,) = replicas.start("ada")
    replica.membership.add_cameras(["porch"])
    wait_for(lambda: "porch" in replica.membership.owned)
    announcer = replica.announcements.announcer
    announcer.announce_snapshot("porch", b"\xff\xd8 a picture")
    announcer.announce_presence(Presence(camera="porch", people=(PresentPerson(Person("grace", "Grace"), 1.0),)))
    left = {"facegate/porch/snapshot", "facegate/porch/present"}
    wait_for(lambda: left <= retained_messages(broker.port).keys())
    replica.broker_proxy.cut()
    announcer.remove_camera("porch")
    replica.membership.forget_camera("porch")
    change_people(replicas)
    with pytest.raises(Busy, match=r"retained messages at the broker may still name the person .*the camera porch"):
        replica.membership.confirm_everywhere(removed=True)
    assert left <= retained_messages(broker.port).keys()
    replica.broker_proxy.mend()
    wait_for(lambda: _is_answered(replica))
    assert left.isdisjoint(retained_messages(broker.port))
    wait_for(lambda: replica.membership.view().cameras == ())
    wait_for(lambda: replica.notes.read_topics("live") == [])


def test_messages_of_a_camera_that_the_cluster_does_not_know_are_cleared_before_a_removal(
    replicas: Replicas, broker: Broker, device: Client
) -> None:
    (replica,) = replicas.start("ada")
    assert replicas.leader is replica
    topic = "facegate/porch/present"
    replica.notes.add_topics("live", [topic])
    device.publish(topic, b'{"text": "grace"}', retain=True)
    wait_for(lambda: topic in retained_messages(broker.port))
    change_people(replicas)
    wait_for(lambda: _is_answered(replica))
    assert topic not in retained_messages(broker.port)


def test_removal_needs_no_room_among_the_cameras_to_clear_topics_of_a_lost_camera(
    replicas: Replicas, broker: Broker, device: Client
) -> None:
    """Regression: in a full cluster nobody took over the topics, and removals got busy until a row was free."""
    replicas.most_cameras = 1
    (replica,) = replicas.start("ada")
    assert replicas.leader is replica
    replica.membership.add_cameras(["yard"])
    wait_for(lambda: "yard" in replica.membership.owned)
    topic = "facegate/porch/present"
    replica.notes.add_topics("live", [topic])
    device.publish(topic, b'{"text": "grace"}', retain=True)
    wait_for(lambda: topic in retained_messages(broker.port))
    change_people(replicas)
    wait_for(lambda: _is_answered(replica))
    assert topic not in retained_messages(broker.port)
    wait_for(lambda: replica.notes.read_topics("live") == [])


@pytest.mark.parametrize("change", ["document", "clearing"])
def test_removal_is_busy_while_the_broker_refuses_a_message(tmp_path: Path, postgres_url: str, change: str) -> None:
    """Regression: a refused message counted as one that the broker has taken."""
    port, acl = free_port(), tmp_path / "acl"
    acl.write_text("topic readwrite #\n")
    extra = f"\nuser root\nlistener {port} 127.0.0.1\nallow_anonymous true\nacl_file {acl}\n"
    with (
        broker_running(tmp_path, port, extra) as broker,
        replicas_running(tmp_path, broker, postgres_url) as replicas,
    ):
        (replica,) = replicas.start("ada")
        replica.membership.add_cameras(["porch"])
        wait_for(lambda: "porch" in replica.membership.owned)
        announcer = replica.announcements.announcer
        announcer.announce_presence(Presence(camera="porch", people=(PresentPerson(Person("grace", "Grace"), 1.0),)))
        wait_for(lambda: "grace" in shown_on(broker, "porch"))
        acl.write_text("topic deny facegate/porch/present\ntopic readwrite #\n")
        broker.reload()
        if change == "document":
            announcer.remove_person("grace")
        else:
            announcer.remove_camera("porch")
        change_people(replicas)
        with pytest.raises(Busy, match=r"retained messages at the broker may still name the person .*the camera porch"):
            replica.membership.confirm_everywhere(removed=True)
        (warning,) = replica.announcements.warnings
        assert "the broker refused messages on facegate/porch/present" in warning
        assert replica.notes.read_topics("live") == ["facegate/porch/present"]
        acl.write_text("topic readwrite #\n")
        broker.reload()
        assert "grace" in shown_on(broker, "porch")
        replica.broker_proxy.cut()
        replica.broker_proxy.mend()
        wait_for(lambda: _is_answered(replica))
        assert "grace" not in json.dumps(retained(broker))
        wait_for(lambda: replica.announcements.warnings == ())


def test_cameras_of_a_replica_that_does_not_reach_the_broker_move(replicas: Replicas, broker: Broker) -> None:
    """Regression: it kept them, so that nobody followed them, and each removal of a person got ``busy``."""
    started = replicas.start("ada", "ben")
    cameras = {f"cam{number}" for number in range(8)}
    started[0].membership.add_cameras(cameras)
    wait_for(lambda: frozenset().union(*(each.membership.owned for each in started)) == cameras)
    wait_for(lambda: all(each.membership.owned for each in started))
    lost = replicas.leader
    (other,) = (each for each in started if each is not lost)
    camera = min(lost.membership.owned)
    person = (PresentPerson(Person("grace", "Grace"), 1.0),)
    lost.announcements.announcer.announce_presence(Presence(camera=camera, people=person))
    wait_for(lambda: "grace" in shown_on(broker, camera))
    lost.broker_proxy.cut()
    wait_for(lambda: other.membership.owned == cameras and other.membership.is_leader)
    assert not lost.membership.owned
    lost.announcements.announcer.remove_person("grace")
    change_people(replicas)
    wait_for(lambda: _is_answered(other))
    assert "grace" not in json.dumps(retained(broker))
    lost.broker_proxy.mend()
    wait_for(lambda: bool(lost.membership.owned))
    assert other.membership.is_leader


def test_cameras_stay_while_the_broker_restarts(
    replicas: Replicas, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise one replica may connect so long after the other that it gives its cameras up.
    monkeypatch.setattr(backoff, "RETRY_PAUSES_S", (0.1, 0.2))
    started = replicas.start("ada", "ben")
    cameras = {f"cam{number}" for number in range(8)}
    started[0].membership.add_cameras(cameras)
    wait_for(lambda: all(each.membership.owned for each in started))
    wait_for(lambda: frozenset().union(*(each.membership.owned for each in started)) == cameras)
    owned = [each.membership.holdings().cameras for each in started]
    broker.stop()
    wait_for(lambda: not any(each.mqtt.connected for each in started))
    views = [each.membership.view for each in started]
    wait_for(lambda: not any(replica.connected for view in views for replica in view().replicas))
    broker.start()
    wait_for(lambda: all(each.mqtt.connected for each in started))
    assert [each.membership.holdings().cameras for each in started] == owned


def test_connections_that_a_replica_closes_itself_are_not_blamed_on_a_message(
    replicas: Replicas, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: after three outages of the database the description of the replica was not published for an hour."""
    (replica,) = replicas.start("ada")
    replica.membership.add_cameras(["porch"])
    for _ in range(publish_guard.MAX_FAILED_CONNECTIONS + 1):
        wait_for(lambda: description(broker, replica).get("cameras") == ["porch"])
        # The broker does not confirm this description before the replica closes the connection.
        replica.broker_proxy.stall()
        replica.side.gain_cameras()
        replica.store_proxy.cut()
        wait_for(lambda: not replica.mqtt.connections.requests.connected)
        replica.broker_proxy.mend()
        replica.store_proxy.mend()
    expected = {"state": "online", "cameras": ["porch"]}
    wait_for(lambda: expected.items() <= description(broker, replica).items())
    assert "the connection to the broker is closed: the lease of this replica has ended" in caplog.text
    assert "is lost (" not in caplog.text
    assert replica.announcements.warnings == ()


def _is_answered(replica: Replica, *, removed: bool = True) -> bool:
    try:
        replica.membership.confirm_everywhere(removed=removed)
    except Busy:
        return False
    return True


def test_stop_in_order_loses_no_request(replicas: Replicas, device: Client) -> None:
    leaving, staying = replicas.start("ada", "ben")
    leaving.may_answer.clear()
    ids = [str(number) for number in range(8)]
    for each in ids:
        device.publish(f"facegate/porch/request/detect/{each}", PICTURE)
    wait_for(lambda: len(leaving.answered) + len(staying.answered) == len(ids))
    leaving.mqtt.stop_accepting()
    leaving.release()
    for number in range(8, 12):
        device.publish(f"facegate/porch/request/detect/{number}", PICTURE)
    assert sorted(map(int, responses(device, 12))) == list(range(12))
    leaving.stop()
    assert len(staying.answered) == 8


def test_last_replica_leaves_offline_behind(replicas: Replicas, broker: Broker) -> None:
    (only,) = replicas.start("ada")
    wait_for(lambda: retained(broker).get("facegate/bridge/state") == {"state": "online"})
    wait_for(lambda: description(broker, only).get("leader"))
    assert description(broker, only)["address"] == "http://ada"
    only.stop()
    assert retained(broker)["facegate/bridge/state"] == {"state": "offline"}
    left = description(broker, only)
    assert (left["state"], left["cameras"]) == ("offline", [])


def test_leader_that_stops_hands_over_without_offline(replicas: Replicas, broker: Broker) -> None:
    replicas.start("ada", "ben")
    first = replicas.leader
    wait_for(lambda: retained(broker).get("facegate/bridge/state") == {"state": "online"})
    watcher = Client(broker.port).subscribe("facegate/bridge/state")
    drain(watcher)
    first.stop()
    (second,) = (each for each in replicas.values() if each is not first)
    wait_for(lambda: second.side.connections.leader.connected)
    wait_for(lambda: retained(broker)["facegate/bridge/info"]["instance"] == second.id)
    assert {each.payload for each in drain(watcher)} <= {b'{"state":"online"}'}
    watcher.close()


@contextmanager
def rival_connected(broker: Broker, client_id: str) -> Iterator[paho.Client]:
    """Another client of the broker, which connects with a client id, and again whenever it loses the connection."""
    is_connected = threading.Event()
    rival = paho.Client(CallbackAPIVersion.VERSION2, client_id, clean_session=True)
    rival.on_connect = lambda *_: is_connected.set()
    rival.reconnect_delay_set(1, 1)
    rival.connect("127.0.0.1", broker.port)
    rival.loop_start()
    try:
        wait_for(is_connected.is_set)
        yield rival
    finally:
        rival.disconnect()
        rival.loop_stop()


def test_client_ids_that_can_be_guessed_take_over_no_connection(
    replicas: Replicas, broker: Broker, device: Client
) -> None:
    """Regression: every login of the broker could end the leader, and discard the commands that wait for it."""
    ada, _ = replicas.start("ada", "ben")
    leader = replicas.leader
    own, connections = f"facegate-ada-{ada.id}", ada.side.connections
    sessions = leader.side.connections.leader.session, connections.requests.session, connections.frames.session
    with (
        rival_connected(broker, f"facegate-{CLUSTER}-leader"),
        rival_connected(broker, own),
        rival_connected(broker, f"{own}-live"),
    ):
        device.publish("facegate/bridge/request/health", b"{}")
        assert responses(device, 1) == ["health"]
        for session in sessions:
            assert session is not None
            assert session.connected
    assert leader.side.connections.leader.session is sessions[0]


def test_replica_goes_on_when_its_connections_are_taken_over_again_and_again(
    replicas: Replicas,
    broker: Broker,
    device: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Regression: five short sessions ended the leader with exit code 78, then the next one, and so all replicas."""
    monkeypatch.setattr(backoff, "MAX_SHORT_CONNECTIONS", 2)
    monkeypatch.setattr(backoff, "RETRY_PAUSES_S", (0.1, 0.2))
    replicas.start("ada")
    leader = replicas.leader
    connections = leader.side.connections
    taken = {"commands": connections.leader, "requests": connections.requests, "frames": connections.frames}
    for name, connection in taken.items():
        client_id = connection._client_id
        with rival_connected(broker, client_id):
            wait_for(lambda name=name: any(f"connection for {name}." in each for each in leader.mqtt.warnings))
        assert client_id not in "".join(leader.mqtt.warnings)
        assert client_id not in caplog.text
        assert f"connection for {name}." in caplog.text
    assert leader.fatal == []
    wait_for(lambda: all(each.connected for each in taken.values()))
    assert replicas.leader is leader
    device.publish("facegate/bridge/request/health", b"{}")
    assert responses(device, 1) == ["health"]


def test_broker_without_mqtt_5_is_named_in_one_sentence(
    tmp_path: Path, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    command = [sys.executable, "-m", "device_sim.broker", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as amqtt:
        try:
            wait_for(lambda: accepts(port))
            with replicas_running(tmp_path, Broker(tmp_path, port), postgres_url) as replicas:
                replicas.begin("ada")
                wait_for(lambda: NEED in caplog.text)
        finally:
            amqtt.terminate()
