"""More requests than the gateway can compute, and worker processes that are killed meanwhile."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.app import running
from tests.conftest import settings
from tests.e2e.deployments import jobs_taken, workers_of
from tests.support import MOSQUITTO, Broker, Client, frame, paused_processes, wait_for


def test_camera_over_its_share_gets_busy_with_the_seconds_to_wait(tmp_path: Path, broker: Broker) -> None:
    """Each request is answered: with a result, or with busy at QoS 0, which no broker keeps for a device."""
    one = {"processes": 1, "queue": 8, "queue_per_camera": 4}
    with running(settings(tmp_path / "data", broker, workers=one, mqtt={"base": "flood"})) as gateway:
        wait_for(lambda: gateway.health().ready, 60)
        client = Client(broker.port).subscribe("flood/porch/response/#", "flood/porch/verdict/+")
        before = jobs_taken(gateway)
        with paused_processes(workers_of(gateway)):
            client.publish("flood/porch/request/face_rec/0", frame("obama_1"))
            wait_for(lambda: jobs_taken(gateway) == before + 1)
            for n in range(1, 10):
                client.publish(f"flood/porch/request/face_rec/{n}", frame("obama_1"))
            messages = [client.get() for _ in range(10)]  # the refused requests are answered immediately
        messages += [client.get() for _ in range(10)]
        documents = [message.json for message in messages if "/response/" in message.topic]
        verdicts = {message.payload.decode().split()[0] for message in messages if "/verdict/" in message.topic}
        client.close()
    codes = Counter(document.get("code", "ok") for document in documents)
    assert codes == {"ok": 5, "busy": 5}  # one is computed, four are waiting
    assert all(document["retry_after"] >= 1 for document in documents if document.get("code") == "busy")
    assert verdicts == {"match", "busy"}
    assert {(b"busy" in message.payload, message.qos) for message in messages} == {(True, 0), (False, 1)}


@pytest.mark.skipif(MOSQUITTO is None, reason="MQTT 5 needs mosquitto, which is not installed")
def test_busy_on_a_topic_that_the_camera_chose_has_qos_1(tmp_path: Path, broker: Broker) -> None:
    """A broker may close the connection for such a topic. Only an acknowledged answer can be taken for the cause."""
    one = {"processes": 1, "queue": 1, "queue_per_camera": 1}
    with running(settings(tmp_path / "data", broker, workers=one, mqtt={"base": "chosen"})) as gateway:
        wait_for(lambda: gateway.health().ready, 60)
        client = Client(broker.port, MQTTProtocolVersion.MQTTv5).subscribe("chosen/porch/response/mine")
        mine = Properties(PacketTypes.PUBLISH)
        mine.ResponseTopic = "chosen/porch/response/mine"
        with paused_processes(workers_of(gateway)):
            for _ in range(3):
                client.publish("chosen/porch/request/face_rec", frame("obama_1"), properties=mine)
            busy = client.get()
        client.close()
    assert (busy.json["code"], busy.qos) == ("busy", 1)


def test_killed_worker_costs_one_request_and_the_others_are_answered(tmp_path: Path, broker: Broker) -> None:
    two = {"processes": 2, "queue_per_camera": 16}
    with running(settings(tmp_path / "data", broker, mqtt={"base": "kill"}, workers=two)) as gateway:
        wait_for(lambda: gateway.health().ready, 60)
        client = Client(broker.port).subscribe("kill/+/response/#")
        before = jobs_taken(gateway)
        victim, other = workers_of(gateway)
        with paused_processes([victim, other]):
            for n in range(12):
                client.publish(f"kill/camera{n % 2}/request/face_rec/{n}", frame("obama_1"))
            wait_for(lambda: jobs_taken(gateway) == before + 2 and len(gateway.pool._queue) == 10)
            os.kill(victim, signal.SIGKILL)
        messages = [client.get() for _ in range(12)]
        codes = Counter(message.json.get("code", "ok") for message in messages)
        client.close()
        assert codes == {"ok": 11, "internal": 1}
        wait_for(lambda: gateway.pool.ready == gateway.pool.size)


def test_busy_camera_does_not_keep_others_waiting(tmp_path: Path, broker: Broker) -> None:
    """The one request of the quiet camera is answered before most of the twelve requests of the busy one."""
    one = {"processes": 1, "queue_per_camera": 16}
    with running(settings(tmp_path / "data", broker, mqtt={"base": "fair"}, workers=one)) as gateway:
        wait_for(lambda: gateway.health().ready, 60)
        client = Client(broker.port).subscribe("fair/+/response/#")
        before = jobs_taken(gateway)
        with paused_processes(workers_of(gateway)):
            for n in range(12):
                client.publish(f"fair/busy/request/face_rec/{n}", frame("obama_1"))
            client.publish("fair/quiet/request/face_rec/1", frame("obama_1"))
            wait_for(lambda: jobs_taken(gateway) == before + 1 and len(gateway.pool._queue) == 12)
        cameras = [client.get().json["camera"] for _ in range(13)]
        client.close()
    assert cameras.index("quiet") == 1  # the first request was being computed already
