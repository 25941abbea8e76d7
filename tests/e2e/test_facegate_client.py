"""The example client of REST: held to the OpenAPI document, and used with a real gateway."""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from device_sim.clients import facegate_client
from device_sim.clients.facegate_client import Event, Facegate, FacegateError, read_events
from gateway.rest.description.openapi import describe_rest
from tests.support import FRAMES, ROOT, frame, wait_for

SOURCE = ROOT / "device_sim" / "clients" / "facegate_client.py"


def requests_of_client() -> Iterator[tuple[str, str, dict[str, ast.expr]]]:
    """Give the method, the path and the keyword arguments of each request in the source."""
    calls = [
        node for node in ast.walk(ast.parse(SOURCE.read_text())) if isinstance(node, ast.Call) and len(node.args) == 2
    ]
    for call in calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("_json", "_pages", "_bytes", "_stream"):
            method, path = call.args
            # The methods themselves pass on what they get.
            if isinstance(method, ast.Constant) and isinstance(path, ast.Constant):
                yield str(method.value), str(path.value), {str(each.arg): each.value for each in call.keywords}


REQUESTS = list(requests_of_client())


def keys(value: ast.expr | None) -> set[str]:
    return (
        {str(each.value) for each in value.keys if isinstance(each, ast.Constant)}
        if isinstance(value, ast.Dict)
        else set()
    )


@pytest.mark.parametrize(
    ("method", "path", "arguments"), REQUESTS, ids=lambda each: each if isinstance(each, str) else ""
)
def test_request_of_the_client_is_described(method: str, path: str, arguments: dict[str, ast.expr]) -> None:
    operation = describe_rest()["paths"][path][method.lower()]
    parameters = {each["name"]: each["in"] for each in operation.get("parameters", ())}
    in_path = arguments.keys() - {"query", "body", "form", "pictures", "last_event_id", "field", "position"}
    assert in_path == {name for name, place in parameters.items() if place == "path"}
    assert keys(arguments.get("query")) <= {name for name, place in parameters.items() if place == "query"}
    content = operation.get("requestBody", {}).get("content", {})
    in_json = content.get("application/json", {}).get("schema", {}).get("properties", {})
    in_form = content.get("multipart/form-data", {}).get("schema", {}).get("properties", {})
    assert keys(arguments.get("body")) <= in_json.keys()
    assert keys(arguments.get("form")) | keys(arguments.get("pictures")) <= in_form.keys()


def test_client_reads_all_pages_of_a_list(monkeypatch: pytest.MonkeyPatch, facegate: Facegate) -> None:
    ask = facegate._json
    monkeypatch.setattr(facegate, "_json", lambda *path, query: ask(*path, query={**query, "limit": 1}))
    assert {"barack_obama", "joe_biden"} <= {each["person"] for each in facegate.people()}


def test_client_has_requests_of_every_kind() -> None:
    assert len(REQUESTS) >= 25
    assert {method for method, _, _ in REQUESTS} == {"GET", "POST", "PATCH", "DELETE"}


def test_client_uses_nothing_but_httpx() -> None:
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(SOURCE.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {each.split(".")[0] for each in imported} <= {
        "__future__", "collections", "dataclasses", "httpx", "json", "pathlib", "time", "typing", "uuid",
    }  # fmt: skip


def test_events_of_a_stream_are_read() -> None:
    lines = ["retry: 3000", "", "event: sighting", "id: a-1", 'data: {"name":"Ada"}', "", ": heartbeat", "", "data: {}"]
    assert list(read_events(iter(lines))) == [Event("a-1", "sighting", {"name": "Ada"})]


@pytest.fixture
def facegate(rest_url: str) -> Iterator[Facegate]:
    with Facegate(rest_url) as facegate:
        yield facegate


def test_client_recognises_and_compares_pictures(facegate: Facegate) -> None:
    wait_for(facegate.ready)
    assert facegate.session()["role"] == "admin"
    result: Any = facegate.recognise(FRAMES / "obama_1.jpg", landmarks=5, annotate=True)
    assert result["person"] == "barack_obama"
    assert sum(map(len, result["faces"][0]["landmarks"].values())) == 5
    assert facegate.match(frame("obama_1"), FRAMES / "biden_1.jpg")["match"] is False
    assert facegate.verify("joe_biden", frame("biden_1"))["match"] is True
    assert len(facegate.detect(str(FRAMES / "obama_1.jpg"))["faces"]) == 1


def test_client_manages_people(facegate: Facegate) -> None:
    person = facegate.enrol("Client Test", [frame("stranger_1")])["person"]
    assert facegate.rename(person, "Client Tested")["name"] == "Client Tested"
    assert [each["person"] for each in facegate.people("client")] == [person]
    assert zipfile.is_zipfile(io.BytesIO(facegate.export_person(person)))
    facegate.erase(person)
    with pytest.raises(FacegateError) as raised:
        facegate.person(person)
    assert (raised.value.status, raised.value.code) == (404, "unknown_person")


def test_client_reports_the_error_of_a_picture(facegate: Facegate) -> None:
    with pytest.raises(FacegateError, match="bad_image"):
        facegate.recognise(b"no picture")


def test_module_names_its_needs() -> None:
    assert "httpx" in str(facegate_client.__doc__)
