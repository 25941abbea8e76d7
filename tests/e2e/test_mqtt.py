"""A real broker, real pictures, and a device that uses only the documented topics and fields."""

from __future__ import annotations

import base64
import io
import json
import time

import cbor2
import PIL.Image
import PIL.ImageChops
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.app import Gateway
from tests.e2e.deployments import jobs_taken, workers_of
from tests.examples import png
from tests.support import Broker, Client, frame, paused_processes, wait_for


def properties(**values: object) -> Properties:
    found = Properties(PacketTypes.PUBLISH)
    for name, value in values.items():
        setattr(found, name, value)
    return found


def test_request_is_answered_on_its_response_and_verdict_topics(client: Client) -> None:
    client.subscribe("facegate/porch/response/#", "facegate/porch/verdict/#")
    client.publish("facegate/porch/request/face_rec/42", frame("obama_1"))
    answers = {message.topic: message for message in (client.get(), client.get())}
    result = answers["facegate/porch/response/face_rec/42"].json
    assert (result["status"], result["name"], result["person"]) == ("ok", "Barack Obama", "barack_obama")
    assert (result["schema"], result["op"], result["camera"], result["request_id"]) == (1, "face_rec", "porch", "42")
    assert result["score"] >= result["threshold"]
    assert result["image"] == {"width": 853, "height": 480, "bytes": len(frame("obama_1"))}
    left, _, right, _ = result["faces"][0]["box"]
    quality = result["faces"][0]["quality"]
    assert quality.pop("pixels") == pytest.approx(right - left, abs=1)
    assert quality.pop("confirmed") is True
    assert all(0 < value <= 1 for value in quality.values())
    assert quality.keys() == {"brightness", "sharpness", "pose", "inside", "clean"}
    verdict = answers["facegate/porch/verdict/42"].payload.decode()
    assert verdict == f"match {result['score']:.2f} barack_obama"
    assert not any(message.retain for message in answers.values())


def test_request_without_an_id_has_no_verdict(client: Client) -> None:
    client.subscribe("facegate/noid/#")
    client.publish("facegate/noid/request/face_rec", frame("stranger_1"))
    messages = [client.get(), client.get()]
    assert messages[0].topic == "facegate/noid/request/face_rec"
    assert messages[1].topic == "facegate/noid/response/face_rec"
    assert messages[1].json["name"] is None
    assert messages[1].json["faces"][0]["verdict"] == "unknown"
    assert client.nothing_comes()


@pytest.mark.parametrize(
    ("picture", "verdict"),
    [("biden_1", "match"), ("hopper_1", "match"), ("stranger_2", "unknown"), ("empty_1", "no_face")],
)
def test_live_frames_are_answered_with_a_result_and_a_verdict(client: Client, picture: str, verdict: str) -> None:
    # Each picture has a camera of its own: to a camera of a quick stream, the answer waits for a second picture.
    client.subscribe(f"facegate/{picture}/result", f"facegate/{picture}/verdict")
    client.publish(f"facegate/{picture}/frame", frame(picture), qos=0)
    messages = {message.topic: message for message in (client.get(), client.get())}
    assert messages[f"facegate/{picture}/verdict"].payload.decode().split()[0] == verdict
    assert messages[f"facegate/{picture}/result"].json["dropped"] == 0


def test_newest_live_frame_replaces_older_ones_and_the_dropped_are_counted(client: Client, gateway: Gateway) -> None:
    client.subscribe("facegate/stream/result", "facegate/stream/frame")
    with paused_processes(workers_of(gateway)):
        for _ in range(20):
            client.publish("facegate/stream/frame", frame("stranger_1"), qos=0)
        client.publish("facegate/stream/frame", frame("obama_1"), qos=0)
        while client.get().payload != frame("obama_1"):
            pass
    results = [client.get().json]
    # The sighting of a quick stream is decided with a second picture. This picture alone shows Obama.
    while results[-1]["faces"][0]["person"] != "barack_obama":
        results.append(client.get().json)
    assert len(results) + sum(result["dropped"] for result in results) == 21
    assert len(results) < 21


