"""The check of answers and messages finds what is not described."""

from __future__ import annotations

import json

import pytest

from tests.described import faults_of_answer, faults_of_message

JSON = {"Content-Type": "application/json"}
PROBLEM = {"Content-Type": "application/problem+json"}
BUSY = {"schema": 1, "type": "about:blank", "title": "Busy", "status": 503, "detail": "full", "code": "busy"}
REMOVED = {"schema": 1, "person": "ada"}


def test_described_answers_have_no_fault() -> None:
    body = json.dumps(REMOVED).encode()
    assert faults_of_answer("DELETE", "/api/v1/people/ada", 200, JSON, body) == []
    headers = {**PROBLEM, "Retry-After": "3"}
    assert faults_of_answer("DELETE", "/api/v1/people/ada", 503, headers, json.dumps(BUSY).encode()) == []


@pytest.mark.parametrize(
    ("status", "headers", "body", "fault"),
    [
        (200, JSON, {**REMOVED, "more": 1}, "Additional properties"),
        (200, JSON, {"schema": 1}, "'person' is a required property"),
        (200, {"Content-Type": "text/plain"}, REMOVED, "type 'text/plain' is not described"),
        (418, JSON, REMOVED, "status 418 is not described"),
        (503, PROBLEM, BUSY, "header Retry-After is missing"),
    ],
)
def test_fault_of_an_answer_is_found(status: int, headers: dict[str, str], body: object, fault: str) -> None:
    (found,) = faults_of_answer("DELETE", "/api/v1/people/ada", status, headers, json.dumps(body).encode())
    assert fault in found


def test_answer_of_an_unknown_route_must_be_a_problem() -> None:
    assert faults_of_answer("GET", "/nowhere", 200, JSON, b"{}") == ["status 200 of a route that is not described"]
    problem = {**BUSY, "status": 404, "code": "bad_request"}
    assert faults_of_answer("GET", "/nowhere", 404, PROBLEM, json.dumps(problem).encode()) == []


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("home/faces/bridge/state", b'{"state":"online"}'),
        ("facegate/porch/verdict/42", b"match 0.83 ada"),
        ("facegate/bridge/user/phone/response/people/list", b'{"schema":1,"data":{},"status":"error","error":"no",'
         b'"code":"forbidden"}'),
        ("facegate/porch/present", b""),
    ],
)  # fmt: skip
def test_described_messages_have_no_fault(topic: str, payload: bytes) -> None:
    assert faults_of_message(topic, payload, 1) == []


@pytest.mark.parametrize(
    ("topic", "payload", "qos", "fault"),
    [
        ("facegate/bridge/state", b'{"state":"away"}', 1, "'away' is not one of"),
        ("facegate/porch/verdict/42", b"maybe", 1, "does not match"),
        ("facegate/porch/somewhere", b"", 0, "the topic is not described"),
        ("facegate/porch/result", b"{}", 1, "QoS 1, and 0 is described"),
    ],
)
def test_fault_of_a_message_is_found(topic: str, payload: bytes, qos: int, fault: str) -> None:
    assert fault in faults_of_message(topic, payload, qos)[0]
