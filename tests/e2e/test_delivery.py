"""What is promised: no request is lost, and no effect happens twice; with a real broker and real faults."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import cbor2
import pytest
import requests
from paho.mqtt.enums import MQTTProtocolVersion

from gateway.app import Gateway, running
from gateway.errors import AnotherGateway, StartError, Unavailable
from gateway.mqtt.bridge import duplicate_detector
from gateway.mqtt.bridge.duplicate_detector import DuplicateDetector
from gateway.mqtt.bridge.search_state import SearchEvent
from gateway.mqtt.codec import wire
from gateway.mqtt.delivery import loopback
from gateway.mqtt.transport import reconnector
from gateway.mqtt.transport.session import Session
from tests.e2e.sites import ANSWER_S, Site, answer, answers, lone, pieces, ready, said, workers_of
from tests.e2e.test_mqtt import properties
from tests.examples import encoded, noise
from tests.support import MOSQUITTO, Broker, Client, Message, broker_running, frame, free_port, halted, wait_for

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt keeps no sessions")


@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
def test_what_was_asked_while_the_gateway_was_away_is_answered_when_it_is_back(
    tmp_path: Path, own: Broker, device: Client, protocol: str
) -> None:
    """With a clean session the broker threw it away."""
    config = lone(tmp_path / "data", own, mqtt={"protocol": protocol})
    with running(config) as gateway:
        ready(gateway)
    for camera in ("porch", "yard"):
        device.publish(f"facegate/{camera}/request/detect/{camera}-1", frame("obama_1"))
    with running(config) as gateway:
        found = answers(device, 2)
        assert {name: (each["status"], len(each["faces"])) for name, each in found.items()} == {
            "porch-1": ("ok", 1),
            "yard-1": ("ok", 1),
        }
        wait_for(lambda: len(gateway.mqtt._requests.ledger) == 0)
    with running(config) as gateway:  # acknowledged: it does not come a third time
        ready(gateway)
        assert device.nothing_comes(0.5)


def test_what_waited_for_too_long_is_not_done_any_more(tmp_path: Path, own: Broker, device: Client) -> None:
    """A door that opens in the evening to whoever stood there in the morning. MQTT 5 tells how long it was."""
    config = lone(tmp_path / "data", own, limits={"request_s": 3})
    five = Client(own.port, MQTTProtocolVersion.MQTTv5)
    with running(config) as gateway:
        ready(gateway)
        wait_for((tmp_path / "data" / "alive").exists)
    device.publish("facegate/porch/request/detect/old", frame("obama_1"))
    five.publish("facegate/yard/request/detect/good", frame("obama_1"), properties=properties(MessageExpiryInterval=60))
    time.sleep(3)
    with running(config) as gateway:
        found = answers(device, 2)
        assert (found["old"]["status"], found["old"]["code"]) == ("error", "expired")
        assert found["good"]["status"] == "ok"
        assert gateway.metrics.snapshot()["requests_expired_unseen"] == 1
        wait_for(lambda: gateway.mqtt._loopback.caught_up)
        device.publish("facegate/porch/request/detect/new", frame("obama_1"))
        assert answer(device)["status"] == "ok"
    five.close()


def test_who_repeats_gets_the_same_reply_and_it_is_computed_once(site: Site, phone: Client) -> None:
    before = site.requests()
    replies = []
    for _ in range(3):
        phone.publish("facegate/porch/request/detect/again", frame("obama_1"))
        replies.append(answer(phone))
    assert replies[0]["status"] == "ok"
    assert said(replies[0]) == said(replies[1]) == said(replies[2])
    assert site.requests() == before + 1


def test_repeats_while_it_is_under_way_are_all_answered_by_one_computation(site: Site, phone: Client) -> None:
    before = site.requests()
    with halted(workers_of(site.gateway)):
        for _ in range(3):
            phone.publish("facegate/porch/request/detect/hasty", frame("obama_1"))
        time.sleep(0.3)
    replies = [answer(phone) for _ in range(3)]
    assert said(replies[0]) == said(replies[1]) == said(replies[2])
    assert site.requests() == before + 1


def test_an_answer_is_good_for_no_longer_than_its_request(site: Site) -> None:
    """Whoever was away for a minute was told of a face by an answer to what had long expired."""
    five = Client(site.broker.port, MQTTProtocolVersion.MQTTv5)
    five.subscribe("facegate/+/response/#", "facegate/+/verdict/#")
    expires = properties(MessageExpiryInterval=20)
    five.publish("facegate/porch/request/detect/short", frame("obama_1"), properties=expires)
    told = {message.topic: message.properties["MessageExpiryInterval"] for message in (five.get(), five.get())}
    assert told.keys() == {"facegate/porch/response/detect/short", "facegate/porch/verdict/short"}
    assert all(0 < each < 20 for each in told.values())
    five.close()


def test_another_body_by_the_same_id_is_a_conflict(site: Site, phone: Client) -> None:
    """Answered by the first one's reply, somebody would have been let in by somebody else's face."""
    phone.publish("facegate/porch/request/detect/twice", frame("obama_1"))
    assert answer(phone)["status"] == "ok"
    phone.publish("facegate/porch/request/detect/twice", frame("biden_1"))
    assert answer(phone)["code"] == "conflict"
    phone.publish("facegate/porch/request/face_rec/twice", frame("obama_1"))
    assert answer(phone)["code"] == "conflict"
    phone.publish("facegate/yard/request/detect/twice", frame("biden_1"))
    assert answer(phone)["status"] == "ok"


def test_an_enrolment_needs_an_id(site: Site, phone: Client) -> None:
    payload = cbor2.dumps({"name": "Nobody", "image": frame("obama_1")})
    phone.publish("facegate/porch/request/enroll", payload)
    refused = answer(phone)
    assert refused["code"] == "bad_request"
    assert "needs an id" in refused["error"]
    assert site.gateway.known.store.people.find_person("Nobody") is None


def test_a_fault_of_ours_is_answered_and_not_delivered_for_ever(
    site: Site, phone: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left unacknowledged it came again with every connection, failed again, and ended the gateway in the end."""
    monkeypatch.setattr(site.gateway.mqtt, "_submit", lambda _: 1 / 0)
    phone.publish("facegate/porch/request/face_rec/fault", frame("obama_1"))
    assert answer(phone)["code"] == "internal"
    monkeypatch.undo()
    wait_for(lambda: len(site.gateway.mqtt._requests.ledger) == 0)
    phone.publish("facegate/porch/request/face_rec/sound", frame("obama_1"))
    assert answer(phone)["status"] == "ok"