def test_verify_takes_the_person_from_the_topic_or_from_json(client: Client) -> None:
    client.subscribe("facegate/porch/response/verify/#")
    picture = base64.b64encode(frame("obama_1")).decode()
    client.publish("facegate/porch/request/verify/v1/barack_obama", frame("obama_1"))
    client.publish("facegate/porch/request/verify/v2", json.dumps({"image": picture, "person": "joe_biden"}).encode())
    answers = {message.topic.rsplit("/", 1)[1]: message.json for message in (client.get(), client.get())}
    assert (answers["v1"]["match"], answers["v1"]["person"]) == (True, "barack_obama")
    assert (answers["v2"]["match"], answers["v2"]["person"]) == (False, "joe_biden")


@pytest.mark.parametrize("kind", ["cbor", "json"])
def test_face_match_compares_two_pictures(client: Client, kind: str) -> None:
    client.subscribe("facegate/porch/response/face_match/#", "facegate/porch/verdict/#")
    one, two = frame("biden_1"), frame("biden_2")
    payload = (
        cbor2.dumps({"image1": one, "image2": two})
        if kind == "cbor"
        else json.dumps({f"image{n}": base64.b64encode(data).decode() for n, data in ((1, one), (2, two))}).encode()
    )
    client.publish(f"facegate/porch/request/face_match/{kind}", payload)
    messages = {message.topic.split("/")[2]: message for message in (client.get(), client.get())}
    assert messages["response"].json["match"] is True
    assert len(messages["response"].json["faces"]) == 2
    assert messages["verdict"].payload.startswith(b"same ")


def test_detect_returns_boxes_and_requested_landmarks(client: Client) -> None:
    client.subscribe("facegate/porch/response/detect/#")
    picture = base64.b64encode(frame("obama_1")).decode()
    client.publish("facegate/porch/request/detect/d1", json.dumps({"image": picture, "landmarks": True}).encode())
    (face,) = client.get().json["faces"]
    left, top, right, bottom = face["box"]
    assert 0 <= left < right <= 853
    assert 0 <= top < bottom <= 480
    assert "verdict" not in face
    assert sum(map(len, face["landmarks"].values())) == 72  # 68 points; the lips share four corners


def test_detect_returns_the_mesh_and_the_head_pose(client: Client) -> None:
    client.subscribe("facegate/porch/response/detect/#")
    client.publish("facegate/porch/request/detect/d4", cbor2.dumps({"image": frame("obama_1"), "landmarks": 468}))
    (face,) = client.get().json["faces"]
    (mesh,) = face["landmarks"].values()
    assert len(mesh) == 468
    assert [face["quality"][angle] for angle in ("yaw", "pitch", "roll")] == pytest.approx([11, 18, 5], abs=6)


def test_detect_returns_five_landmarks_on_request(client: Client) -> None:
    client.subscribe("facegate/porch/response/detect/#")
    client.publish("facegate/porch/request/detect/d5", cbor2.dumps({"image": frame("obama_1"), "landmarks": 5}))
    (face,) = client.get().json["faces"]
    left, top, right, bottom = face["box"]
    points = {name: len(group) for name, group in face["landmarks"].items()}
    assert points == {"nose_tip": 1, "left_eye": 2, "right_eye": 2}
    assert all(left < x < right and top < y < bottom for group in face["landmarks"].values() for x, y in group)


def drawn_at(annotated: str, original: bytes) -> tuple[int, int, int, int]:
    """Return the box around all pixels that clearly differ from the original: left, top, right, bottom."""
    with (
        PIL.Image.open(io.BytesIO(base64.b64decode(annotated, validate=True))) as after,
        PIL.Image.open(io.BytesIO(original)) as before,
    ):
        assert (after.format, after.size) == ("JPEG", before.size)
        difference = PIL.ImageChops.difference(before.convert("RGB"), after.convert("RGB"))
    return difference.convert("L").point(lambda value: 255 if value > 60 else 0).getbbox() or (0, 0, 0, 0)


