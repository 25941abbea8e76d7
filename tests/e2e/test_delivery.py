"""The promises of delivery: no request is lost, and no effect happens twice. With a real broker and real faults."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import pytest
import requests
from paho.mqtt.enums import MQTTProtocolVersion

from gateway.app import Gateway, running
from gateway.errors import AnotherGateway, StartError, Unavailable
from gateway.mqtt.bridge import duplicate_detector
from gateway.mqtt.bridge.duplicate_detector import DuplicateDetector
from gateway.mqtt.bridge.search_state import SearchEvent
from gateway.mqtt.delivery import loopback
from gateway.mqtt.transport import reconnector
from gateway.mqtt.transport.session import Session
from tests.e2e.deployments import (
    ANSWER_S,
    Deployment,
    content_of,
    next_response,
    next_responses,
    pieces,
    small_settings,
    wait_until_ready,
    workers_of,
)
from tests.e2e.gateway_processes import retained_messages
from tests.e2e.test_mqtt import properties
from tests.examples import encoded, noise
from tests.support import (
    MOSQUITTO,
    WAIT_S,
    Broker,
    Client,
    broker_running,
    frame,
    free_port,
    paused_processes,
    wait_for,
)

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt keeps no sessions")


@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
def test_request_sent_during_a_downtime_is_answered_after_it(
    tmp_path: Path, private_broker: Broker, device: Client, protocol: str
) -> None:
    """Regression: with a clean session the broker dropped the request."""
    config = small_settings(tmp_path / "data", private_broker, mqtt={"protocol": protocol})
    with running(config) as gateway:
        wait_until_ready(gateway)
    for camera in ("porch", "yard"):
        device.publish(f"facegate/{camera}/request/detect/{camera}-1", frame("obama_1"))
    with running(config) as gateway:
        found = next_responses(device, 2)
        assert {name: (each["status"], len(each["faces"])) for name, each in found.items()} == {
            "porch-1": ("ok", 1),
            "yard-1": ("ok", 1),
        }
        wait_for(lambda: len(gateway.mqtt.connections.requests.ledger) == 0)
    with running(config) as gateway:  # the requests are acknowledged, and do not come a third time
        wait_until_ready(gateway)
        assert device.nothing_comes(0.5)


def test_request_that_waited_too_long_gets_expired(tmp_path: Path, private_broker: Broker, device: Client) -> None:
    """A door must not open in the evening for a person of the morning. With MQTT 5 the time is known."""
    config = small_settings(tmp_path / "data", private_broker, limits={"request_s": 30})
    client5 = Client(private_broker.port, MQTTProtocolVersion.MQTTv5)
    alive = tmp_path / "data" / "alive"
    with running(config) as gateway:
        wait_until_ready(gateway)
        wait_for(alive.exists)
    device.publish("facegate/porch/request/detect/old", frame("obama_1"))
    client5.publish(
        "facegate/yard/request/detect/good", frame("obama_1"), properties=properties(MessageExpiryInterval=600)
    )
    # As if the gateway had been away for longer.
    boot, moment = alive.read_text().split()
    alive.write_text(f"{boot} {float(moment) - 31:.3f}\n")
    with running(config) as gateway:
        found = next_responses(device, 2)
        assert (found["old"]["status"], found["old"]["code"]) == ("error", "expired")
        assert found["good"]["status"] == "ok"
        assert gateway.metrics.snapshot()["requests_expired_unseen"] == 1
        wait_for(lambda: gateway.mqtt.loopback.caught_up)
        device.publish("facegate/porch/request/detect/new", frame("obama_1"))
        assert next_response(device)["status"] == "ok"
    client5.close()


def test_repeated_request_gets_the_same_reply_and_is_computed_once(deployment: Deployment, requester: Client) -> None:
    before = deployment.requests()
    replies = []
    for _ in range(3):
        requester.publish("facegate/porch/request/detect/again", frame("obama_1"))
        replies.append(next_response(requester))
    assert replies[0]["status"] == "ok"
    assert content_of(replies[0]) == content_of(replies[1]) == content_of(replies[2])
    assert deployment.requests() == before + 1


def test_repeats_of_a_running_request_share_its_computation(deployment: Deployment, requester: Client) -> None:
    before = deployment.requests()
    with paused_processes(workers_of(deployment.gateway)):
        for _ in range(3):
            requester.publish("facegate/porch/request/detect/hasty", frame("obama_1"))
        time.sleep(0.3)
    replies = [next_response(requester) for _ in range(3)]
    assert content_of(replies[0]) == content_of(replies[1]) == content_of(replies[2])
    assert deployment.requests() == before + 1


def test_answer_expires_with_its_request(deployment: Deployment) -> None:
    """Regression: a device that was away for a minute received the answer to an expired request."""
    client5 = Client(deployment.broker.port, MQTTProtocolVersion.MQTTv5)
    client5.subscribe("facegate/+/response/#", "facegate/+/verdict/#")
    expires = properties(MessageExpiryInterval=20)
    client5.publish("facegate/porch/request/detect/short", frame("obama_1"), properties=expires)
    expiries = {
        message.topic: message.properties["MessageExpiryInterval"] for message in (client5.get(), client5.get())
    }
    assert expiries.keys() == {"facegate/porch/response/detect/short", "facegate/porch/verdict/short"}
    assert all(0 < each < 20 for each in expiries.values())
    client5.close()


def test_request_with_the_same_id_and_another_body_is_a_conflict(deployment: Deployment, requester: Client) -> None:
    """Regression: with the reply to the first request, a door would open for another person's face."""
    requester.publish("facegate/porch/request/detect/twice", frame("obama_1"))
    assert next_response(requester)["status"] == "ok"
    requester.publish("facegate/porch/request/detect/twice", frame("biden_1"))
    assert next_response(requester)["code"] == "conflict"
    requester.publish("facegate/porch/request/face_rec/twice", frame("obama_1"))
    assert next_response(requester)["code"] == "conflict"
    requester.publish("facegate/yard/request/detect/twice", frame("biden_1"))
    assert next_response(requester)["status"] == "ok"


