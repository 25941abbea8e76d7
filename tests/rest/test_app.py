"""The REST interface over real HTTP, used as the clients of the original project use it."""

from __future__ import annotations

import base64
import io
import logging
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import PIL.Image
import PIL.ImageDraw
import pillow_heif
import pytest
import requests

from gateway.config import LimitSettings, Settings
from gateway.errors import wire_errors
from gateway.metrics import Metrics
from gateway.model.health import Health, ImportProgress, MqttHealth
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.rest.app import create_app
from gateway.rest.problems import STATUS
from gateway.service.recognition import RecognitionService
from gateway.service.request_check import RecognitionPolicy
from gateway.service.turns import Turns
from gateway.workers.job import Job, Report
from tests.rest.access.examples import local_access
from tests.support import frame, wait_for

# The watch over all answers, as in the end-to-end tests.
from tests.watch import everything_is_described, watch  # noqa: F401

WAIT_S = 60
OBAMA = {"name": "Barack Obama", "verdict": "match"}


def recognise(url: str, picture: bytes, **parameters: str) -> requests.Response:
    files = {"file": ("picture.jpg", picture, "image/jpeg")}
    return requests.post(f"{url}/face_rec", files=files, params=parameters, timeout=WAIT_S)


def match(url: str, one: bytes, two: bytes) -> requests.Response:
    return requests.post(f"{url}/face_match", files={"file1": one, "file2": two}, timeout=WAIT_S)


def test_face_match_tells_whether_two_pictures_show_one_person(rest_url: str) -> None:
    assert match(rest_url, frame("obama_1"), frame("obama_2")).json() == {"match": True}
    assert match(rest_url, frame("obama_1"), frame("biden_1")).json() == {"match": False}


@pytest.mark.parametrize(
    ("picture", "name", "verdict"),
    [
        ("obama_1", "Barack Obama", "match"),
        ("biden_2", "Joe Biden", "match"),
        ("stranger_1", "Unknown", "unknown"),
        ("empty_1", "Unknown", "no_face"),
    ],
)
def test_face_rec_by_form(rest_url: str, picture: str, name: str, verdict: str) -> None:
    answer = recognise(rest_url, frame(picture))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"name": name, "verdict": verdict}


def test_face_rec_by_json(rest_url: str) -> None:
    body = {"file_format": "jpg", "image_data": base64.b64encode(frame("obama_1")).decode("ascii")}
    assert requests.post(f"{rest_url}/face_rec", json=body, timeout=WAIT_S).json() == OBAMA


def test_landmarks_can_be_drawn_onto_the_picture(rest_url: str) -> None:
    """The client of the original project draws the landmark groups as lines onto its picture."""
    answer = recognise(rest_url, frame("obama_1"), facial_features="true", face_locations="true").json()
    top, right, bottom, left = answer["face_locations"]
    groups = answer["facial_features"]
    assert {"chin", "left_eye", "right_eye", "nose_tip", "top_lip", "bottom_lip"} <= groups.keys()
    with PIL.Image.open(io.BytesIO(frame("obama_1"))) as picture:
        drawn = PIL.Image.new("L", picture.size)
    pen = PIL.ImageDraw.Draw(drawn)
    for points in groups.values():
        pen.line([tuple(point) for point in points], fill=255, width=3)
    assert drawn.getbbox() is not None
    x1, y1, x2, y2 = drawn.getbbox() or (0, 0, 0, 0)
    margin = (right - left) // 3
    assert left - margin < x1 < x2 < right + margin
    assert top - margin < y1 < y2 < bottom + margin


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"landmarks": "468"}, 468),
        ({"landmarks": "5", "facial_features": "true"}, 5),
        ({"landmarks": "true"}, 72),
        ({"landmarks": "false", "facial_features": "true"}, None),
    ],
)
def test_number_of_landmarks_is_a_query_parameter(rest_url: str, query: dict[str, str], count: int | None) -> None:
    features = recognise(rest_url, frame("obama_1"), **query).json().get("facial_features")
    assert (features and sum(map(len, features.values()))) == count