def test_an_answer_that_cannot_be_written_is_an_error_at_once(
    site: Site, phone: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of something that changes nobody it was a timeout; of an enrolment nothing, until the gateway gave itself up."""
    for function in ("write", "write_done"):
        monkeypatch.setattr(wire, function, lambda *_: 1 / 0)
    phone.publish("facegate/porch/request/face_rec/unwritable", frame("obama_1"))
    assert answer(phone)["code"] == "internal"
    phone.subscribe("facegate/bridge/response/#")
    phone.publish("facegate/bridge/request/people/list", b"")
    assert phone.get().json["code"] == "internal"
    wait_for(lambda: len(site.gateway.mqtt._requests.ledger) == 0)


def test_an_enrolment_is_done_once_also_across_a_restart(tmp_path: Path, own: Broker, device: Client) -> None:
    """The reply was lost with the gateway, and the repeat was a second enrolment."""
    config = lone(tmp_path / "data", own, cameras={"porch": {"operations": ["enroll"]}})
    payload = cbor2.dumps({"name": "Barack Obama", "image": frame("obama_1")})
    replies = []
    for _ in range(2):
        with running(config) as gateway:
            ready(gateway)
            for _ in range(2):
                device.publish("facegate/porch/request/enroll/e1", payload)
                replies.append(answer(device))
                assert replies[-1].get("error") is None
            lines = gateway.known.store.audit.read_lines(10)
            assert [line.action for line in lines] == ["add"]
            other = cbor2.dumps({"name": "Joe Biden", "image": frame("biden_1")})
            device.publish("facegate/porch/request/enroll/e1", other)
            assert answer(device)["code"] == "conflict"
            assert len(gateway.known.store.people.list_entries()) == 1
    told = [(each["person"], each["name"], each["pictures"], each.get("warnings")) for each in replies]
    assert told == [told[0]] * 4
    assert told[0][:3] == ("barack_obama", "Barack Obama", 1)


def test_a_picture_in_pieces_says_what_is_missing_and_then_is_answered(site: Site, phone: Client) -> None:
    parts = pieces(frame("obama_1"), 6)
    late = parts.pop(4)
    random.Random(1).shuffle(parts)
    for n, piece in [*parts, parts[0]]:
        phone.publish(f"facegate/porch/part/{n}/6/detect/big", piece)
    while (told := answer(phone)).get("missing") != [4]:  # more of them, where a piece came late
        assert told["code"] == "incomplete"
    wait_for(site.owes_nothing)  # or pieces of many cameras fill the window, and nobody's last one ever comes
    phone.publish(f"facegate/porch/part/{late[0]}/6/detect/big", late[1])
    whole = answer(phone)
    assert (whole["status"], len(whole["faces"])) == ("ok", 1)
    assert whole["image"]["bytes"] == len(frame("obama_1"))
    wait_for(lambda: not list((site.data / "uploads").glob("*/big")))
    phone.publish("facegate/porch/request/detect/big", frame("obama_1"))  # in whole it is the same request
    assert said(answer(phone)) == said(whole)


def test_what_takes_too_long_is_told_so_and_the_next_are_served(site: Site, phone: Client) -> None:
    """Never acknowledged, it would have held up every later acknowledgement, and with them the broker's queue."""
    with halted(workers_of(site.gateway)):
        began = time.monotonic()
        phone.publish("facegate/porch/request/detect/slow", frame("obama_1"))
        assert answer(phone)["code"] == "timeout"
        assert ANSWER_S - 0.1 <= time.monotonic() - began < site.gateway.pool._picture_s
        wait_for(site.owes_nothing, 5)
    phone.publish("facegate/porch/request/detect/next", frame("obama_1"))
    following = answers(phone)["next"]
    assert following["status"] == "ok"
    phone.publish("facegate/porch/request/detect/slow", frame("obama_1"))
    assert answer(phone)["status"] == "ok"  # `timeout` is no answer to keep


@pytest.mark.parametrize("days", [1, -1])
def test_a_clock_that_jumps_a_day_changes_nothing(
    site: Site, phone: Client, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """A machine without a battery learns what day it is when the network comes: what waited was then a day old, and
    with a clock that went back nothing was ever too late.
    """
    parts, lost = pieces(frame("obama_1"), 2), site.gateway.metrics.snapshot()["connections_lost"]
    five, now = Client(site.broker.port, MQTTProtocolVersion.MQTTv5), time.time
    with halted(workers_of(site.gateway)):
        phone.publish(f"facegate/porch/request/detect/before{days}", frame("obama_1"))
        good = properties(MessageExpiryInterval=60)
        five.publish(f"facegate/yard/request/detect/five{days}", frame("obama_1"), properties=good)
        phone.publish(f"facegate/hall/part/0/2/detect/pieces{days}", parts[0][1])
        wait_for(lambda: owed(site.gateway) == {f"{what}{days}" for what in ("before", "five", "pieces")})
        monkeypatch.setattr(time, "time", lambda: now() + 86_400 * days)
        assert site.gateway.health().ready
        assert answers(phone)[f"pieces{days}"]["code"] == "incomplete"
    found = answers(phone, 2)
    assert {name: each["status"] for name, each in found.items()} == {f"before{days}": "ok", f"five{days}": "ok"}
    before = site.requests()
    phone.publish(f"facegate/porch/request/detect/before{days}", frame("obama_1"))
    assert said(answer(phone)) == said(found[f"before{days}"])
    assert site.requests() == before
    phone.publish(f"facegate/hall/part/1/2/detect/pieces{days}", parts[1][1])
    assert answer(phone)["status"] == "ok"
    flown = site.gateway.mqtt._loopback._number
    monkeypatch.setattr(loopback, "LOOPBACK_INTERVAL_S", 0.0)
    wait_for(lambda: site.gateway.mqtt._loopback._number > flown)
    assert site.gateway.health().ready
    assert site.gateway.metrics.snapshot()["connections_lost"] == lost
    five.close()


def test_nothing_is_retained_but_state_and_info(site: Site, phone: Client) -> None:
    """Last week's face on the screen of whoever subscribes today."""
    health = Client(site.broker.port).subscribe("facegate/bridge/health")
    phone.publish("facegate/porch/request/detect/kept", frame("obama_1"))
    phone.publish("facegate/porch/request/detect/wrong", b"no picture")
    phone.publish("facegate/porch/frame", frame("obama_1"), qos=0)
    answers(phone, 2)
    with halted(workers_of(site.gateway)):
        pass
    site.gateway.mqtt._bridge_status._health_published_at = 0.0  # so that the next message is due
    told = health.get()
    assert not told.retain
    assert told.json["live"] is True
    time.sleep(0.5)
    later = Client(site.broker.port).subscribe("facegate/#")
    kept: list[Message] = []
    while {message.topic for message in kept} != {"facegate/bridge/state", "facegate/bridge/info"}:
        message = later.get()
        if message.retain:
            kept.append(message)
    time.sleep(0.3)
    while not later.nothing_comes(0.1):
        pass
    assert len(kept) == 2
    later.close()
    health.close()


def test_results_that_the_broker_takes_too_slowly_are_dropped_and_counted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They piled up, each a picture's worth of JSON, and came when nobody stood there any more."""
    screen = Client(site.broker.port).subscribe("facegate/hall/result")
    before = site.count("results_dropped")
    with monkeypatch.context() as slow:
        slow.setattr("gateway.mqtt.interface.MAX_WAITING_RESULTS", -1)
        screen.publish("facegate/hall/frame", frame("obama_1"), qos=0)
        wait_for(lambda: site.count("results_dropped") == before + 1)
        assert screen.nothing_comes(0.3)
    screen.publish("facegate/hall/frame", frame("obama_1"), qos=0)
    assert screen.get().json["status"] == "ok"
    assert site.count("results_dropped") == before + 1
    screen.close()


def owed(gateway: Gateway) -> set[str]:
    """The ids of what was asked and is not acknowledged. The canary, which may come at any moment, is no request."""
    deliveries = list(gateway.mqtt._requests.ledger._deliveries)
    return {each.received.topic.rsplit("/", 1)[1] for each in deliveries} - {gateway.mqtt._identity.instance}


@pytest.mark.parametrize("keeps", [True, False])
def test_a_broker_that_is_restarted_in_order_loses_nothing_that_waits(
    tmp_path: Path, keeps: bool, quick_back: None
) -> None:
    """What a broker kept it delivers again; what one that does not keep sessions forgot is answered all the same."""
    port, names = free_port(), [f"cam{n}" for n in range(6)]
    extra = f"\nuser root\npersistence {str(keeps).lower()}\nlistener {port} 127.0.0.1\nallow_anonymous true\n"
    with broker_running(tmp_path, port, extra) as broker:
        config = lone(tmp_path / "data", broker, mqtt={"answer_s": 30})
        with running(config) as gateway, halted(workers_of(ready(gateway))):
            gateway.pool._picture_s = 60
            wait_for(lambda: gateway.mqtt._downtime.seconds() < 60)
            device = Client(port)
            for name in names:
                device.publish(f"facegate/{name}/request/detect/{name}", frame("obama_1"))
            wait_for(lambda: owed(gateway) == {*names})
            device.close()
            broker.stop(signal.SIGTERM)
            wait_for(lambda: not gateway.mqtt.connected)
            broker.start()
            device = Client(port).subscribe("facegate/+/response/#")
            wait_for(lambda: gateway.mqtt.connected)
            for pid in workers_of(gateway):
                os.kill(pid, signal.SIGCONT)
            found = answers(device, len(names))
            assert {name: each.get("error", "ok") for name, each in found.items()} == dict.fromkeys(names, "ok")
            assert gateway.metrics.snapshot()["sessions_lost"] == (0 if keeps else 1)
            wait_for(lambda: len(gateway.mqtt._requests.ledger) == 0)
            device.close()


def test_what_a_full_queue_of_the_broker_lost_is_answered_to_who_repeats(tmp_path: Path) -> None:
    """The limit of what is promised: mosquitto acknowledges like any other what it throws away."""
    port, names = free_port(), [f"cam{n}" for n in range(10)]
    extra = (
        f"\nuser root\nlistener {port} 127.0.0.1\nallow_anonymous true\n"
        "max_queued_messages 3\nmax_inflight_messages 3\n"
    )
    with broker_running(tmp_path, port, extra) as broker:
        config = lone(tmp_path / "data", broker)
        with running(config) as gateway:
            ready(gateway)
            wait_for((tmp_path / "data" / "alive").exists)
        device = Client(port).subscribe("facegate/+/response/#")
        for name in names:
            device.publish(f"facegate/{name}/request/detect/{name}", frame("obama_1"))
        with running(config) as gateway:
            wait_for(lambda: gateway.mqtt._loopback.caught_up and len(gateway.mqtt._requests.ledger) == 0)
            device.publish("facegate/last/request/detect/last", frame("obama_1"))
            found = answers(device)
            while "last" not in found:
                found |= answers(device)
            missing = [name for name in names if name not in found]
            assert 0 < len(missing) < len(names)
            for name in missing:
                device.publish(f"facegate/{name}/request/detect/{name}", frame("obama_1"))
                found |= answers(device)
        assert {name: each["status"] for name, each in found.items()} == dict.fromkeys([*names, "last"], "ok")
        device.close()


def test_a_connection_that_ends_before_its_first_tick_was_one(
    tmp_path: Path, own: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came by it a moment ago, and comes again by the next one, is answered `expired`: waited for inf s."""
    monkeypatch.setattr(reconnector, "TICK_INTERVAL_S", 30.0)
    with running(lone(tmp_path / "data", own)) as gateway:
        wait_for(lambda: gateway.mqtt._downtime.seconds() < 60)


def test_who_has_not_caught_up_was_not_there(tmp_path: Path, own: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that ends in the middle of what waited: by the next one, the rest of it would seem to be of now."""
    monkeypatch.setattr(loopback.Loopback, "receive", lambda _self, _payload: None)
    with running(lone(tmp_path / "data", own)) as gateway:
        wait_for(lambda: gateway.mqtt.connected)
        time.sleep(1.5)
        assert gateway.mqtt._downtime.seconds() > 60


def test_that_a_connection_stands_is_no_presence(tmp_path: Path, own: Broker) -> None:
    """Of a machine that slept for hours it stood for another half second: what had waited was answered as of now."""
    with running(lone(tmp_path / "data", own)) as gateway:
        wait_for(lambda: gateway.mqtt._loopback.caught_up)
        time.sleep(1.5)
        assert gateway.mqtt._downtime.seconds() > 1


def test_a_broker_that_stands_still_makes_it_unready_and_nothing_else(tmp_path: Path, own: Broker) -> None:
    """The connection is not closed, so that nothing tells of it; recognition over REST has no part in it."""
    config = lone(tmp_path / "data", own, mqtt={"keepalive_s": 5})
    url = f"http://127.0.0.1:{config.rest.port}"
    with running(config) as gateway:
        ready(gateway)
        process = own._process
        assert process is not None
        with halted([process.pid]):
            wait_for(lambda: not gateway.health().ready, 30)
            assert requests.get(f"{url}/readyz", timeout=5).status_code == 503
            assert requests.get(f"{url}/healthz", timeout=5).status_code == 200
            found = requests.post(f"{url}/face_rec", files={"file": frame("obama_1")}, timeout=10)
            assert found.status_code == 200
        ready(gateway)
        device = Client(own.port).subscribe("facegate/+/response/#")
        device.publish("facegate/porch/request/detect/back", frame("obama_1"))
        assert answer(device)["status"] == "ok"
        device.close()


def test_two_gateways_on_one_data_folder_or_one_base(
    tmp_path: Path, own: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one client id, they threw each other out in turn; on one base, everything was answered twice."""
    monkeypatch.setattr(loopback, "LOOPBACK_INTERVAL_S", 0.2)
    with running(lone(tmp_path / "one", own)) as gateway:
        ready(gateway)
        with pytest.raises(StartError, match="running on the data folder"), running(lone(tmp_path / "one", own)):
            pass
        instance = gateway.mqtt._identity.instance
        with pytest.raises(StartError, match=f"instance {instance}"), running(lone(tmp_path / "two", own)):
            pass
        assert gateway.health().ready
        assert gateway.metrics.snapshot()["connections_lost"] == 0
        client = Client(own.port).subscribe("facegate/bridge/state")
        assert client.get().json == {"state": "online"}
        client.close()
        with running(lone(tmp_path / "two", own, mqtt={"base": "elsewhere"})) as other:
            assert other.mqtt.connected
            assert gateway.mqtt.connected


def test_another_gateway_is_seen_also_when_the_broker_comes_later(
    tmp_path: Path, own: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut both were there before the broker: nobody looked any more, and all was answered twice."""
    monkeypatch.setattr(loopback, "LOOPBACK_INTERVAL_S", 0.2)
    with running(lone(tmp_path / "one", own)) as gateway:
        ready(gateway)
        own.stop()
        with running(lone(tmp_path / "two", own)) as other:
            own.start()
            error = other._fatal_errors.get(timeout=30)
            assert isinstance(error, AnotherGateway | Unavailable)  # which, is a matter of who is back first
            assert gateway.mqtt._identity.instance in str(error)
        assert gateway._fatal_errors.empty()
        ready(gateway)


def test_of_two_that_could_not_see_each_other_the_later_one_goes_and_leaves_no_trace(
    tmp_path: Path, own: Broker, device: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One was cut off while the other looked, and all was answered twice ever after."""
    monkeypatch.setattr(loopback, "LOOPBACK_INTERVAL_S", 0.2)
    monkeypatch.setattr(duplicate_detector, "AGE_TIE_MS", 0)
    monkeypatch.setattr(DuplicateDetector, "search", lambda detector, _session: detector._apply(SearchEvent.SILENT))
    with running(lone(tmp_path / "one", own)) as one:
        first = one.mqtt._identity.instance
        with running(lone(tmp_path / "two", own)) as two:
            error = two._fatal_errors.get(timeout=20)
            assert first in str(error)
            assert error.exit_code == os.EX_TEMPFAIL  # a supervisor starts it again, and then it looks
        assert one._fatal_errors.empty()
        ready(one)
        late = Client(own.port).subscribe("facegate/bridge/state")
        assert late.get().json == {"state": "online"}
        late.subscribe("facegate/bridge/info")
        while late.get().json.get("instance") != first:
            pass
        late.close()


def test_an_answer_larger_than_the_broker_takes_is_an_error(tmp_path: Path) -> None:
    """The broker hung up, again and again, and the gateway left: it took that for another with its client id."""
    port = free_port()
    limited = f"\nlistener {port} 127.0.0.1\nallow_anonymous true\nmax_packet_size 60000\n"
    with broker_running(tmp_path, port, limited) as small, running(lone(tmp_path / "data", small)) as gateway:
        ready(gateway)
        client = Client(port).subscribe("facegate/+/response/#")
        asked = cbor2.dumps({"image": encoded(noise(400), "PNG", bits=2), "annotate": True})
        client.publish("facegate/porch/request/detect/drawn", asked)
        assert answer(client)["code"] == "too_large"
        client.publish("facegate/porch/request/detect/next", frame("biden_1"))
        assert answer(client)["status"] == "ok"
        assert gateway.metrics.snapshot()["connections_lost"] == 0
        client.close()


def test_one_that_is_dead_keeps_nobody_from_its_place(
    tmp_path: Path, own: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands as online where the broker was killed before it could tell its last will."""
    monkeypatch.setattr("gateway.mqtt.bridge.duplicate_detector.LOOPBACK_INTERVAL_S", 0.3)
    client = Client(own.port)
    client.publish("facegate/bridge/state", b'{"state": "online"}', retain=True)
    client.publish("facegate/bridge/info", b'{"instance": "0123456789ab"}', retain=True)
    with running(lone(tmp_path / "data", own)) as gateway:
        ready(gateway)
    client.close()


def test_what_another_base_left_standing_is_cleared(tmp_path: Path, own: Broker) -> None:
    """Whoever looked there saw a gateway that is online, for ever."""
    with running(lone(tmp_path / "data", own, mqtt={"base": "home/attic"})):
        pass
    client = Client(own.port).subscribe("home/#")
    assert {client.get().topic, client.get().topic} == {"home/attic/bridge/state", "home/attic/bridge/info"}
    client.close()
    with running(lone(tmp_path / "data", own)):
        wait_for(
            lambda: (
                json.loads((tmp_path / "data" / "retained.json").read_text())
                == {"bridge": ["facegate/bridge/info", "facegate/bridge/state"]}
            )
        )
        time.sleep(0.3)
        client = Client(own.port).subscribe("home/#")
        assert client.nothing_comes(0.5)
        client.close()


def test_second_gateway_answers_no_frame_before_it_leaves(tmp_path: Path, own: Broker) -> None:
    """Regression: it subscribed to frames when it connected, and named everybody a stranger until it left."""
    with running(lone(tmp_path / "one", own)) as gateway:
        ready(gateway)
        second = lone(tmp_path / "two", own)
        seen: list[str] = []
        with pytest.MonkeyPatch.context() as patched:
            subscribed = Session.subscribe

            def subscribe(link: Session, filters: list[tuple[str, int]], *, retained: bool = False) -> None:
                seen.extend(topic for topic, _ in filters)
                subscribed(link, filters, retained=retained)

            patched.setattr(Session, "subscribe", subscribe)
            with pytest.raises(AnotherGateway) as left, running(second):
                pass
        assert left.value.exit_code == os.EX_TEMPFAIL
        assert sorted(seen) == ["facegate/bridge/canary/+", "facegate/bridge/info", "facegate/bridge/state"]
        screen = Client(own.port).subscribe("facegate/hall/result")
        screen.publish("facegate/hall/frame", frame("obama_1"), qos=0)
        assert screen.get().json["status"] == "ok"
        assert screen.nothing_comes(0.5)
        screen.close()


def test_forged_canary_ends_no_gateway(tmp_path: Path, own: Broker) -> None:
    """Regression: one message of anybody on an open broker ended the gateway, and systemd did not start it again."""
    with running(lone(tmp_path / "data", own)) as gateway:
        ready(gateway)
        forger = Client(own.port).subscribe("facegate/bridge/canary/+")
        for retain in (False, True):
            forger.publish("facegate/bridge/canary/0123456789ab", b"1 999999999", retain=retain)
        while b"challenge" not in forger.get().payload:
            pass
        forger.publish("facegate/bridge/canary/0123456789ab", b"answer 0123456789abcdef 999999999")
        forger.publish("facegate/porch/request/detect/1", frame("obama_1"))
        forger.subscribe("facegate/porch/response/#")
        assert gateway._fatal_errors.empty()
        assert gateway.health().ready
        forger.close()
