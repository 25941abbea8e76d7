from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.contract.base import Document, WireModel
from gateway.contract.operations import ADMINISTRATION, RECOGNITION, read_fields
from gateway.errors import BadRequest, Busy, Conflict, Expired, Forbidden, UnknownPerson, Unsupported
from gateway.model import AdministrationRequest, Caller, Effect, FoundFace, Origin, SizeLimit
from gateway.model.caller import REST_CALLER, camera_caller
from gateway.model.health import Health, ImportProgress, MqttHealth
from gateway.people.registry import Registry
from gateway.rest.api_v1 import ROUTES
from gateway.service.administration import MAX_WAITING, Administration
from gateway.service.enrolment_vision import WorkerVision
from gateway.service.live_cameras import LiveCameras
from tests.examples import descriptor
from tests.people.environment import PeopleEnvironment, open_environment, sample


class AdministrationHarness:
    def __init__(self, env: PeopleEnvironment, live: LiveCameras | None = None, *, keep_admin: bool = False) -> None:
        self.env = env
        self.changes, self.reads = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        vision = WorkerVision(_refuse_job, min_face=56, size_limit=SizeLimit(1000))
        health = Health(MqttHealth(True, True, True), 1, 1, True, True, ImportProgress())
        self.administration = Administration(
            env.people, vision, self.changes, self.reads, lambda: health, live, keep_admin=keep_admin
        )

    def do(self, operation: str, **fields: Any) -> Document:
        return self.submit(operation, fields).result(10).document()

    def do_once(self, operation: str, **fields: Any) -> Document:
        """Send a request with an id. All calls for one operation are repeats of one request."""
        effect = Effect(f"bridge/{operation}", repr(fields).encode(), time.monotonic() + 60)
        return self.submit(operation, fields, effect=effect).result(10).document()

    def submit(
        self,
        operation: str,
        fields: Document,
        valid_for_s: float = 60,
        caller: Caller = REST_CALLER,
        effect: Effect | None = None,
    ) -> Future[WireModel]:
        origin = Origin(caller=caller)
        return self.administration.submit(
            AdministrationRequest(
                operation=operation, fields=fields, origin=origin, valid_for_s=valid_for_s, effect=effect
            )
        )

    def enrol(self, name: str, seed: int) -> None:
        """Enrol a person. People with one seed look alike."""
        self.env.registry.enrol(name, [sample(name, descriptor(seed))], REST_CALLER)


def _refuse_job(_job: object) -> Any:
    raise AssertionError


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[AdministrationHarness]:
    """Give an administration with Alice and Bob enrolled."""
    with open_environment(tmp_path) as env:
        harness = AdministrationHarness(env)
        for name, seed in (("Alice", 1), ("Bob", 2)):
            harness.enrol(name, seed)
        yield harness
        harness.changes.shutdown()
        harness.reads.shutdown()


def test_every_operation_has_a_route_in_api_v1() -> None:
    """Enrolment has the route of people/add."""
    recognition = {operation.value for operation in RECOGNITION} - {"enroll"}
    assert {operation for _, _, operation in ROUTES} == ADMINISTRATION.keys() | recognition


def test_every_operation_of_the_contract_has_a_handler(harness: AdministrationHarness) -> None:
    assert harness.administration.operations == ADMINISTRATION.keys()


def test_camera_may_not_ask_for_operations_of_administrators(harness: AdministrationHarness) -> None:
    with pytest.raises(Forbidden, match="people/list needs the role viewer, and the role of mqtt:porch is camera"):
        harness.submit("people/list", {}, caller=camera_caller("porch")).result(10)


@pytest.mark.parametrize(
    ("operation", "fields"),
    [("people/erase", {}), ("people/erase", {"colour": "red"}), ("people/export", {"person": 7})],
)
def test_role_is_checked_before_the_fields(harness: AdministrationHarness, operation: str, fields: Document) -> None:
    """Regression: a malformed request of a low role got bad_request, and no line in the audit."""
    with pytest.raises(Forbidden, match=f"{operation} needs the role privacy"):
        harness.submit(operation, fields, caller=Caller("rest", "phone", "client")).result(10)


def test_people_are_listed_in_pages(harness: AdministrationHarness) -> None:
    first = harness.do("people/list", limit=1)
    assert ([each["name"] for each in first["people"]], first["next"], first["known"]) == (["Alice"], "alice", 2)
    second = harness.do("people/list", limit="1", after=first["next"])
    assert ([each["name"] for each in second["people"]], second["next"]) == (["Bob"], None)
    assert [each["person"] for each in harness.do("people/list", search="LIC")["people"]] == ["alice"]