def test_another_number_of_landmarks_is_refused(rest_url: str) -> None:
    answer = recognise(rest_url, frame("obama_1"), landmarks="7")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert "landmarks must be" in answer.json()["detail"]


@pytest.mark.parametrize("parameter", ["facial_features", "face_locations"])
def test_landmarks_and_location_are_empty_unless_there_is_one_face(rest_url: str, parameter: str) -> None:
    answer = recognise(rest_url, frame("empty_1"), **{parameter: "true"}).json()
    assert answer["name"] == "Unknown"
    assert not answer[parameter]


@pytest.mark.parametrize("picture", ["obama_1", "empty_1"])
def test_annotated_picture_is_returned_as_base64(rest_url: str, picture: str) -> None:
    answer = recognise(rest_url, frame(picture), annotate="true").json()
    assert answer.keys() == {"name", "verdict", "annotated"}
    with PIL.Image.open(io.BytesIO(base64.b64decode(answer["annotated"], validate=True))) as annotated:
        width, height = annotated.size
        assert annotated.format == "JPEG"
    with PIL.Image.open(io.BytesIO(frame(picture))) as sent:
        assert sent.size == (width, height)


def test_annotated_picture_is_returned_for_json(rest_url: str) -> None:
    body = {"file_format": "jpg", "image_data": base64.b64encode(frame("obama_1")).decode("ascii")}
    answer = requests.post(f"{rest_url}/face_rec?annotate=True", json=body, timeout=WAIT_S).json()
    assert base64.b64decode(answer["annotated"]).startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize("value", ["false", "", "1"])
def test_picture_is_annotated_only_on_request(rest_url: str, value: str) -> None:
    assert recognise(rest_url, frame("obama_1"), annotate=value).json() == OBAMA


@pytest.mark.parametrize(("path", "names"), [("face_rec", ["file"]), ("face_match", ["file1", "file2"])])
def test_browser_gets_an_upload_form(rest_url: str, path: str, names: list[str]) -> None:
    page = requests.get(f"{rest_url}/{path}", timeout=WAIT_S)
    assert page.headers["Content-Type"].startswith("text/html")
    assert 'enctype="multipart/form-data"' in page.text
    assert all(f'name="{name}"' in page.text for name in names)


def test_steps_are_reported_as_server_timing(rest_url: str) -> None:
    steps = recognise(rest_url, frame("obama_1")).headers["Server-Timing"]
    assert [step.split(";")[0] for step in steps.split(", ")] == [
        "queue", "decode", "detect", "align", "embed", "details", "match", "total",
    ]  # fmt: skip


def problem(answer: requests.Response, status: int, code: str) -> None:
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["detail"]


@pytest.mark.parametrize(
    ("picture", "status", "code"),
    [
        (b"a text file", 400, "bad_image"),
        (b"", 400, "bad_image"),
        (frame("obama_1")[:20_000], 400, "bad_image"),
        (frame("obama_1")[:20_000] + b"\xff\xd9", 400, "bad_image"),
        (b"\0\0\0\x20ftypavif" + bytes(100), 415, "unsupported"),
        (b"\0\0\0\x20ftypheic" + bytes(100), 400, "bad_image"),
        (b"\xff\xd8\xff" + bytes(25_000_000), 413, "too_large"),
    ],
)
def test_bad_picture_gets_a_fitting_status(rest_url: str, picture: bytes, status: int, code: str) -> None:
    problem(recognise(rest_url, picture), status, code)
    assert recognise(rest_url, frame("obama_1")).json() == OBAMA


def test_picture_of_an_iphone_is_recognised(rest_url: str) -> None:
    """The worker processes are confined, and load nothing any more when the picture comes."""
    with PIL.Image.open(io.BytesIO(frame("obama_1"))) as picture:
        written = io.BytesIO()
        pillow_heif.from_pillow(picture).save(written, quality=80)
    assert recognise(rest_url, written.getvalue()).json() == OBAMA


