"""The header ``Idempotency-Key``, and the effect that a change gets by it."""

from __future__ import annotations

import io
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from gateway.config import LimitSettings
from gateway.contract.base import WireModel
from gateway.metrics import Metrics
from gateway.model import AdministrationRequest, Effect
from gateway.rest.app import create_app
from tests.rest.access.examples import HEALTH, Site, code_of, local_access
from tests.support import frame

PICTURE = frame("obama_1")


class Recorder:
    """The application with a service that records the effect of each request."""

    def __init__(self) -> None:
        self.effects: list[Effect | None] = []
        app = create_app(self._submit, lambda: HEALTH, Metrics(), LimitSettings(), access=local_access())
        self.client = app.test_client()

    def _submit(self, request: Any, /) -> Future[Any]:
        assert isinstance(request, AdministrationRequest)
        self.effects.append(request.effect)
        future: Future[Any] = Future()
        future.set_result(WireModel())
        return future

    def post(self, key: str | None, picture: bytes = PICTURE, path: str = "/api/v1/people") -> Any:
        headers = {} if key is None else {"Idempotency-Key": key}
        data = {"name": "Ada", "images": (io.BytesIO(picture), "a.jpg")}
        return self.client.post(path, data=data, headers=headers)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_same_request_with_the_same_key_has_the_same_effect(recorder: Recorder) -> None:
    """The boundary of a form differs each time."""
    recorder.post("k1")
    recorder.post('"k1"')
    one, other = recorder.effects
    assert one is not None
    assert one == Effect("rest:/k1", one.digest, one.deadline)
    assert other is not None
    assert (other.key, other.digest) == (one.key, one.digest)
    assert one.deadline > time.monotonic()


def test_other_fields_operations_and_keys_have_other_effects(recorder: Recorder) -> None:
    recorder.post("k1")
    recorder.post("k1", PICTURE + b"x")
    recorder.client.patch("/api/v1/people/ada", json={"name": "Ada"}, headers={"Idempotency-Key": "k1"})
    recorder.client.patch("/api/v1/people/bob", json={"name": "Ada"}, headers={"Idempotency-Key": "k1"})
    recorder.post("k2")
    found = [each for each in recorder.effects if each is not None]
    assert len({(each.key, each.digest) for each in found}) == 5
    assert [each.key for each in found] == [*["rest:/k1"] * 4, "rest:/k2"]


def test_request_without_a_key_or_without_a_change_has_no_effect(recorder: Recorder) -> None:
    recorder.post(None)
    recorder.client.get("/api/v1/people", headers={"Idempotency-Key": "k1"})
    assert recorder.effects == [None, None]


@pytest.mark.parametrize("key", ["", '""', "a" * 129, "a b", "kück", 'a"b'])
def test_key_that_cannot_be_used_is_refused(recorder: Recorder, key: str) -> None:
    answer = recorder.post(key)
    assert code_of(answer) == (400, "bad_request")
    assert "Idempotency-Key must be 1 to 128 visible ASCII characters" in answer.get_json()["detail"]
    assert recorder.effects == []


def test_two_tokens_may_use_the_same_key(tmp_path: Path) -> None:
    site = Site(tmp_path)
    keys = []
    for name in ("phone", "tablet"):
        headers = {"Authorization": f"Bearer {site.add(name, 'keeper')}", "Idempotency-Key": "k1"}
        site.client().post("/api/v1/people/ada/merge", json={"into": "bob"}, headers=headers)
        effect = site.effects[-1]
        assert effect is not None
        keys.append(effect.key)
    assert keys == ["rest:phone/k1", "rest:tablet/k1"]
