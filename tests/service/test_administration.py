from __future__ import annotations

import base64
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.contract.base import Document, WireModel
from gateway.contract.operations import ADMINISTRATION, RECOGNITION, read_fields
from gateway.errors import BadRequest, Busy, Conflict, Expired, Forbidden, NoFace, UnknownPerson, Unsupported
from gateway.model import AdministrationRequest, Caller, Effect, FoundFace, Origin, SizeLimit
from gateway.model.caller import REST_CALLER, camera_caller
from gateway.model.health import Health, ImportProgress, MqttHealth
from gateway.people.registry import Registry
from gateway.rest.api_v1 import ROUTES
from gateway.service.administration import Administration
from gateway.service.documents import write_person
from gateway.service.enrolment_vision import WorkerVision
from gateway.service.live_cameras import LiveCameras
from gateway.service.turns import MAX_WAITING, Turns
from tests.examples import BOX, QUALITY, descriptor
from tests.people.environment import PeopleEnvironment, chips_of, open_environment, picture_id, sample
from tests.support import WAIT_S, wait_for

HEALTH = Health(MqttHealth(True, True, True), 1, 1, True, True, ImportProgress())


class AdministrationHarness:
    """An administration. ``health``: called by the operation ``health``, in place of a constant."""

    def __init__(
        self,
        env: PeopleEnvironment,
        live: LiveCameras | None = None,
        *,
        keep_admin: bool = False,
        health: Callable[[], Health] = lambda: HEALTH,
    ) -> None:
        self.env = env
        self.changes, self.reads = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        vision = WorkerVision(_refuse_job, min_face=56, size_limit=SizeLimit(1000))
        self.administration = Administration(
            env.people,
            vision,
            Turns(self.changes),
            Turns(self.reads),
            health,
            live,
            keep_admin=keep_admin,
        )

    def do(self, operation: str, **fields: Any) -> Document:
        return self.submit(operation, fields).result(WAIT_S).document()

    def do_once(self, operation: str, **fields: Any) -> Document:
        """Send a request with an id. All calls for one operation are repeats of one request."""
        effect = Effect(f"bridge/{operation}", repr(fields).encode(), time.monotonic() + 60)
        return self.submit(operation, fields, effect=effect).result(WAIT_S).document()

    def submit(
        self,
        operation: str,
        fields: Document,
        valid_for_s: float = 60,
        caller: Caller = REST_CALLER,
        effect: Effect | None = None,
        sender: str = "",
        held_versions: frozenset[str] = frozenset(),
    ) -> Future[WireModel]:
        return self.administration.submit(
            AdministrationRequest(
                operation=operation,
                fields=fields,
                origin=Origin(caller=caller, sender=sender),
                valid_for_s=valid_for_s,
                effect=effect,
                held_versions=held_versions,
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


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("people/rename", {"person": "alice", "name": "Alicia"}),
        ("people/remove", {"person": "alice"}),
        ("people/erase", {"person": "alice"}),
    ],
)
def test_late_copy_of_a_done_change_gets_its_reply(
    harness: AdministrationHarness, operation: str, fields: Document
) -> None:
    first = harness.do_once(operation, **fields)
    done = Effect(f"bridge/{operation}", repr(fields).encode(), time.monotonic())
    assert harness.submit(operation, fields, valid_for_s=0, effect=done).result(WAIT_S).document() == first
    new = replace(done, key="bridge/new")
    with pytest.raises(Expired):
        harness.submit(operation, fields, valid_for_s=0, effect=new).result(WAIT_S)


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("people/add", {"name": "Alice"}),
        ("people/add", {"name": "Alice", "partial": True}),
        ("people/not_them", {"person": "alice"}),
    ],
)
def test_pictures_of_a_done_change_are_not_analysed_again(
    harness: AdministrationHarness, operation: str, fields: Document
) -> None:
    """The workers may be busy by then, or the rules stricter. The workers of the harness refuse each picture."""
    person = write_person(harness.env.store.people.read_entry("alice")).document()
    enrolled: Document = {"person": "alice", "name": "Alice", "pictures": 2, "warnings": []}
    done = Effect("bridge/1", b"pictures", time.monotonic() + 60)
    harness.env.registry.apply_once(done, lambda: person if operation == "people/not_them" else enrolled)
    with_picture: Document = {**fields, "images": [base64.b64encode(b"a picture").decode()]}
    assert harness.submit(operation, with_picture, effect=done).result(WAIT_S).document()["person"] == "alice"
    with pytest.raises(AssertionError):
        harness.submit(operation, with_picture, effect=replace(done, key="bridge/2")).result(WAIT_S)