def test_comparison_needs_one_face_in_each_picture(rest_url: str) -> None:
    problem(match(rest_url, frame("obama_1"), frame("empty_1")), 422, "no_face")


def test_body_over_the_limit_is_refused(rest_url: str) -> None:
    problem(recognise(rest_url, bytes(75_000_001)), 413, "too_large")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "bad_request"),
        (b"[" * 100_000, "bad_request"),
        (b"[]", "bad_request"),
        (b'{"image_data": 3}', "bad_request"),
        (b'{"image_data": "a", "image_data": "b"}', "bad_request"),
        (b'{"image_data": "?"}', "bad_image"),
        (b'{"image_data": ' + b"9" * 1_000_000 + b"}", "bad_request"),
    ],
)
def test_bad_json_is_refused(rest_url: str, body: bytes, code: str) -> None:
    headers = {"Content-Type": "application/json"}
    problem(requests.post(f"{rest_url}/face_rec", body, headers=headers, timeout=WAIT_S), 400, code)


def test_form_without_a_file_is_refused(rest_url: str) -> None:
    fields = {"other": (None, "x")}
    problem(requests.post(f"{rest_url}/face_rec", files=fields, timeout=WAIT_S), 400, "bad_request")


def test_url_encoded_form_is_refused(rest_url: str) -> None:
    problem(requests.post(f"{rest_url}/face_rec", data={"file": "x" * 100_000}, timeout=WAIT_S), 400, "bad_request")


def test_unknown_path_and_wrong_method_are_refused(rest_url: str) -> None:
    missing = requests.get(f"{rest_url}/nothing", timeout=WAIT_S)
    problem(missing, 404, "bad_request")
    assert missing.json()["detail"] == "unknown path '/nothing': /docs lists all paths"
    answer = requests.delete(f"{rest_url}/face_rec", timeout=WAIT_S)
    problem(answer, 405, "bad_request")
    assert "POST" in answer.headers["Allow"]
    assert answer.json()["detail"].startswith("DELETE is not allowed on /face_rec: use ")
    assert "POST" in answer.json()["detail"]


def test_simultaneous_requests_are_not_mixed_up(rest_url: str) -> None:
    wanted = {"obama_1": "Barack Obama", "biden_1": "Joe Biden", "hopper_1": "Grace Hopper", "stranger_1": "Unknown"}
    with ThreadPoolExecutor(8) as executor:
        names = [*wanted] * 3
        answers = list(executor.map(lambda name: recognise(rest_url, frame(name)).json()["name"], names))
    assert answers == [wanted[name] for name in names]


def test_health_and_readiness_are_reported(rest_url: str) -> None:
    live = requests.get(f"{rest_url}/healthz", timeout=WAIT_S)
    assert (live.status_code, live.json()["status"]) == (200, "ok")
    answers: list[requests.Response] = []

    def is_ready() -> bool:
        answers.append(requests.get(f"{rest_url}/readyz", timeout=WAIT_S))
        return answers[-1].status_code == 200

    # A stall of the machine makes a gateway unready for a moment.
    wait_for(is_ready)
    ready = answers[-1].json()
    assert ready["status"] == "ready"
    assert ready["known_faces"] == {"done": 4, "of": 4, "people": 3, "skipped": []}


def test_idle_clients_do_not_delay_others(rest_url: str) -> None:
    port = int(rest_url.rsplit(":", 1)[1])
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(150)]
    for sock in idle:
        sock.sendall(b"POST /face_rec HTTP/1.1\r\nContent-Length: 100000\r\n\r\n")
    assert recognise(rest_url, frame("obama_1")).json() == OBAMA
    for sock in idle:
        sock.close()


