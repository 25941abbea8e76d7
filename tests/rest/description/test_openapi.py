"""The OpenAPI document describes every route, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.contract.components import Components
from gateway.contract.operations import ADMINISTRATION, RECOGNITION
from gateway.contract.summaries import SUMMARIES
from gateway.errors import wire_errors
from gateway.rest.access.route_roles import ROUTE_ROLES
from gateway.rest.api_v1 import FILES
from gateway.rest.description.answer_examples import answer_examples
from gateway.rest.description.openapi import TAGS, describe_rest, describe_routes
from gateway.rest.description.operation_routes import ROUTE_TEXTS
from gateway.rest.description.problem_answers import PROBLEM_TEXTS, codes_of
from gateway.rest.description.route_description import openapi_path, path_fields
from gateway.rest.problems import STATUS
from tests.described import faults_of_answer
from tests.rest.access.examples import ELSEWHERE, Site

DOCUMENT = describe_rest()


def described_operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


OPERATIONS = dict(described_operations())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_route_is_described_and_no_other(site: Site) -> None:
    routes = {
        f"{method} {rule.rule}"
        for rule in site.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = set(describe_routes(Components()))
    assert routes - described == set(), "describe these routes: gateway/rest/description"
    assert described - routes == set(), "these routes do not exist"


def test_routes_with_texts_of_their_own_exist() -> None:
    assert set(ROUTE_TEXTS) <= set(ROUTE_ROLES)
    assert {f"GET {path}" for path in FILES} <= set(ROUTE_ROLES)


def test_every_operation_has_a_summary() -> None:
    assert set(SUMMARIES) == {*ADMINISTRATION, *(each.value for each in RECOGNITION)}


def test_role_of_a_route_is_described() -> None:
    for route, role in ROUTE_ROLES.items():
        method, path = route.split(" ")
        operation = OPERATIONS[f"{method} {openapi_path(path)}"]
        assert operation.get("x-role") == role, route
        ways: list[dict[str, list[str]]] = [] if role is None else [{"bearer": []}, {"basic": []}, {"session": []}]
        assert operation["security"] == ways, route
        parameters = operation.get("parameters", ())
        required = {each["name"] for each in parameters if each["in"] == "path" and each["required"]}
        assert set(path_fields(path)) == required, route


def test_names_for_generated_clients_are_unique_identifiers() -> None:
    names = [each["operationId"] for each in OPERATIONS.values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


def test_route_has_a_tag_and_a_summary() -> None:
    for route, operation in OPERATIONS.items():
        summary = operation["summary"]
        assert operation["tags"][0] in TAGS, route
        assert summary[0].isupper(), route
        assert not summary.endswith("."), route
        assert len(summary) <= 80, route


def test_every_error_code_has_a_described_status() -> None:
    assert {code for status in PROBLEM_TEXTS for code in codes_of(status)} == set(wire_errors())
    assert {status.value for status in STATUS.values()} <= set(PROBLEM_TEXTS)


@pytest.mark.parametrize("name", answer_examples())
def test_example_of_an_answer_is_valid(name: str) -> None:
    ((route, operation),) = [each for each in OPERATIONS.items() if each[1]["operationId"] == name]
    method, path = route.split(" ")
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    headers = {"Content-Type": "application/json"}
    assert faults_of_answer(method, path, 200, headers, json.dumps(example).encode()) == []


def test_most_documents_have_an_example() -> None:
    assert len(answer_examples()) >= 15


def test_texts_have_no_marks_of_docstrings() -> None:
    assert "``" not in json.dumps(DOCUMENT)


def test_every_component_is_used() -> None:
    text = json.dumps(DOCUMENT)
    for kind in ("schemas", "responses"):
        for name in DOCUMENT["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, name


def test_schemas_of_answers_say_which_fields_are_always_there() -> None:
    schema = DOCUMENT["components"]["schemas"]["PersonReply"]
    assert schema["required"][:5] == ["schema", "person", "name", "added", "pictures"]
    assert list(schema["properties"])[:5] == schema["required"][:5]


def test_field_that_may_be_left_out_is_never_null() -> None:
    schema = DOCUMENT["components"]["schemas"]["SightingPictureReply"]
    assert schema["properties"]["frigate_event"] == {"type": "string"}
    assert "frigate_event" not in schema["required"]
    assert {"type": "null"} in schema["properties"]["name"]["anyOf"]


def test_pictures_may_be_json_a_form_or_the_body_itself() -> None:
    content = OPERATIONS["POST /api/v1/people/{person}/pictures"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data", "image/jpeg", "image/png", "image/webp"}
    images = content["application/json"]["schema"]["properties"]["images"]
    assert images["items"] == {"type": "string", "contentEncoding": "base64", "minLength": 1}
    # The person is in the path: the body has no name.
    assert not {"name", "person"} & content["application/json"]["schema"]["properties"].keys()


def test_change_may_have_a_key_and_a_read_may_be_conditional() -> None:
    change, read = OPERATIONS["POST /api/v1/people"], OPERATIONS["GET /api/v1/people"]
    assert "Idempotency-Key" in [each["name"] for each in change["parameters"]]
    assert "If-None-Match" in [each["name"] for each in read["parameters"]]
    assert "304" in read["responses"]
    assert "ETag" in read["responses"]["200"]["headers"]


def test_rest_has_one_list_of_warnings() -> None:
    """Over MQTT there are two: the sentences, and the same with codes."""
    schemas = DOCUMENT["components"]["schemas"]
    lists = {
        name: each["properties"]["warnings"]
        for name, each in schemas.items()
        if "warnings" in each.get("properties", {})
    }
    # The health document is the same on every interface.
    assert lists.pop("HealthDocument") == {"type": "array", "items": {"type": "string"}}
    assert len(lists) > 5
    for name, each in lists.items():
        assert each["items"] == {"$ref": "#/components/schemas/WarningDocument"}, name
    assert "coded_warnings" not in json.dumps(DOCUMENT)


def test_description_needs_no_token(site: Site) -> None:
    answer = site.client(ELSEWHERE).get("/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.get_json() == DOCUMENT


def test_description_names_the_path_of_a_proxy(tmp_path: Path) -> None:
    site = Site(tmp_path)
    answer = site.app.test_client().get("/openapi.json", environ_overrides={"SCRIPT_NAME": "/faces"})
    assert answer.get_json()["servers"] == [{"url": "/faces"}]