def test_every_operation_has_a_route_in_api_v1() -> None:
    """Enrolment has the route of people/add."""
    recognition = {operation.value for operation in RECOGNITION} - {"enroll"}
    assert {operation for _, _, operation in ROUTES} == ADMINISTRATION.keys() | recognition


def test_every_operation_of_the_contract_has_a_handler(harness: AdministrationHarness) -> None:
    assert harness.administration.operations == ADMINISTRATION.keys()


def test_camera_may_not_ask_for_operations_of_administrators(harness: AdministrationHarness) -> None:
    with pytest.raises(Forbidden, match="people/list needs the role viewer, and the role of mqtt:porch is camera"):
        harness.submit("people/list", {}, caller=camera_caller("porch")).result(WAIT_S)


@pytest.mark.parametrize(
    ("operation", "fields"),
    [("people/erase", {}), ("people/erase", {"colour": "red"}), ("people/export", {"person": 7})],
)
def test_role_is_checked_before_the_fields(harness: AdministrationHarness, operation: str, fields: Document) -> None:
    """Regression: a malformed request of a low role got bad_request, and no line in the audit."""
    with pytest.raises(Forbidden, match=f"{operation} needs the role privacy"):
        harness.submit(operation, fields, caller=Caller("rest", "phone", "client")).result(WAIT_S)


def test_people_are_listed_in_pages(harness: AdministrationHarness) -> None:
    first = harness.do("people/list", limit=1)
    assert ([each["name"] for each in first["people"]], first["next"], first["known"]) == (["Alice"], "alice", 2)
    assert first["found"] == 2
    second = harness.do("people/list", limit="1", after=first["next"])
    assert ([each["name"] for each in second["people"]], second["next"]) == (["Bob"], None)
    found = harness.do("people/list", search="LIC", limit=1)
    assert ([each["person"] for each in found["people"]], found["found"], found["known"]) == (["alice"], 1, 2)


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
        ("people/show", {"person": "alice", "picture": "0" * 16}, BadRequest),
        ("people/picture", {"person": "alice", "picture": "0" * 16}, UnknownPerson),
        ("people/picture", {"person": "carol"}, UnknownPerson),
        ("people/split", {"person": "alice", "pictures": ["0" * 16]}, BadRequest),
        ("people/split", {"person": "alice", "pictures": ["0" * 16], "name": "C", "into": "bob"}, BadRequest),
        ("people/split", {"person": "alice", "pictures": [], "name": "C"}, BadRequest),
        ("people/split", {"person": "alice", "pictures": "0,1", "name": "C"}, BadRequest),
        ("people/split", {"person": "alice", "pictures": ["0" * 16], "name": "C"}, UnknownPerson),
        ("people/feature", {"person": "alice", "picture": "0" * 16}, UnknownPerson),
        ("people/audit", {"before": 0}, BadRequest),
        ("unknowns/list", {"after": 77}, UnknownPerson),
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
    assert [each.result(WAIT_S).document()["name"] for each in waiting] == [f"B {n}" for n in range(MAX_WAITING)]
    assert harness.do("people/rename", person="bob", name="Bobby")["name"] == "Bobby"


