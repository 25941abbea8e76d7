"""``/api/v1``: the operations on pictures, with the documents of MQTT."""

from __future__ import annotations

import base64
import io
from concurrent.futures import Future
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from gateway.config import LimitSettings
from gateway.contract.operations import RECOGNITION
from gateway.errors import NoFace
from gateway.metrics import Metrics
from gateway.model import Operation, Request
from gateway.model.health import Health, ImportProgress, MqttHealth
from gateway.rest.app import create_app
from tests.rest.access.examples import local_access
from tests.support import WAIT_S, frame, wait_for

OBAMA, BIDEN = frame("obama_1"), frame("biden_1")
OBAMA_BASE64, BIDEN_BASE64 = (base64.b64encode(each).decode() for each in (OBAMA, BIDEN))


class Recorder:
    """The application with a service that records each request about pictures, and finds no face."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        health = Health(MqttHealth(True, True, True), 1, 1, True, True, ImportProgress())
        app = create_app(self._submit, lambda: health, Metrics(), LimitSettings(), access=local_access())
        self.client: FlaskClient = app.test_client()

    def _submit(self, request: Any, /) -> Future[Any]:
        self.requests.append(request)
        future: Future[Any] = Future()
        future.set_exception(NoFace("no face"))
        return future

    def request(self) -> Request:
        """Return the only request."""
        (request,) = self.requests
        return request


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.mark.parametrize(
    ("path", "operation"),
    [("recognise", Operation.FACE_REC), ("verify/ada", Operation.VERIFY), ("detect", Operation.DETECT)],
)
def test_picture_is_read_from_every_kind_of_body(recorder: Recorder, path: str, operation: Operation) -> None:
    bodies: list[dict[str, Any]] = [
        {"data": OBAMA},
        {"data": {"photo": (io.BytesIO(OBAMA), "x.jpg")}},
        {"json": {"image": OBAMA_BASE64}},
        {"json": {"image_data": f"data:image/jpeg;base64,{OBAMA_BASE64}"}},
    ]
    for body in bodies:
        recorder.client.post(f"/api/v1/{path}?landmarks=5", **body)
    person = "ada" if operation is Operation.VERIFY else None
    found = [(each.operation, each.pictures, each.person, each.landmarks) for each in recorder.requests]
    assert found == [(operation, (OBAMA,), person, 5)] * len(bodies)


def test_options_are_read_from_query_form_and_json(recorder: Recorder) -> None:
    ask = recorder.client.post
    ask("/api/v1/recognise?landmarks=468&annotate=true", data=OBAMA)
    ask("/api/v1/recognise", json={"image": OBAMA_BASE64, "landmarks": 468, "annotate": True})
    ask("/api/v1/recognise", data={"image": (io.BytesIO(OBAMA), "x.jpg"), "landmarks": "468", "annotate": "true"})
    assert [(each.landmarks, each.annotate) for each in recorder.requests] == [(468, True)] * 3


def test_two_pictures_are_compared(recorder: Recorder) -> None:
    recorder.client.post("/api/v1/match", json={"image1": OBAMA_BASE64, "image2": BIDEN_BASE64, "landmarks": 5})
    assert (recorder.request().pictures, recorder.request().landmarks) == ((OBAMA, BIDEN), 5)


@pytest.mark.parametrize(
    ("path", "fields", "words"),
    [
        ("recognise", {"image": OBAMA_BASE64, "landmark": 5}, "unknown field of face_rec: 'landmark'; its fields are"),
        ("recognise", {"image": OBAMA_BASE64, "landmarks": 7}, "landmarks must be"),
        ("recognise", {"annotate": True}, "the JSON has no 'image' (or image_data): it has 'annotate'"),
        ("match", {"image1": OBAMA_BASE64}, "the JSON has no 'image2'"),
        ("match", {"image1": OBAMA_BASE64, "image2": OBAMA_BASE64, "annotate": True}, "unknown field of face_match"),
        ("verify/Ada%20L", {"image": OBAMA_BASE64}, "person must be a person's id"),
    ],
)
def test_wrong_field_is_refused_by_its_name(recorder: Recorder, path: str, fields: dict[str, Any], words: str) -> None:
    answer = recorder.client.post(f"/api/v1/{path}", json=fields)
    assert (answer.status_code, answer.get_json()["code"], recorder.requests) == (400, "bad_request", [])
    assert words in answer.get_json()["detail"]


def ask(url: str, path: str, picture: str, **query: str) -> dict[str, Any]:
    """Return the document for a picture, after a check against the model of the contract."""
    answer = requests.post(f"{url}/api/v1/{path}", data=frame(picture), params=query, timeout=WAIT_S)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    RECOGNITION[Operation(document["op"])].result.model_validate(document)
    return document


def test_recognise_answers_as_over_mqtt(rest_url: str) -> None:
    document = ask(rest_url, "recognise", "obama_1", landmarks="5")
    (face,) = document["faces"]
    assert (document["op"], document["camera"], document["name"]) == ("face_rec", None, "Barack Obama")
    assert (face["verdict"], face["person"], set(face["landmarks"])) == (
        "match",
        "barack_obama",
        {"left_eye", "right_eye", "nose_tip"},
    )
    assert face["score"] >= document["threshold"]
    assert "annotated" not in document
    assert ask(rest_url, "recognise", "empty_1")["faces"] == []


def test_detect_finds_faces_and_draws_them(rest_url: str) -> None:
    document = ask(rest_url, "detect", "obama_1", annotate="true")
    assert (document["op"], document["counts"]) == ("detect", {"face": 1})
    assert base64.b64decode(document["annotated"]).startswith(b"\xff\xd8\xff")


def test_verify_and_match_give_score_and_threshold(rest_url: str) -> None:
    assert ask(rest_url, "verify/barack_obama", "obama_2")["match"]
    assert not ask(rest_url, "verify/barack_obama", "biden_1")["match"]
    files = {"file1": OBAMA, "file2": frame("obama_2")}
    document = requests.post(f"{rest_url}/api/v1/match", files=files, timeout=WAIT_S).json()
    assert (document["op"], document["match"], len(document["faces"])) == ("face_match", True, 2)
    assert document["score"] >= document["threshold"]


def test_problem_of_an_unknown_person_has_its_code(rest_url: str) -> None:
    answer = requests.post(f"{rest_url}/api/v1/verify/nobody_here", data=OBAMA, timeout=WAIT_S)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_person")


def test_health_is_that_of_mqtt(rest_url: str) -> None:
    def health() -> Any:
        return requests.get(f"{rest_url}/api/v1/health", timeout=WAIT_S).json()

    # A stall of the machine makes a gateway unready for a moment.
    wait_for(lambda: health()["status"] == "ready")
    assert {"broker", "workers", "warnings"} <= health().keys()