@pytest.mark.parametrize("operation", ["face_rec", "detect"])
def test_annotated_picture_comes_with_the_result(client: Client, operation: str) -> None:
    """The box is drawn at the face, with the name of a recognised person beneath or above it."""
    client.subscribe("facegate/porch/response/#")
    payload = cbor2.dumps({"image": frame("obama_1"), "annotate": True})
    client.publish(f"facegate/porch/request/{operation}/a1", payload)
    result = client.get().json
    assert result["status"] == "ok"
    left, top, right, bottom = drawn_at(result["annotated"], frame("obama_1"))
    x1, y1, x2, y2 = result["faces"][0]["box"]
    assert (left, right) == pytest.approx((x1, x2), abs=4)
    label = 40 if operation == "face_rec" else 4
    assert y1 - label <= top <= y1 + 4
    assert y2 - 4 <= bottom <= y2 + label
    assert (bottom - top > y2 - y1 + 10) == (operation == "face_rec")


def test_picture_is_annotated_only_on_request_and_by_operations_that_find_faces(client: Client) -> None:
    client.subscribe("facegate/porch/response/#")
    client.publish("facegate/porch/request/face_rec/a2", frame("obama_1"))
    assert "annotated" not in client.get().json
    client.publish(
        "facegate/porch/request/verify/a3/barack_obama", cbor2.dumps({"image": frame("obama_1"), "annotate": True})
    )
    assert client.get().json["code"] == "bad_request"


@pytest.mark.parametrize(
    ("camera", "verdict"),
    [
        pytest.param("wall", "no_face", id="never anywhere"),
        pytest.param("left", "no_face", id="only where he is not"),
        pytest.param("middle", "match", id="only where he is"),
        pytest.param("far", "no_face", id="only smaller faces"),
        pytest.param("porch", "match", id="as for all"),
    ],
)
def test_regions_and_face_sizes_of_a_camera_limit_its_faces(client: Client, camera: str, verdict: str) -> None:
    client.subscribe(f"facegate/{camera}/verdict/#")
    client.publish(f"facegate/{camera}/request/face_rec/s1", frame("obama_1"))
    assert client.get().payload.decode().split()[0] == verdict


def test_live_frame_with_a_face_outside_the_regions_shows_nobody(client: Client) -> None:
    client.subscribe("facegate/wall/result", "facegate/wall/verdict")
    client.publish("facegate/wall/frame", frame("obama_1"), qos=0)
    messages = {message.topic: message for message in (client.get(), client.get())}
    assert messages["facegate/wall/verdict"].payload == b"no_face"
    assert messages["facegate/wall/result"].json["faces"] == []


def test_payload_may_be_a_base64_data_url(client: Client) -> None:
    client.subscribe("facegate/porch/verdict/#")
    client.publish(
        "facegate/porch/request/face_rec/b64", b"data:image/jpeg;base64," + base64.b64encode(frame("obama_1"))
    )
    assert client.get().payload.startswith(b"match ")


@pytest.mark.parametrize(
    ("operation", "payload", "code"),
    [
        ("face_rec", b"this is a text file, not a picture", "bad_image"),
        ("face_rec", b"", "bad_image"),
        ("face_rec", frame("obama_1")[:20_000], "bad_image"),
        ("face_rec", frame("obama_1")[:20_000] + b"\xff\xd9", "bad_image"),
        ("face_rec", b"\xff\xd8\xff\xe0", "bad_image"),
        ("face_rec", b"\0\0\0\x20ftypavif" + bytes(100), "unsupported"),
        ("face_rec", png(1, 25_000_000), "too_large"),
        ("dance", frame("obama_1"), "unsupported"),
        ("face_rec", b'{"image": 3}', "bad_request"),
        ("face_rec", b'{"image": "aGk=", "battery": 1}', "bad_image"),
        ("enroll/e/bob", b'{"image": "aGk=", "imaeg": 1}', "bad_request"),
        ("face_match", frame("obama_1"), "bad_request"),
        ("verify", frame("obama_1"), "bad_request"),
        ("verify/x/no_such_person", frame("obama_1"), "unknown_person"),
        ("verify/y/barack_obama", frame("empty_1"), "no_face"),
        ("face_rec/z/y/z", frame("obama_1"), "bad_request"),
        ("detect", b"\xff\xd8\xff" + b"\0" * 10_000_000, "too_large"),
    ],
)
def test_bad_input_gets_its_error_code_and_the_next_request_is_answered(
    client: Client, operation: str, payload: bytes, code: str
) -> None:
    client.subscribe("facegate/bad/response/#")
    client.publish(f"facegate/bad/request/{operation}", payload)
    error = client.get().json
    assert (error["status"], error["code"]) == ("error", code)
    assert error["error"]
    # Behind the line end of a part of an MJPEG stream, and without its end marker.
    client.publish("facegate/bad/request/face_rec/next", b"\r\n" + frame("obama_1")[:-2])
    assert client.get().json["name"] == "Barack Obama"