@pytest.mark.parametrize(
    ("operation", "fields", "error"),
    [
        ("people/fly", {}, Unsupported),
        ("_health", {}, Unsupported),
        ("people/list", {"limit": "9" * 5000}, BadRequest),
        ("people/list", {"limit": True}, BadRequest),
        ("people/list", {"limit": -1}, BadRequest),
        ("people/list", {"search": "\ud800"}, BadRequest),
        ("people/list", {"search": "a" * 201}, BadRequest),
        ("people/list", {"name": "Alice"}, BadRequest),
        ("people/show", {}, BadRequest),
        ("people/show", {"person": "Alice"}, BadRequest),
        ("people/show", {"person": "carol"}, UnknownPerson),
        ("people/rename", {"person": "alice", "name": "\u202e"}, BadRequest),
        ("people/remove_picture", {"person": "alice", "picture": "../../x"}, BadRequest),
        ("people/remove_picture", {"person": "alice", "picture": "0" * 16}, UnknownPerson),
        ("people/add", {"images": [b"x"]}, BadRequest),
        ("people/add", {"images": [b"x"], "name": "A", "person": "a"}, BadRequest),
        ("people/add", {"images": [], "name": "A"}, BadRequest),
        ("people/add", {"images": [b"x"] * 11, "name": "A"}, BadRequest),
        ("people/add", {"images": [7], "name": "A"}, BadRequest),
        ("unknowns/show", {"unknown": "one"}, BadRequest),
        ("unknowns/join", {"unknown": 1}, BadRequest),
        ("sightings/list", {"camera": "a/b"}, BadRequest),
        ("sightings/list", {"camera": "bridge"}, BadRequest),
        ("sightings/list", {"outcome": "gone"}, BadRequest),
        ("sightings/list", {"outcome": ["named"]}, BadRequest),
        ("sightings/list", {"since": "yesterday"}, BadRequest),
        ("sightings/list", {"since": -1}, BadRequest),
        ("sightings/list", {"since": "1e999"}, BadRequest),
        ("sightings/list", {"since": True}, BadRequest),
        ("sightings/list", {"person": "carol"}, UnknownPerson),
        ("sightings/list", {"before": "1790000000.123-ab12cd"}, UnknownPerson),
        ("sightings/show", {"sighting": "../x"}, BadRequest),
        ("sightings/show", {"sighting": "s" * 65}, BadRequest),
        ("sightings/show", {"sighting": "s1"}, UnknownPerson),
        ("sightings/confirm", {"sighting": "s1"}, UnknownPerson),
        ("sightings/not_them", {"sighting": "s1", "person": "Alice"}, BadRequest),
        ("cameras/list", {}, Unsupported),
        ("cameras/enable", {"camera": "porch"}, Unsupported),
        ("cameras/enable", {"camera": "#"}, BadRequest),
        ("cameras/forget", {}, BadRequest),
        ("calibrate", {"plot": "maybe"}, BadRequest),
    ],
)
def test_malformed_fields_are_refused(
    harness: AdministrationHarness, operation: str, fields: dict[str, Any], error: type
) -> None:
    with pytest.raises(error):
        harness.do(operation, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"images": [b"1", b"2"]},
        {"image": b"1", "images": [b"2"]},
        {"image1": b"1", "image2": b"2"},
        {"image": [b"1", b"2"]},
    ],
)
def test_pictures_are_read_from_single_fields_or_a_list(fields: dict[str, Any]) -> None:
    read = read_fields("people/add", {"name": "Ada", **fields})
    assert read.model_dump(exclude_unset=True) == {"name": "Ada", "images": (b"1", b"2")}


def test_null_field_counts_as_absent(harness: AdministrationHarness) -> None:
    assert len(harness.do("people/list", search=None, limit=None)["people"]) == 2


def test_exported_archive_is_imported_again(harness: AdministrationHarness) -> None:
    archive = harness.do("people/export", person="bob")["archive"]
    harness.do("people/remove", person="bob")
    assert harness.do("people/import", archive=archive) == {"people": 1, "pictures": 1, "warnings": []}
    assert harness.do("people/import", archive=base64.b64decode(archive))["pictures"] == 0


@pytest.mark.parametrize("merge", [True, "true"])
def test_new_pictures_of_an_enrolled_person_are_imported_with_merge(
    harness: AdministrationHarness, merge: object
) -> None:
    archive = harness.do("people/export", person="alice")["archive"]
    harness.do("people/rename", person="alice", name="Al")
    harness.do("people/rename", person="bob", name="ALICE")
    for fields in ({}, {"merge": "false"}):
        with pytest.raises(Conflict, match=r"ALICE \(bob\)"):
            harness.do("people/import", archive=archive, **fields)
    assert harness.do("people/import", archive=archive, merge=merge)["pictures"] == 1
    assert len(harness.do("people/show", person="bob")["pictures"]) == 2