def test_enrolment_without_an_id_is_refused(deployment: Deployment, requester: Client) -> None:
    payload = cbor2.dumps({"name": "Nobody", "image": frame("obama_1")})
    requester.publish("facegate/porch/request/enroll", payload)
    refused = next_response(requester)
    assert refused["code"] == "bad_request"
    assert "needs a request id" in refused["error"]
    assert deployment.gateway.people.store.people.find_person("Nobody") is None


def raise_bug(*_arguments: object) -> Any:
    raise RuntimeError("a bug in the gateway")


def test_request_that_meets_a_bug_is_answered_and_not_delivered_again(
    deployment: Deployment, requester: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the request was not acknowledged, came again on each connection, and in the end ended the gateway."""
    queries = deployment.gateway.mqtt.queries
    monkeypatch.setattr(queries, "_services", replace(queries._services, submit=raise_bug))
    requester.publish("facegate/porch/request/face_rec/fault", frame("obama_1"))
    assert next_response(requester)["code"] == "internal"
    monkeypatch.undo()
    wait_for(lambda: len(deployment.gateway.mqtt.connections.requests.ledger) == 0)
    requester.publish("facegate/porch/request/face_rec/sound", frame("obama_1"))
    assert next_response(requester)["status"] == "ok"


def test_answer_that_cannot_be_written_is_an_immediate_error(
    deployment: Deployment, requester: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: a query got a timeout, an enrolment got no answer, and in the end the gateway gave up."""
    for function in ("queries.write_result", "bridge.commands.write_done"):
        monkeypatch.setattr(f"gateway.mqtt.{function}", raise_bug)
    requester.publish("facegate/porch/request/face_rec/unwritable", frame("obama_1"))
    assert next_response(requester)["code"] == "internal"
    requester.subscribe("facegate/bridge/response/#")
    requester.publish("facegate/bridge/request/people/list", b"")
    assert requester.get().json["code"] == "internal"
    wait_for(lambda: len(deployment.gateway.mqtt.connections.requests.ledger) == 0)


def test_repeated_enrolment_is_done_once_also_across_a_restart(
    tmp_path: Path, private_broker: Broker, device: Client
) -> None:
    """Regression: the reply was lost with the gateway, and the repeat was a second enrolment."""
    config = small_settings(tmp_path / "data", private_broker, cameras={"porch": {"operations": ["enroll"]}})
    payload = cbor2.dumps({"name": "Barack Obama", "image": frame("obama_1")})
    replies = []
    for _ in range(2):
        with running(config) as gateway:
            wait_until_ready(gateway)
            for _ in range(2):
                device.publish("facegate/porch/request/enroll/e1", payload)
                replies.append(next_response(device))
                assert replies[-1].get("error") is None
            lines = gateway.people.store.audit.read_lines(10)
            assert [line.action for line in lines if line.action != "start"] == ["add"]
            other = cbor2.dumps({"name": "Joe Biden", "image": frame("biden_1")})
            device.publish("facegate/porch/request/enroll/e1", other)
            assert next_response(device)["code"] == "conflict"
            assert len(gateway.people.store.people.list_entries()) == 1
    contents = [(each["person"], each["name"], each["pictures"], each.get("warnings")) for each in replies]
    assert contents == [contents[0]] * 4
    assert contents[0][:3] == ("barack_obama", "Barack Obama", 1)


def test_upload_gets_the_missing_pieces_and_then_its_answer(deployment: Deployment, requester: Client) -> None:
    parts = pieces(frame("obama_1"), 6)
    late = parts.pop(4)
    random.Random(1).shuffle(parts)
    for n, piece in [*parts, parts[0]]:
        requester.publish(f"facegate/porch/part/{n}/6/detect/big", piece)
    while (reply := next_response(requester)).get("missing") != [4]:  # several times, if a piece comes late
        assert reply["code"] == "incomplete"
    # Otherwise the pieces of many cameras would fill the window, and no last piece could come.
    wait_for(deployment.all_acknowledged)
    requester.publish(f"facegate/porch/part/{late[0]}/6/detect/big", late[1])
    whole = next_response(requester)
    assert (whole["status"], len(whole["faces"])) == ("ok", 1)
    assert whole["image"]["bytes"] == len(frame("obama_1"))
    wait_for(lambda: not list((deployment.data / "uploads").glob("*/big")))
    requester.publish("facegate/porch/request/detect/big", frame("obama_1"))  # as one message it is the same request
    assert content_of(next_response(requester)) == content_of(whole)


def test_slow_request_gets_a_timeout_and_the_next_are_answered(deployment: Deployment, requester: Client) -> None:
    """A request without an acknowledgement holds up all later ones, and with these the broker's queue."""
    workers = workers_of(deployment.gateway)
    with paused_processes(workers):
        began = time.monotonic()
        requester.publish("facegate/porch/request/detect/slow", frame("obama_1"))
        assert next_response(requester)["code"] == "timeout"
        assert time.monotonic() - began >= ANSWER_S - 0.1
        wait_for(deployment.all_acknowledged)
        # So the answer did not wait for the time limit of a picture, after which the process is replaced.
        assert workers_of(deployment.gateway) == workers
    requester.publish("facegate/porch/request/detect/next", frame("obama_1"))
    following = next_responses(requester)["next"]
    assert following["status"] == "ok"
    requester.publish("facegate/porch/request/detect/slow", frame("obama_1"))
    assert next_response(requester)["status"] == "ok"  # `timeout` is not cached


@pytest.mark.parametrize("days", [1, -1])
def test_jump_of_the_wall_clock_changes_nothing(
    deployment: Deployment, requester: Client, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """Regression: a machine without a battery gets its time from the network. Waiting requests were a day old then.

    After a jump back nothing was ever too late.
    """
    parts, lost = pieces(frame("obama_1"), 2), deployment.gateway.metrics.snapshot()["connections_lost"]
    client5, now = Client(deployment.broker.port, MQTTProtocolVersion.MQTTv5), time.time
    with paused_processes(workers_of(deployment.gateway)):
        requester.publish(f"facegate/porch/request/detect/before{days}", frame("obama_1"))
        good = properties(MessageExpiryInterval=60)
        client5.publish(f"facegate/yard/request/detect/five{days}", frame("obama_1"), properties=good)
        requester.publish(f"facegate/hall/part/0/2/detect/pieces{days}", parts[0][1])
        wait_for(
            lambda: unacknowledged_ids(deployment.gateway) == {f"{what}{days}" for what in ("before", "five", "pieces")}
        )
        monkeypatch.setattr(time, "time", lambda: now() + 86_400 * days)
        wait_until_ready(deployment.gateway)
        assert next_responses(requester)[f"pieces{days}"]["code"] == "incomplete"
    found = next_responses(requester, 2)
    assert {name: each["status"] for name, each in found.items()} == {f"before{days}": "ok", f"five{days}": "ok"}
    before = deployment.requests()
    requester.publish(f"facegate/porch/request/detect/before{days}", frame("obama_1"))
    assert content_of(next_response(requester)) == content_of(found[f"before{days}"])
    assert deployment.requests() == before
    requester.publish(f"facegate/hall/part/1/2/detect/pieces{days}", parts[1][1])
    assert next_response(requester)["status"] == "ok"
    flown = deployment.gateway.mqtt.loopback._number
    monkeypatch.setattr(loopback, "LOOPBACK_INTERVAL_S", 0.0)
    wait_for(lambda: deployment.gateway.mqtt.loopback._number > flown)
    wait_until_ready(deployment.gateway)
    assert deployment.gateway.metrics.snapshot()["connections_lost"] == lost
    client5.close()


def test_only_documents_that_are_always_true_are_retained(deployment: Deployment, requester: Client) -> None:
    """A retained result would show last week's face on a screen that subscribes today."""
    health = Client(deployment.broker.port).subscribe("facegate/bridge/health")
    requester.publish("facegate/porch/request/detect/kept", frame("obama_1"))
    requester.publish("facegate/porch/request/detect/wrong", b"no picture")
    requester.publish("facegate/porch/frame", frame("obama_1"), qos=0)
    next_responses(requester, 2)
    deployment.gateway.mqtt.bridge_status._health_published_at = 0.0  # so that the next message is due
    message = health.get()
    assert not message.retain
    assert message.json["live"] is True
    wait_for(lambda: "facegate/porch/present" in retained_messages(deployment.broker.port))
    topics = [topic for topic in retained_messages(deployment.broker.port) if topic.startswith("facegate/")]
    assert {topic.split("/", 2)[2] for topic in topics} == {"state", "info", "present", "enabled/state"}
    health.close()


def test_results_for_a_slow_broker_are_dropped_and_counted(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the results piled up, and came when the person was not there any more."""
    screen = Client(deployment.broker.port).subscribe("facegate/hall/result")
    before = deployment.count("results_dropped")
    with monkeypatch.context() as slow:
        slow.setattr("gateway.mqtt.queries.MAX_PENDING_RESULTS", -1)
        screen.publish("facegate/hall/frame", frame("obama_1"), qos=0)
        wait_for(lambda: deployment.count("results_dropped") == before + 1)
        assert screen.nothing_comes(0.3)
    screen.publish("facegate/hall/frame", frame("obama_1"), qos=0)
    assert screen.get().json["status"] == "ok"
    assert deployment.count("results_dropped") == before + 1
    screen.close()


def unacknowledged_ids(gateway: Gateway) -> set[str]:
    """Return the ids of the unacknowledged requests. Loopback messages, which may come at any moment, do not count."""
    deliveries = list(gateway.mqtt.connections.requests.ledger._deliveries)
    return {each.received.topic.rsplit("/", 1)[1] for each in deliveries} - {gateway.mqtt.identity.instance}


@pytest.mark.parametrize("keeps", [True, False])
def test_waiting_requests_survive_an_orderly_restart_of_the_broker(
    tmp_path: Path, keeps: bool, fast_reconnect: None
) -> None:
    """A broker with persistence delivers the requests again. Without it the gateway answers them all the same."""
    port, names = free_port(), [f"cam{n}" for n in range(6)]
    extra = f"\nuser root\npersistence {str(keeps).lower()}\nlistener {port} 127.0.0.1\nallow_anonymous true\n"
    with broker_running(tmp_path, port, extra) as broker:
        config = small_settings(tmp_path / "data", broker)
        with running(config) as gateway, paused_processes(workers_of(wait_until_ready(gateway))):
            wait_for(lambda: gateway.mqtt.downtime.seconds() < 60)
            device = Client(port)
            for name in names:
                device.publish(f"facegate/{name}/request/detect/{name}", frame("obama_1"))
            wait_for(lambda: unacknowledged_ids(gateway) == {*names})
            device.close()
            broker.stop(signal.SIGTERM)
            wait_for(lambda: not gateway.mqtt.connected)
            broker.start()
            device = Client(port).subscribe("facegate/+/response/#")
            wait_for(lambda: gateway.mqtt.connected)
            for pid in workers_of(gateway):
                os.kill(pid, signal.SIGCONT)
            found = next_responses(device, len(names))
            assert {name: each.get("error", "ok") for name, each in found.items()} == dict.fromkeys(names, "ok")
            assert gateway.metrics.snapshot()["sessions_lost"] == (0 if keeps else 1)
            wait_for(lambda: len(gateway.mqtt.connections.requests.ledger) == 0)
            device.close()


def test_request_lost_in_a_full_queue_of_the_broker_is_answered_when_repeated(tmp_path: Path) -> None:
    """The limit of the promise: mosquitto acknowledges also the messages that it drops."""
    port, names = free_port(), [f"cam{n}" for n in range(10)]
    extra = (
        f"\nuser root\nlistener {port} 127.0.0.1\nallow_anonymous true\n"
        "max_queued_messages 3\nmax_inflight_messages 3\n"
    )
    with broker_running(tmp_path, port, extra) as broker:
        config = small_settings(tmp_path / "data", broker)
        with running(config) as gateway:
            wait_until_ready(gateway)
            wait_for((tmp_path / "data" / "alive").exists)
        device = Client(port).subscribe("facegate/+/response/#")
        for name in names:
            device.publish(f"facegate/{name}/request/detect/{name}", frame("obama_1"))
        with running(config) as gateway:
            wait_for(lambda: gateway.mqtt.loopback.caught_up and len(gateway.mqtt.connections.requests.ledger) == 0)
            device.publish("facegate/last/request/detect/last", frame("obama_1"))
            found = next_responses(device)
            while "last" not in found:
                found |= next_responses(device)
            missing = [name for name in names if name not in found]
            assert 0 < len(missing) < len(names)
            for name in missing:
                device.publish(f"facegate/{name}/request/detect/{name}", frame("obama_1"))
                found |= next_responses(device)
        assert {name: each["status"] for name, each in found.items()} == dict.fromkeys([*names, "last"], "ok")
        device.close()


def test_connection_that_ends_before_its_first_tick_ends_the_downtime(
    tmp_path: Path, private_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: requests that came again on the next connection got `expired`, for an unknown downtime."""
    monkeypatch.setattr(reconnector, "TICK_INTERVAL_S", 30.0)
    with running(small_settings(tmp_path / "data", private_broker)) as gateway:
        wait_for(lambda: gateway.mqtt.downtime.seconds() < 60)


def test_downtime_lasts_until_the_gateway_has_caught_up(
    tmp_path: Path, private_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the connection ended earlier, the rest of the waiting requests would seem new on the next connection."""
    monkeypatch.setattr(loopback.Loopback, "receive", lambda _self, _payload: None)
    with running(small_settings(tmp_path / "data", private_broker)) as gateway:
        wait_for(lambda: gateway.mqtt.connected)
        time.sleep(1.5)
        assert gateway.mqtt.downtime.seconds() > 60


def test_open_connection_does_not_end_the_downtime(tmp_path: Path, private_broker: Broker) -> None:
    """Regression: after hours of sleep a connection looked open for a moment, and old requests were answered as new."""
    with running(small_settings(tmp_path / "data", private_broker)) as gateway:
        wait_for(lambda: gateway.mqtt.loopback.caught_up)
        time.sleep(1.5)
        assert gateway.mqtt.downtime.seconds() > 1


def test_halted_broker_makes_the_gateway_unready_and_nothing_else(tmp_path: Path, private_broker: Broker) -> None:
    """The connection stays open, so only the loopback shows it. Recognition over REST goes on."""
    config = small_settings(tmp_path / "data", private_broker, mqtt={"keepalive_s": 5})
    url = f"http://127.0.0.1:{config.rest.port}"
    with running(config) as gateway:
        wait_until_ready(gateway)
        process = private_broker._process
        assert process is not None
        with paused_processes([process.pid]):
            wait_for(lambda: not gateway.health().ready)
            assert requests.get(f"{url}/readyz", timeout=WAIT_S).status_code == 503
            assert requests.get(f"{url}/healthz", timeout=WAIT_S).status_code == 200
            found = requests.post(f"{url}/face_rec", files={"file": frame("obama_1")}, timeout=WAIT_S)
            assert found.status_code == 200
        wait_until_ready(gateway)
        device = Client(private_broker.port).subscribe("facegate/+/response/#")
        device.publish("facegate/porch/request/detect/back", frame("obama_1"))
        assert next_response(device)["status"] == "ok"
        device.close()


def test_second_gateway_on_one_data_folder_or_one_base_is_refused(
    tmp_path: Path, private_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: two gateways with one client id disconnected each other. On one base both answered each request."""
    monkeypatch.setattr(loopback, "LOOPBACK_INTERVAL_S", 0.2)
    with running(small_settings(tmp_path / "one", private_broker)) as gateway:
        wait_until_ready(gateway)
        with (
            pytest.raises(StartError, match="running on the data folder"),
            running(small_settings(tmp_path / "one", private_broker)),
        ):
            pass
        instance = gateway.mqtt.identity.instance
        with (
            pytest.raises(StartError, match=f"instance {instance}"),
            running(small_settings(tmp_path / "two", private_broker)),
        ):
            pass
        wait_until_ready(gateway)
        assert gateway.metrics.snapshot()["connections_lost"] == 0
        client = Client(private_broker.port).subscribe("facegate/bridge/state")
        assert client.get().json == {"state": "online"}
        client.close()
        with running(small_settings(tmp_path / "two", private_broker, mqtt={"base": "elsewhere"})) as other:
            assert other.mqtt.connected
            assert gateway.mqtt.connected


def test_other_gateway_is_found_also_when_the_broker_starts_later(
    tmp_path: Path, private_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: after a power cut two gateways started before the broker. They did not search, and both answered."""
    monkeypatch.setattr(loopback, "LOOPBACK_INTERVAL_S", 0.2)
    with running(small_settings(tmp_path / "one", private_broker)) as gateway:
        wait_until_ready(gateway)
        private_broker.stop()
        with running(small_settings(tmp_path / "two", private_broker)) as other:
            private_broker.start()
            error = other._fatal_errors.get(timeout=WAIT_S)
            assert isinstance(error, AnotherGateway | Unavailable)  # depends on which is back first
            assert gateway.mqtt.identity.instance in str(error)
        assert gateway._fatal_errors.empty()
        wait_until_ready(gateway)


def test_of_two_serving_gateways_the_later_one_ends_and_leaves_no_trace(
    tmp_path: Path, private_broker: Broker, device: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: one gateway was cut off while the other searched, and both answered from then on."""
    monkeypatch.setattr(loopback, "LOOPBACK_INTERVAL_S", 0.2)
    monkeypatch.setattr(duplicate_detector, "AGE_TIE_MS", 0)
    monkeypatch.setattr(
        DuplicateDetector, "search", lambda detector, _session: detector._progress.apply(SearchEvent.SILENT)
    )
    with running(small_settings(tmp_path / "one", private_broker)) as one:
        first = one.mqtt.identity.instance
        with running(small_settings(tmp_path / "two", private_broker)) as two:
            error = two._fatal_errors.get(timeout=WAIT_S)
            assert first in str(error)
            assert error.exit_code == os.EX_TEMPFAIL  # systemd starts it again, and then it searches
        assert one._fatal_errors.empty()
        wait_until_ready(one)
        late = Client(private_broker.port).subscribe("facegate/bridge/state")
        assert late.get().json == {"state": "online"}
        late.subscribe("facegate/bridge/info")
        while late.get().json.get("instance") != first:
            pass
        late.close()


def test_answer_too_large_for_the_broker_is_an_error(tmp_path: Path) -> None:
    """Regression: the broker closed each connection, and the gateway took that for a second one with its client id."""
    port = free_port()
    limited = f"\nlistener {port} 127.0.0.1\nallow_anonymous true\nmax_packet_size 60000\n"
    with broker_running(tmp_path, port, limited) as small, running(small_settings(tmp_path / "data", small)) as gateway:
        wait_until_ready(gateway)
        client = Client(port).subscribe("facegate/+/response/#")
        asked = cbor2.dumps({"image": encoded(noise(400), "PNG", bits=2), "annotate": True})
        client.publish("facegate/porch/request/detect/drawn", asked)
        assert next_response(client)["code"] == "too_large"
        client.publish("facegate/porch/request/detect/next", frame("biden_1"))
        assert next_response(client)["status"] == "ok"
        assert gateway.metrics.snapshot()["connections_lost"] == 0
        client.close()


def test_retained_online_of_a_dead_gateway_prevents_no_start(
    tmp_path: Path, private_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message stays at a broker that was killed before it could publish the last will."""
    monkeypatch.setattr("gateway.mqtt.bridge.duplicate_detector.LOOPBACK_INTERVAL_S", 0.3)
    client = Client(private_broker.port)
    client.publish("facegate/bridge/state", b'{"state": "online"}', retain=True)
    client.publish("facegate/bridge/info", b'{"instance": "0123456789ab"}', retain=True)
    with running(small_settings(tmp_path / "data", private_broker)) as gateway:
        wait_until_ready(gateway)
    client.close()


def test_second_gateway_answers_no_frame_before_it_ends(tmp_path: Path, private_broker: Broker) -> None:
    """Regression: the second gateway subscribed to frames when it connected, and answered `unknown` for everybody."""
    with running(small_settings(tmp_path / "one", private_broker)) as gateway:
        wait_until_ready(gateway)
        second = small_settings(tmp_path / "two", private_broker)
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
        screen = Client(private_broker.port).subscribe("facegate/hall/result")
        screen.publish("facegate/hall/frame", frame("obama_1"), qos=0)
        assert screen.get().json["status"] == "ok"
        assert screen.nothing_comes(0.5)
        screen.close()


def test_forged_loopback_message_ends_no_gateway(tmp_path: Path, private_broker: Broker) -> None:
    """Regression: one message of anybody on an open broker ended the gateway, and systemd did not restart it."""
    with running(small_settings(tmp_path / "data", private_broker)) as gateway:
        wait_until_ready(gateway)
        forger = Client(private_broker.port).subscribe("facegate/bridge/canary/+")
        for retain in (False, True):
            forger.publish("facegate/bridge/canary/0123456789ab", b"1 999999999", retain=retain)
        while b"challenge" not in forger.get().payload:
            pass
        forger.publish("facegate/bridge/canary/0123456789ab", b"answer 0123456789abcdef 999999999")
        forger.publish("facegate/porch/request/detect/1", frame("obama_1"))
        forger.subscribe("facegate/porch/response/#")
        assert gateway._fatal_errors.empty()
        wait_until_ready(gateway)
        forger.close()