def test_operations_that_change_nothing_leave_places_for_changes(harness: AdministrationHarness) -> None:
    """Regression: a viewer that asked for many pictures of cameras kept changes from being made."""
    go = threading.Event()
    harness.reads.submit(go.wait, 10)
    waiting = [harness.submit("people/list", {}) for _ in range(MAX_WAITING)]
    with pytest.raises(Busy):
        harness.do("people/list")
    for n in range(MAX_WAITING):
        assert harness.do("people/rename", person="bob", name=f"B {n}")["name"] == f"B {n}"
    go.set()
    assert [each.result(WAIT_S).document()["known"] for each in waiting] == [2] * MAX_WAITING
    assert harness.do("people/list")["known"] == 2


@pytest.mark.parametrize(
    ("operation", "fields"),
    [("people/list", {}), ("people/rename", {"person": "bob", "name": "Robert"})],
)
def test_caller_with_every_place_loses_one_to_each_other_caller(
    harness: AdministrationHarness, operation: str, fields: dict[str, Any]
) -> None:
    """Regression: one token took all places, and others got `busy`."""
    go = threading.Event()
    for executor in (harness.changes, harness.reads):
        executor.submit(go.wait, 10)
    phone, tablet = Caller("rest", "phone", "keeper"), Caller("rest", "tablet", "keeper")
    # One token is one caller, from whatever address.
    flood = [harness.submit(operation, fields, caller=phone, sender=f"phone@192.0.2.{n}") for n in range(MAX_WAITING)]
    others = [
        harness.submit(operation, fields, caller=tablet, sender="tablet@192.0.2.1"),
        harness.submit(operation, fields, caller=camera_caller("phone")),
        harness.submit(operation, fields, caller=Caller("rest", None, "keeper"), sender="192.0.2.1"),
        harness.submit(operation, fields, caller=Caller("rest", None, "keeper"), sender="192.0.2.2"),
    ]
    go.set()
    # No operation of administrators is for cameras.
    assert [type(each.exception(WAIT_S)) for each in others] == [type(None), Forbidden, type(None), type(None)]
    assert [type(each.exception(WAIT_S)) for each in flood] == [type(None)] * (MAX_WAITING - 3) + [Busy] * 3


def test_expired_operation_is_not_begun(harness: AdministrationHarness) -> None:
    with pytest.raises(Expired):
        harness.submit("people/remove", {"person": "bob"}, 0.0).result(WAIT_S)
    assert harness.do("people/show", person="bob")["name"] == "Bob"


class Removals:
    """People who are removed one by one, each while the operation ``health`` of an administration is done."""

    def __init__(self, env: PeopleEnvironment) -> None:
        self.left = ["Alice", "Bob", "Carol", "Dave", "Erin"]
        self.end = 0.0
        self._registry = env.registry
        self.harness = AdministrationHarness(env, health=self._remove_next)
        for seed, name in enumerate(self.left):
            self.harness.enrol(name, seed)

    def _remove_next(self) -> Health:
        if self.left:
            self._registry.remove(self.left.pop().lower(), REST_CALLER)
        wait_for(lambda: time.monotonic() > self.end)
        return HEALTH


@pytest.fixture
def removals(tmp_path: Path) -> Iterator[Removals]:
    with open_environment(tmp_path) as env:
        removals = Removals(env)
        yield removals
        removals.harness.changes.shutdown()
        removals.harness.reads.shutdown()


def test_operation_during_removals_is_repeated_within_a_limit(removals: Removals) -> None:
    """Regression: while a script removed people one by one, one reply held up all others, without an end."""
    with pytest.raises(Busy, match="people were removed during each of 3 attempts: try again later") as caught:
        removals.harness.do("health")
    assert (removals.left, caught.value.retry_after > 0) == (["Alice", "Bob"], True)
    assert removals.harness.do("health")["status"]
    assert removals.left == []


def test_operation_that_expires_during_removals_is_not_repeated(removals: Removals) -> None:
    removals.end = math.inf
    reply = removals.harness.submit("health", {}, 0.5)
    # The first attempt ends after the request has expired.
    removals.end = time.monotonic() + 0.5
    with pytest.raises(Expired):
        reply.result(WAIT_S)
    # On a slow machine it may have expired before it began.
    assert removals.left[:4] == ["Alice", "Bob", "Carol", "Dave"]


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
        enrolment.result(WAIT_S)
    with pytest.raises(UnknownPerson):
        harness.do("people/show", person="cora")