def test_import_warns_of_people_who_look_like_one(harness: AdministrationHarness) -> None:
    archive = harness.do("people/export", person="bob")["archive"]
    harness.do("people/rename", person="bob", name="Rob")
    done = harness.do("people/import", archive=archive)
    assert done["pictures"] == 1
    assert "facegate people merge bob_2 bob" in done["warnings"][0]
    assert harness.do("people/rename", person="bob", name="Robert")["warnings"] == [
        done["warnings"][0].replace("Rob ", "Robert ")
    ]
    assert harness.do("people/merge", person="bob_2", into="bob")["warnings"] == []


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("people/rename", {"person": "bob", "name": "Robert"}),
        ("people/merge", {"person": "alice", "into": "bob"}),
        ("people/import", {}),
    ],
)
def test_repeated_change_gets_the_same_warnings_after_another_enrolment(
    harness: AdministrationHarness, operation: str, fields: dict[str, Any]
) -> None:
    """Regression: the warnings of the reply were not stored, and a repeat got those of its own time."""
    if operation == "people/import":
        fields = {"archive": harness.do("people/export", person="bob")["archive"]}
        harness.do("people/remove", person="bob")
    harness.enrol("Twin", 2)
    first = harness.do_once(operation, **fields)
    assert "Twin (twin)" in first["warnings"][0]
    harness.enrol("Third", 2)
    assert harness.do_once(operation, **fields) == first


def test_repeated_change_gets_the_same_reply_without_warnings(harness: AdministrationHarness) -> None:
    first = harness.do_once("people/rename", person="bob", name="Robert")
    assert first["warnings"] == []
    harness.enrol("Twin", 2)
    assert harness.do_once("people/rename", person="bob", name="Robert") == first


@pytest.mark.parametrize("skips_before", [True, False])
def test_repeated_erasure_gets_the_same_warnings(harness: AdministrationHarness, skips_before: bool) -> None:
    """Regression: a repeat got warnings about the files of its own time."""
    backups = harness.env.data / "backups"
    backups.mkdir(exist_ok=True)
    if skips_before:
        (backups / "old.sqlite").write_bytes(b"no store")
    first = harness.do_once("people/erase", person="bob")
    assert ("warnings" in first) == skips_before
    (backups / "later.sqlite").write_bytes(b"no store")
    assert harness.do_once("people/erase", person="bob") == first


def test_reply_that_lost_its_warnings_to_a_kill_is_completed_once(
    harness: AdministrationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(Registry, "complete_reply", kill)
        with pytest.raises(KeyboardInterrupt):
            harness.do_once("people/rename", person="bob", name="Robert")
    harness.enrol("Twin", 2)
    completed = harness.do_once("people/rename", person="bob", name="Robert")
    assert "Twin (twin)" in completed["warnings"][0]
    harness.enrol("Third", 2)
    assert harness.do_once("people/rename", person="bob", name="Robert") == completed


def test_operations_beyond_the_limit_get_busy(harness: AdministrationHarness) -> None:
    """Each operation may hold ten pictures."""
    go = threading.Event()
    harness.changes.submit(go.wait, 10)
    waiting = [harness.submit("people/rename", {"person": "bob", "name": f"B {n}"}) for n in range(MAX_WAITING)]
    with pytest.raises(Busy) as caught:
        harness.do("people/rename", person="bob", name="Bobby")
    assert caught.value.retry_after > 0
    go.set()
    assert [each.result(10).document()["name"] for each in waiting] == [f"B {n}" for n in range(MAX_WAITING)]
    assert harness.do("people/rename", person="bob", name="Bobby")["name"] == "Bobby"


def test_expired_operation_is_not_begun(harness: AdministrationHarness) -> None:
    with pytest.raises(Expired):
        harness.submit("people/remove", {"person": "bob"}, 0.0).result(10)
    assert harness.do("people/show", person="bob")["name"] == "Bob"


def test_reading_operation_does_not_wait_for_changes(harness: AdministrationHarness) -> None:
    go = threading.Event()
    harness.changes.submit(go.wait, 10)
    assert harness.do("health")["status"] == "ready" or harness.do("health")["status"] == "not_ready"
    go.set()


def test_operation_on_a_stopping_gateway_gets_busy(harness: AdministrationHarness) -> None:
    harness.changes.shutdown()
    with pytest.raises(Busy, match="shutting down"):
        harness.do("people/remove", person="bob")


def test_enrolment_that_expires_changes_nothing(
    harness: AdministrationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: over REST `timeout` was reported, and the enrolment still happened after it."""

    def slow(self: WorkerVision, _picture: bytes) -> FoundFace:
        deadline = time.monotonic() + 0.2
        while time.monotonic() <= deadline:
            time.sleep(0.01)
        return sample("Cora", descriptor(3)).face

    monkeypatch.setattr(WorkerVision, "describe_picture", slow)
    enrolment = harness.submit("people/add", {"name": "Cora", "images": [b"1", b"2", b"3"]}, 0.1)
    with pytest.raises(Expired):
        enrolment.result(10)
    with pytest.raises(UnknownPerson):
        harness.do("people/show", person="cora")