def test_camera_may_only_use_the_operations_of_its_settings(client: Client) -> None:
    client.subscribe("facegate/blind/verdict/+", "facegate/blind/result")
    client.publish("facegate/blind/request/face_rec/1", frame("obama_1"))
    assert client.get().payload == b"error forbidden"
    client.publish("facegate/blind/request/detect/2", frame("obama_1"))
    assert client.get().payload == b"faces 1"
    client.publish("facegate/blind/frame", frame("obama_1"))
    assert client.get().json["code"] == "forbidden"


def test_retained_message_is_not_a_request(client: Client, gateway: Gateway, broker: Broker) -> None:
    """A retained frame of yesterday must not open a door today."""
    client.subscribe("facegate/ghost/result")
    client.publish("facegate/ghost/frame", frame("obama_1"), retain=True)
    assert client.get().json["name"] == "Barack Obama"  # it was not retained when it was delivered live
    late = Client(broker.port).subscribe("facegate/ghost/frame")
    assert late.get().retain
    assert gateway.mqtt.connections.frames.session is not None
    gateway.mqtt.connections.frames.session.subscribe([("facegate/+/frame", 0)], retained=True)  # as after a reconnect
    wait_for(lambda: any("retained message on 'facegate/ghost/frame'" in each for each in gateway.health().warnings))
    assert client.nothing_comes()
    late.publish("facegate/ghost/frame", b"", retain=True)
    late.close()


def test_invalid_camera_name_is_reported(client: Client, gateway: Gateway) -> None:
    """Regression: there was only a line at INFO, the same as for a retained message."""
    client.subscribe("facegate/bridge/health")
    client.publish("facegate/Küche/frame", frame("obama_1"), qos=0)
    while not any("'facegate/Küche/…' are ignored: the name" in each for each in client.get().json["warnings"]):
        pass
    assert any("Küche" in each for each in gateway.health().warnings)


def test_bridge_publishes_its_state_and_its_description(client: Client) -> None:
    client.subscribe("facegate/bridge/state", "facegate/bridge/info")
    published = {message.topic.rsplit("/", 1)[1]: message for message in (client.get(), client.get())}
    assert all(message.retain for message in published.values())
    assert published["state"].json == {"state": "online"}
    info = published["info"].json
    assert info["engine"] == "facegate"
    assert info["operations"] == ["face_rec", "face_match", "verify", "detect"]
    assert info["limits"] == {
        "bytes": 10_000_000,
        "pixels": 25_000_000,
        "side": 16_384,
        "jpeg_pixels": 65_000_000,
        "request_s": 60,
    }
    assert all(len(digest) == 64 for digest in info["models"].values())


def test_bridge_lists_the_enrolled_people(client: Client) -> None:
    """A command that changes nothing needs no transaction. More commands are in test_people.py."""
    client.subscribe("facegate/bridge/response/people/list")
    client.publish("facegate/bridge/request/people/list", b"{}")
    while (message := client.get()).retain:
        pass  # amqtt may send messages for an earlier client
    assert message.json["status"] == "ok"
    known = [each["person"] for each in message.json["data"]["people"]]
    assert known == ["barack_obama", "grace_hopper", "joe_biden"]


def test_response_topic_and_correlation_data_are_used_for_the_answer(client5: Client) -> None:
    client5.subscribe("facegate/porch/response/mine")
    client5.publish(
        "facegate/porch/request/face_rec",
        frame("hopper_1"),
        properties=properties(ResponseTopic="facegate/porch/response/mine", CorrelationData=b"\x01\x02"),
    )
    reply = client5.get()
    assert reply.json["name"] == "Grace Hopper"
    assert reply.properties["CorrelationData"] == "0102"
    assert reply.properties["ContentType"] == "application/json"
    assert 0 < reply.properties["MessageExpiryInterval"] <= 60