def test_request_is_logged_at_debug_without_its_picture(rest_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "gateway.rest.request_log")
    headers = {"User-Agent": "porch camera", "X-Camera": "porch"}
    files = {"file": ("picture.jpg", frame("obama_1"), "image/jpeg")}
    requests.post(f"{rest_url}/face_rec?face_locations=true", files=files, headers=headers, timeout=WAIT_S)
    assert "POST /face_rec?face_locations=<value>" in caplog.text
    assert "User-Agent: porch camera" in caplog.text
    assert "X-Camera: <value>" in caplog.text
    assert "picture.jpg (image/jpeg)\n<image raw data>" in caplog.text
    assert len(caplog.text) < 5_000


@pytest.mark.parametrize("path", ["/face_rec", "/v1/vision/face", "/api/v1/people", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST", "BREW"])
@pytest.mark.parametrize("denied", [False, True])
def test_no_password_of_a_request_is_in_any_log(
    rest_url: str, caplog: pytest.LogCaptureFixture, path: str, method: str, denied: bool
) -> None:
    """Regression: at DEBUG, the query of a request was logged, with the api_key that clients of DeepStack may send."""
    caplog.set_level(logging.DEBUG)
    query = "api_key=Geheim1&csrf=Geheim2&token=Geheim3&Geheim4&a%70i_key=Geheim5&search=Geheim6"
    headers = {
        "Cookie": "session=Geheim8",
        "Proxy-Authorization": "Geheim9",
        "Referer": f"{rest_url}/face_rec?{query}",
        "X-Api-Key": "Geheim10",
        "X-CSRF-Token": "Geheim11",
    }
    if denied:
        headers |= {"Authorization": "Geheim7", "X-Original-URL": f"/?{query}"}
    bodies: list[dict[str, Any]] = [
        {"data": "api_key=Geheim12", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"data": {"api_key": "Geheim13"}},
        {"files": {"api_key": (None, "Geheim14")}},
        {"json": {"api_key": "Geheim15"}},
    ]
    for body in bodies if method == "POST" else [{}]:
        sent = {**body, "headers": {**headers, **body.get("headers", {})}}
        requests.request(method, f"{rest_url}{path}?{query}", timeout=WAIT_S, **sent)
    lines = [each for each in caplog.records if not each.name.startswith("urllib3")]
    assert any(each.name.startswith("gateway.rest") for each in lines)
    assert [text for each in lines if "Geheim" in (text := each.getMessage() + str(each.exc_text))] == []


def _fail(*_: object, **__: object) -> Any:
    raise AssertionError


HEALTH = Health(MqttHealth(True, True, True), 1, 1, True, True, ImportProgress())


class _NoPeople:
    compare_samples = enrol = apply_once = was_applied = complete_reply = staticmethod(_fail)


@pytest.mark.parametrize(("parameter", "submitted"), [("facial_features", False), ("face_locations", True)])
def test_landmarks_that_are_switched_off_are_refused_before_any_work(parameter: str, submitted: bool) -> None:
    jobs: list[Job] = []

    def analyse(job: Job) -> Future[Report]:
        jobs.append(job)
        future: Future[Report] = Future()
        future.cancel()
        return future

    settings = Settings()
    service = RecognitionService(
        analyse,
        Gallery(),
        Decision(0.01, 0.001, measured_curves("facegate")),
        _NoPeople(),
        Turns(ThreadPoolExecutor(1)),
        RecognitionPolicy(settings.operations_of, settings.search_of, settings.size_limit_of, landmarks_68=False),
        Metrics(),
        _fail,
    )
    app = create_app(
        service.submit,  # type: ignore[arg-type]  # no operation on people is submitted
        lambda: HEALTH,
        Metrics(),
        LimitSettings(),
        access=local_access(),
    )
    answer = app.test_client().post(f"/face_rec?{parameter}=true", data={"file": (io.BytesIO(frame("obama_1")), "x")})
    assert (len(jobs), answer.mimetype) == (int(submitted), "application/problem+json")
    if not submitted:
        body = answer.get_json()
        assert (answer.status_code, body["code"], body["status"]) == (415, "unsupported", 415)
        assert "68 points are switched off" in body["detail"]


def test_every_error_code_has_a_status() -> None:
    assert STATUS.keys() == wire_errors().keys()
