"""Access to DeepStack's face interface, and its refusals, by requests to the real application."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway.errors import TooLarge
from gateway.model.caller import LEVELS, Caller, Role
from gateway.rest.access.failed_logins import MAX_FAILURES
from gateway.rest.access.route_roles import role_of_route
from gateway.rest.deepstack import api
from gateway.rest.deepstack.refusals import WRONG_KEY
from gateway.rest.deepstack.routes import DEEPSTACK_OPERATIONS, UPDATE_PATH
from gateway.rest.transport.environ import BODY_ERROR, HEADER_CHECK, HeaderCheck
from tests.rest.access.examples import Site, bearer

LOCAL = "127.0.0.1"
FACE = "/v1/vision/face"
WRONG = {"success": False, "error": WRONG_KEY}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def ask(site: Site, path: str, key: str | None = None, address: str = "192.168.1.7", **fields: Any) -> TestResponse:
    form = {"image": (b"picture", "a.jpg"), **fields, **({} if key is None else {"api_key": key})}
    data = {name: value if isinstance(value, str) else _file(*value) for name, value in form.items()}
    return site.client(address).post(path, data=data)


def _file(content: bytes, name: str) -> Any:
    return io.BytesIO(content), name


def test_token_in_the_form_is_that_of_the_caller(site: Site) -> None:
    secret = site.add("nvr", "client")
    answer = ask(site, FACE, secret)
    assert (answer.status_code, answer.get_json()["error"]) == (200, "no face")
    assert site.served == [Caller("rest", "nvr", "client")]
    assert site.senders == ["nvr@192.168.1.7"]


@pytest.mark.parametrize("key", [None, "", "wrong", "facegate_x"])
def test_wrong_or_missing_key_is_refused_in_the_words_of_deepstack(site: Site, key: str | None) -> None:
    site.add("nvr", "admin")
    for path in DEEPSTACK_OPERATIONS:
        answer = ask(site, path, key)
        assert (answer.status_code, answer.get_json()) == (401, WRONG), path
        assert site.served == [], path


def test_token_may_be_sent_as_bearer_too(site: Site) -> None:
    secret = site.add("nvr", "client")
    client = site.client()
    assert client.post(FACE, headers=bearer(secret), data={"image": _file(b"x", "x")}).status_code == 200
    assert client.post(FACE, headers=bearer("wrong"), data={"api_key": secret}).get_json() == WRONG


@pytest.mark.parametrize("role", LEVELS)
def test_role_that_is_too_low_is_refused(site: Site, role: Role) -> None:
    secret = site.add("nvr", role)
    for path, operation in DEEPSTACK_OPERATIONS.items():
        least = role_of_route("POST", path)
        assert least is not None
        allowed = LEVELS.index(role) >= LEVELS.index(least)
        site.events.clear()
        site.served.clear()
        answer = ask(site, path, secret, userid="Ada")
        assert (answer.status_code != 403) is allowed, path
        if not allowed:
            assert f"needs the role {least}" in answer.get_json()["error"], path
            assert [(event.action, event.outcome) for event in site.events] == [(operation, "refused")], path
            assert site.served == [], path


def test_program_on_this_machine_needs_no_key_but_a_wrong_one_is_refused(site: Site) -> None:
    assert ask(site, FACE, address=LOCAL).status_code == 200
    assert ask(site, FACE, "", address=LOCAL).status_code == 200
    assert ask(site, FACE, "wrong", address=LOCAL).get_json() == WRONG


def test_key_may_have_a_higher_role_than_its_network(tmp_path: Path) -> None:
    site = Site(tmp_path, anonymous={"role": "client", "from": ["192.168.0.0/16"]})
    keeper = site.add("nvr", "keeper")
    assert ask(site, FACE).status_code == 200
    assert ask(site, f"{FACE}/register", userid="Ada").status_code == 403
    assert ask(site, f"{FACE}/register", keeper, userid="Ada").status_code != 403


def test_wrong_keys_are_counted_and_limited_by_address(site: Site) -> None:
    used, unused = site.add("nvr", "client"), site.add("phone", "client")
    assert ask(site, FACE, used).status_code == 200
    for _ in range(MAX_FAILURES):
        assert ask(site, FACE, "wrong").get_json() == WRONG
    answer = ask(site, FACE, unused)
    assert (answer.status_code, "log-ins from 192.168.1.7 failed" in answer.get_json()["error"]) == (429, True)
    assert site.metrics.snapshot()["logins_failed"] == MAX_FAILURES + 1
    assert ask(site, FACE, used).status_code == 200
    assert ask(site, FACE, unused, address="192.168.1.8").status_code == 200


def check_headers(site: Site, address: str = "192.168.1.7", **headers: str) -> HeaderCheck:
    """Return the result of the check before the body is received."""
    check = HeaderCheck()
    site.client(address).post(FACE, headers=headers, environ_overrides={HEADER_CHECK: check})
    return check


def test_body_of_an_unknown_sender_is_received_as_such(site: Site) -> None:
    secret = site.add("nvr", "client")
    assert (check_headers(site).passed, check_headers(site).sender_known) == (True, False)
    known = check_headers(site, **bearer(secret))
    assert (known.passed, known.sender_known) == (True, True)
    assert check_headers(site, LOCAL).sender_known
    assert not check_headers(site, **bearer("wrong")).passed


def test_form_of_an_unknown_sender_is_not_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_request: object) -> None:
        raise AssertionError("the form was read")

    monkeypatch.setattr(api, "read_deepstack_form", read)
    assert ask(site, FACE, "wrong").get_json() == WRONG
    assert ask(site, FACE).get_json() == WRONG


def test_body_that_the_server_refused_is_a_refusal(site: Site) -> None:
    answer = site.client().post(FACE, environ_overrides={BODY_ERROR: TooLarge("too much")})
    assert answer.get_json() == {"success": False, "error": "too much", "predictions": []}
    assert (answer.status_code, site.metrics.snapshot()["errors"]) == (200, 1)


def test_stated_size_over_the_limit_is_a_refusal(site: Site) -> None:
    environ = {"CONTENT_LENGTH": "1000000000", HEADER_CHECK: HeaderCheck()}
    answer = site.client().post(FACE, environ_overrides=environ)
    assert "1000000000 bytes" in answer.get_json()["error"]
    assert answer.status_code == 200


@pytest.mark.parametrize("path", DEEPSTACK_OPERATIONS)
def test_refusals_of_routes_with_faces_have_empty_predictions(site: Site, path: str) -> None:
    answer = site.client(LOCAL).post(path + "/", data={"min_confidence": "2"}).get_json()
    assert ("predictions" in answer) is (path in (FACE, f"{FACE}/recognize"))
    assert "success" in answer


def test_bug_is_an_error_500_in_the_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> str:
        raise ZeroDivisionError

    site.app.view_functions["deepstack.detect"] = fail
    answer = ask(site, FACE, address=LOCAL)
    assert (answer.status_code, answer.get_json()["success"]) == (500, False)
    assert "ZeroDivisionError" in caplog.text


def test_blue_iris_gets_an_answer_about_updates_without_a_token(site: Site) -> None:
    for path in (UPDATE_PATH, f"{UPDATE_PATH}/"):
        answer = site.client().get(path)
        assert answer.status_code == 200
        document = answer.get_json()
        assert (document["success"], document["updateAvailable"]) == (True, False)
        assert document["version"] == document["current"] == document["latest"]
        assert {"major", "minor", "patch", "securityUpdate"} <= document["version"].keys()


def test_other_routes_of_deepstack_do_not_exist(site: Site) -> None:
    assert site.client(LOCAL).post("/v1/vision/detection").status_code == 404
    assert site.client(LOCAL).get(FACE).status_code == 405