def pictures_of(harness: AdministrationHarness, person: str) -> list[str]:
    return [each["id"] for each in harness.do("people/show", person=person)["pictures"]]


@pytest.mark.parametrize("as_text", [True, False])
def test_pictures_are_split_off_to_a_new_person_once(harness: AdministrationHarness, as_text: bool) -> None:
    harness.env.registry.enrol("Alice", [sample(name, descriptor(3)) for name in ("c1", "c2")], REST_CALLER)
    taken = [picture_id("c1"), picture_id("c2")]
    fields = {"person": "alice", "pictures": ",".join(taken) if as_text else taken, "name": "Carol"}
    done = harness.do_once("people/split", **fields)
    assert (done["person"], sorted(each["id"] for each in done["pictures"])) == ("carol", sorted(taken))
    assert pictures_of(harness, "alice") == [picture_id("Alice")]
    assert harness.env.who(descriptor(3)) == "carol"
    lines = harness.env.store.audit.read_lines(99)
    assert harness.do_once("people/split", **fields) == done
    assert harness.env.store.audit.read_lines(99) == lines


def test_chosen_picture_is_shown(harness: AdministrationHarness) -> None:
    harness.env.registry.enrol("Alice", [sample("later", descriptor(1))], REST_CALLER)
    assert harness.do("people/show", person="alice")["shown"] == picture_id("Alice")
    assert harness.do("people/feature", person="alice", picture=picture_id("later"))["shown"] == picture_id("later")
    assert harness.do("people/list")["people"][0]["shown"] == picture_id("later")


def test_picture_of_a_person_is_made_from_its_chips(
    harness: AdministrationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WorkerVision, "_draw", lambda _, chips, task: b"JPEG of " + chips)
    for fields in ({}, {"picture": picture_id("Alice")}):
        done = harness.do("people/picture", person="alice", **fields)
        assert (done["person"], done["picture"]) == ("alice", picture_id("Alice"))
        assert base64.b64decode(done["image"]) == b"JPEG of " + chips_of("Alice")