def test_response_topic_of_the_settings_is_used(client5: Client) -> None:
    client5.subscribe("answers/here")
    client5.publish(
        "facegate/porch/request/detect", frame("empty_1"), properties=properties(ResponseTopic="answers/here")
    )
    assert client5.get().json["faces"] == []


@pytest.mark.parametrize(
    "topic", ["facegate/garden/response/x", "facegate/garden/request/face_rec", "elsewhere", "facegate/bridge/state"]
)
def test_response_topic_elsewhere_is_refused(client5: Client, topic: str) -> None:
    client5.subscribe("facegate/porch/response/#", topic)
    client5.publish("facegate/porch/request/face_rec/r1", frame("obama_1"), properties=properties(ResponseTopic=topic))
    while (message := client5.get()).retain:
        pass  # bridge/state itself
    assert (message.topic, message.json["code"]) == ("facegate/porch/response/face_rec/r1", "forbidden")
    assert client5.nothing_comes()


def test_byte_order_mark_in_a_property_ends_no_connection(client5: Client) -> None:
    """Regression: paho closed the connection. The broker delivered the message again, until the gateway ended."""
    client5.subscribe("facegate/porch/response/detect/#")
    for name in ("b1", "b2"):
        marked = properties(UserProperty=[("firmware", "\N{ZERO WIDTH NO-BREAK SPACE}")])
        client5.publish(f"facegate/porch/request/detect/{name}", frame("empty_1"), properties=marked)
    assert [client5.get().json["status"] for _ in range(2)] == ["ok", "ok"]


def test_message_with_too_many_properties_is_refused(client5: Client) -> None:
    client5.subscribe("facegate/porch/response/#")
    many = properties(UserProperty=[("a", "b")] * 1000)
    client5.publish("facegate/porch/request/detect/p1", frame("empty_1"), properties=many)
    refusal = client5.get()
    assert (refusal.topic, refusal.json["code"]) == ("facegate/porch/response/detect/p1", "bad_request")
    assert "bytes of properties" in refusal.json["error"]


def test_verify_takes_the_person_from_a_user_property(client5: Client) -> None:
    client5.subscribe("facegate/porch/response/verify/#")
    client5.publish(
        "facegate/porch/request/verify/u1",
        frame("hopper_1"),
        properties=properties(UserProperty=[("person", "grace_hopper"), ("firmware", "1.2")]),
    )
    assert client5.get().json["match"] is True


def test_options_may_be_user_properties(client5: Client) -> None:
    """So the payload of a device can be the picture itself."""
    client5.subscribe("facegate/porch/response/detect/#")
    client5.publish(
        "facegate/porch/request/detect/o1",
        frame("hopper_1"),
        properties=properties(UserProperty=[("landmarks", "5"), ("annotate", "true")]),
    )
    result = client5.get().json
    assert result["faces"][0]["landmarks"].keys() == {"nose_tip", "left_eye", "right_eye"}
    assert base64.b64decode(result["annotated"]).startswith(b"\xff\xd8\xff")


def test_expired_request_is_not_computed(client5: Client, gateway: Gateway) -> None:
    """Pictures before it keep each worker busy for longer than its three seconds."""
    client5.subscribe("facegate/+/response/#")
    with paused_processes(workers_of(gateway)):
        before = jobs_taken(gateway)
        for n in range(gateway.pool.size):
            client5.publish(f"facegate/early{n}/request/face_rec/w{n}", frame("obama_1"))
        wait_for(lambda: jobs_taken(gateway) == before + gateway.pool.size)
        client5.publish(
            "facegate/late/request/face_rec/late", frame("obama_1"), properties=properties(MessageExpiryInterval=3)
        )
        wait_for(lambda: len(gateway.pool._queue) == 1)
        received = time.monotonic()
        wait_for(lambda: time.monotonic() > received + 3)
    messages = [client5.get() for _ in range(gateway.pool.size + 1)]
    answers = {message.topic.rsplit("/", 1)[1]: message.json for message in messages}
    assert answers.pop("late")["code"] == "expired"
    assert {answer["name"] for answer in answers.values()} == {"Barack Obama"}
