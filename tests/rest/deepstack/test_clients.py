"""Clients of DeepStack and of CodeProject.AI, unchanged from the registry, with a running gateway and real pictures.

Programs that cannot run here are represented by their requests, as their source code makes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import codeprojectai.core as cpai
import deepstack.core as ds
import pytest
import requests

from gateway.app import running
from gateway.store.sqlite.token_file import ACCESS_FILE, SqliteTokens
from tests.conftest import settings
from tests.rest.access.examples import add_token
from tests.support import WAIT_S, Broker, frame, wait_for

GRACE = "Grace Hopper"


@dataclass(frozen=True)
class Server:
    """A gateway that lets nobody in without a token, and its tokens by role."""

    port: int
    keys: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def face(self, role: str = "keeper") -> Any:
        """Return the client of deepstack-python with the token of a role."""
        return ds.DeepstackFace(ip="127.0.0.1", port=self.port, api_key=self.keys[role], timeout=WAIT_S)

    def post(self, path: str, role: str = "keeper", **fields: Any) -> Any:
        """Return the answer to a form whose key comes last, as double-take sends it. Bytes are files."""
        parts = {**fields, "api_key": self.keys[role]}
        files = [(name, value if isinstance(value, bytes) else (None, value)) for name, value in parts.items()]
        return requests.post(f"{self.url}/v1/vision/face{path}", files=files, timeout=WAIT_S).json()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("deepstack")
    own = settings(
        data,
        broker,
        mqtt={"base": "deepstack"},
        rest={"anonymous": {"from": []}},
        people={"folder": tmp_path_factory.mktemp("nobody")},
    )
    tokens = SqliteTokens(data / ACCESS_FILE)
    keys: dict[str, str] = {role: add_token(tokens, role, role) for role in ("client", "viewer", "keeper")}
    with running(own) as gateway:
        wait_for(lambda: gateway.health().ready)
        yield Server(own.rest.port, keys)


@pytest.fixture
def people(server: Server) -> Iterator[Server]:
    """The server with Barack Obama, registered by one picture."""
    assert server.face().register("Barack Obama", frame("obama_1")) == "face added"
    yield server
    for name in ("Barack Obama", GRACE):
        server.post("/delete", userid=name)


def names(server: Server) -> list[str]:
    found: list[str] = server.post("/list", "viewer")["faces"]
    return found


def test_deepstack_python_registers_and_recognises(people: Server) -> None:
    face = people.face()
    assert face.register("Barack Obama", frame("obama_2")) == "face updated"
    (found,) = people.face("client").recognize(frame("obama_1"))
    assert (found["userid"], found["confidence"] >= 0.8) == ("Barack Obama", True)
    assert found["x_min"] < found["x_max"]
    assert found["y_min"] < found["y_max"]
    (stranger,) = face.recognize(frame("biden_1"))
    assert (stranger["userid"], stranger["confidence"]) == ("unknown", 0)
    assert ds.get_recognized_faces([found, stranger]).keys() == {"Barack Obama"}


def test_deepstack_python_detects(server: Server) -> None:
    (found,) = server.face("client").detect(frame("obama_1"))
    assert found.keys() == {"confidence", "x_min", "y_min", "x_max", "y_max"}
    assert server.face("client").detect(frame("empty_1")) == []


def test_deepstack_python_reports_refusals(server: Server) -> None:
    face = server.face()
    with pytest.raises(ds.DeepstackException, match="registering a face: there is no face"):
        face.register(GRACE, frame("empty_1"))
    with pytest.raises(ds.DeepstackException, match="status code: 403"):
        server.face("client").register(GRACE, frame("hopper_1"))
    with pytest.raises(ds.DeepstackException, match="status code: 401"):
        ds.DeepstackFace(ip="127.0.0.1", port=server.port).recognize(frame("obama_1"))
    assert face.recognize(b"no picture") == []
    with pytest.raises(ds.DeepstackException, match="Bad url"):
        ds.DeepstackObject(ip="127.0.0.1", port=server.port, timeout=WAIT_S).detect(frame("obama_1"))


def test_min_confidence_hides_names(people: Server) -> None:
    found = people.post("/recognize", "client", image=frame("obama_2"), min_confidence="0.1")["predictions"]
    assert [each["userid"] for each in found] == ["Barack Obama"]
    hidden = people.post("/recognize", "client", image=frame("biden_1"), min_confidence="0")["predictions"]
    assert [each["userid"] for each in hidden] == ["unknown"]


def test_two_pictures_are_matched(server: Server) -> None:
    same = server.post("/match", "client", image1=frame("obama_1"), image2=frame("obama_2"))
    other = server.post("/match", "client", image1=frame("obama_1"), image2=frame("biden_1"))
    assert same["success"] is other["success"] is True
    assert other["similarity"] < 0.4
    assert same["similarity"] >= 0.8
    nobody = server.post("/match", "client", image1=frame("obama_1"), image2=frame("empty_1"))
    assert (nobody["success"], "no face" in nobody["error"]) == (False, True)


def test_double_take_trains_and_removes(people: Server) -> None:
    assert people.post("/register", image=frame("hopper_1"), userid=GRACE) == {"success": True, "message": "face added"}
    assert names(people) == ["Barack Obama", GRACE]
    assert people.post("/delete", userid="grace_hopper") == {"success": True}
    assert people.post("/delete", userid="grace_hopper") == {"success": True}
    assert names(people) == ["Barack Obama"]


def test_several_pictures_are_registered_together(people: Server) -> None:
    added = people.post("/register", userid=GRACE, image1=frame("hopper_1"), second=frame("hopper_1"))
    assert added["success"] is True
    refused = people.post("/register", userid=GRACE, image1=frame("hopper_1"), image2=frame("empty_1"))
    assert refused["success"] is False
    assert people.post("/register", image=frame("hopper_1"))["error"].startswith("the form has no userid")
    assert "word for an unknown face" in people.post("/register", image=frame("hopper_1"), userid="unknown")["error"]


def test_own_requests_of_viseron(people: Server) -> None:
    """viseron lists and deletes with forms that have no file, which are url-encoded."""
    for path, fields, expected in (
        ("/list", {}, {"success": True, "faces": ["Barack Obama"]}),
        ("/delete", {"userid": "Barack Obama"}, {"success": True}),
        ("/list/", {}, {"success": True, "faces": []}),
    ):
        data = {**fields, "api_key": people.keys["keeper"]}
        answer = requests.post(f"{people.url}/v1/vision/face{path}", data=data, timeout=WAIT_S)
        assert (answer.status_code, answer.json()) == (200, expected)


def test_blue_iris_finds_the_server(server: Server) -> None:
    assert requests.get(f"{server.url}/v1/status/updateavailable", timeout=WAIT_S).json()["success"] is True


@pytest.fixture
def registered(rest_url: str) -> Iterator[Any]:
    """The client of codeproject-ai-api, which sends no key, with Eileen Collins registered by one picture."""
    face = cpai.CodeProjectAIFace(ip="127.0.0.1", port=int(rest_url.rsplit(":", 1)[1]), timeout=WAIT_S)
    assert face.register("Eileen Collins", frame("stranger_1")) == "face added"
    yield face
    requests.post(f"{rest_url}/v1/vision/face/delete", data={"userid": "Eileen Collins"}, timeout=WAIT_S)


def test_codeproject_ai_api_registers_and_recognises(registered: Any) -> None:
    assert "Eileen Collins" in registered.get_registered_faces()
    (found,) = registered.recognize(frame("stranger_2"))
    assert (found["userid"], found["confidence"] >= 0.8) == ("Eileen Collins", True)
    assert cpai.get_recognized_faces([found]).keys() == {"Eileen Collins"}
    assert len(registered.detect(frame("stranger_2"))) == 1
    assert registered.detect(frame("empty_1")) == []


def test_codeproject_ai_api_reports_refusals(registered: Any) -> None:
    with pytest.raises(cpai.CodeProjectAIException, match="registering a face: there is no face"):
        registered.register("Nobody Here", frame("empty_1"))
    assert registered.recognize(b"no picture") == []