def test_picture_that_the_caller_has_is_not_drawn_again(
    harness: AdministrationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[bytes] = []

    def draw(_: WorkerVision, chips: bytes, _task: object) -> bytes:
        drawn.append(chips)
        return b"JPEG"

    monkeypatch.setattr(WorkerVision, "_draw", draw)
    fields = {"person": "alice"}
    version = harness.do("people/picture", **fields)["version"]
    again = harness.submit("people/picture", fields, held_versions=frozenset({"another", version})).result(WAIT_S)
    assert again.document() == {"version": version}
    assert len(drawn) == 1
    harness.submit("people/picture", {"person": "bob"}, held_versions=frozenset({version})).result(WAIT_S)
    assert len(drawn) == 2


def test_person_shows_who_resembles_them_most(harness: AdministrationHarness) -> None:
    shown = harness.do("people/show", person="alice")
    assert (shown["closest"]["person"], shown["warnings"]) == ("bob", [])
    assert shown["closest"]["score"] < shown["threshold"]
    harness.enrol("Twin", 1)
    shown = harness.do("people/show", person="alice")
    assert (shown["closest"]["person"], shown["closest"]["score"]) == ("twin", 1.0)
    (warning,) = shown["coded_warnings"]
    assert warning == {"code": "resembles_others", "text": shown["warnings"][0], "people": ["alice", "twin"]}
    harness.do("people/remove", person="bob")
    harness.do("people/remove", person="twin")
    assert harness.do("people/show", person="alice")["closest"] is None


def test_people_who_may_be_one_person_are_suggested(harness: AdministrationHarness) -> None:
    assert harness.do("people/suggestions")["suggestions"] == []
    harness.enrol("Twin", 1)
    (suggestion,) = harness.do("people/suggestions")["suggestions"]
    alice = {"person": "alice", "name": "Alice", "shown": picture_id("Alice")}
    twin = {"person": "twin", "name": "Twin", "shown": picture_id("Twin")}
    assert suggestion == {"people": [alice, twin], "score": 1.0}
    harness.enrol("Twin 2", 2)
    assert len(harness.do("people/suggestions")["suggestions"]) == 2
    assert len(harness.do("people/suggestions", limit=1)["suggestions"]) == 1


def describe(picture: bytes) -> FoundFace:
    """Return the face of a picture that is called after a number, or raise the error that it is called after."""
    if picture == b"no face":
        raise NoFace("there is no face in the picture")
    dark = replace(QUALITY, brightness=0.01)
    return sample(picture.decode(), descriptor(9), dark if picture == b"dark" else QUALITY).face


def test_pictures_that_can_be_used_are_enrolled_with_partial(
    harness: AdministrationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WorkerVision, "describe_picture", lambda _, picture: describe(picture))
    harness.do("people/add", name="Cora", images=[b"old"])
    fields = {"name": "Cora", "images": [b"no face", b"new", b"dark", b"old"]}
    with pytest.raises(NoFace, match=r"^picture 1: there is no face in the picture$"):
        harness.do("people/add", **fields)
    done = harness.do_once("people/add", partial=True, **fields)
    no_face, new, dark, old = done["results"]
    assert no_face == {"picture": 1, "status": "refused", "code": "no_face", "error": "there is no face in the picture"}
    assert new == {"picture": 2, "status": "added", "id": picture_id("new")}
    assert (dark["status"], dark["code"]) == ("refused", "bad_image")
    assert dark["error"].startswith("the picture cannot be used, because the face is too dark")
    assert old == {"picture": 4, "status": "already", "id": picture_id("old")}
    assert done["pictures"] == 2
    assert [each["code"] for each in done["coded_warnings"]] == ["enrolled_already", "few_pictures"]
    assert done["coded_warnings"][0]["picture"] == 4
    assert harness.do_once("people/add", partial=True, **fields) == done


def test_every_reason_is_given_if_no_picture_can_be_used(
    harness: AdministrationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WorkerVision, "describe_picture", lambda _, picture: describe(picture))
    with pytest.raises(NoFace, match=r"none of the 2 pictures can be used: picture 1: there is no face.*; picture 2: "):
        harness.do("people/add", name="Cora", images=[b"no face", b"dark"], partial=True)
    with pytest.raises(UnknownPerson):
        harness.do("people/show", person="cora")


def test_result_of_each_picture_is_given_without_partial_too(
    harness: AdministrationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WorkerVision, "describe_picture", lambda _, picture: describe(picture))
    results = harness.do("people/add", name="Cora", images=[b"1", b"2"])["results"]
    assert [(each["picture"], each["status"], each["id"]) for each in results] == [
        (1, "added", picture_id("1")),
        (2, "added", picture_id("2")),
    ]


def test_audit_is_read_in_pages(harness: AdministrationHarness) -> None:
    harness.do("people/rename", person="bob", name="Rob")
    lines = harness.do("people/audit")["audit"]
    first = harness.do("people/audit", limit=2)
    second = harness.do("people/audit", limit=2, before=first["next"])
    assert [*first["audit"], *second["audit"]] == lines
    assert (first["next"], second["next"], len(lines)) == (lines[1]["line"], None, 3)


def test_unknown_groups_are_listed_in_pages(harness: AdministrationHarness) -> None:
    for n in range(3):
        face = FoundFace(BOX, descriptor(20 + n), quality=QUALITY, chips=b"chips")
        harness.env.people.groups.add_face(None, face, QUALITY, "door", time.time() + n)
    every = harness.do("unknowns/list")
    first = harness.do("unknowns/list", limit=2)
    second = harness.do("unknowns/list", limit=2, after=first["next"])
    assert [*first["unknowns"], *second["unknowns"]] == every["unknowns"]
    assert [(len(page["unknowns"]), page["known"]) for page in (every, first, second)] == [(3, 3), (2, 3), (1, 3)]
    assert (every["next"], second["next"]) == (None, None)
