"""This version starts on the data folder of each released version, and keeps everything in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.app import Gateway, running
from gateway.config import Settings
from gateway.people.wiring import open_for_command, open_store_for_command, restore_store
from tests.conftest import settings
from tests.e2e.gateway_processes import retained_messages
from tests.releases.make_data_folder import BASE, QUERIES
from tests.releases.released import RELEASED, Released
from tests.support import Broker, Client, broker_running, frame, wait_for

LONG_DAYS = 36_500
LONG_S = 600
"""The longest wait for anything, also on a machine that is busy with other work."""


@pytest.fixture(scope="module", params=RELEASED, ids=lambda each: each.name)
def released(request: pytest.FixtureRequest) -> Released:
    found: Released = request.param
    return found


def settings_of(released: Released, folder: Path, broker: Broker, base: str = BASE) -> Settings:
    """Return settings with which nothing in an old folder has expired."""
    long = {"keep_days": LONG_DAYS}
    key = {"key": released.key} if released.key else {}
    return settings(
        released.unpack(folder),
        broker,
        mqtt={"base": base},
        people={"folder": folder / "known_faces", **key},
        unknowns=long,
        ignored=long,
        sightings=long,
        workers={"processes": 1, "picture_s": LONG_S},
    )


@dataclass
class Upgraded:
    """A gateway of this version on the data folder of a released one."""

    released: Released
    gateway: Gateway
    broker: Broker

    def get(self, path: str, token: str = "") -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.get(f"{self.gateway.rest.url}/api/v1/{path}", headers=headers, timeout=LONG_S)

    def pairs(self, path: str, field: str, key: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yield each recorded entry of a list with the present one of the same key."""
        present = {each[key]: each for each in self.get(path).json()[field]}
        for each in self.released.answers[path][field]:
            assert each[key] in present, f"{path}: {each[key]} is missing"
            yield each, present[each[key]]

    def name_in(self, picture: str) -> str:
        answer = requests.post(f"{self.gateway.rest.url}/face_rec", files={"file": frame(picture)}, timeout=LONG_S)
        name: str = answer.json()["name"]
        return name


@pytest.fixture(scope="module")
def upgraded(released: Released, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    """A ready gateway. The broker still has the retained messages of the old one."""
    folder = tmp_path_factory.mktemp("upgraded")
    with broker_running(folder) as broker:
        publish_retained(broker, released.retained)
        with running(settings_of(released, folder, broker)) as gateway:
            wait_for(lambda: gateway.health().ready, LONG_S)
            yield Upgraded(released, gateway, broker)


def publish_retained(broker: Broker, messages: dict[str, bytes]) -> None:
    with closing(Client(broker.port)) as client:
        for topic, payload in messages.items():
            client.publish(topic, payload, retain=True)


def test_every_kind_of_data_is_in_the_folder(released: Released) -> None:
    """The other tests would pass on an empty folder too."""
    answers = released.answers
    assert set(answers) == set(QUERIES)
    assert [each["person"] for each in answers["people"]["people"]] == ["barack_obama", "joe_biden"]
    assert {each["ignored"] for each in answers["unknowns"]["unknowns"]} == {True, False}
    assert {each["outcome"] for each in answers["sightings"]["sightings"]} >= {"named", "stranger"}
    assert None in [each["ended"] for each in answers["sightings"]["sightings"]]
    assert {each["name"] for each in answers["tokens"]["tokens"]} == {"app", "console", "expired"}
    actions = {each["action"] for each in answers["audit"]["audit"]}
    assert actions >= {"start", "add", "merge", "erase", "remove", "backup", "feature", "revoke_token"}
    assert f"{BASE}/bridge/person/joe_biden" in released.retained


def test_people_and_their_pictures_are_intact(upgraded: Upgraded) -> None:
    for recorded, present in upgraded.pairs("people", "people", "person"):
        assert present == recorded
        details = upgraded.get(f"people/{recorded['person']}").json()
        assert details | recorded == details
        assert not details["warnings"]
    assert upgraded.get("people/joe_biden/picture").content[:2] == b"\xff\xd8"


def test_unknown_groups_are_intact(upgraded: Upgraded) -> None:
    for recorded, present in upgraded.pairs("unknowns", "unknowns", "unknown"):
        assert present == recorded


def test_sightings_are_intact_and_the_one_of_the_kill_has_ended(upgraded: Upgraded) -> None:
    for recorded, present in upgraded.pairs("sightings", "sightings", "sighting"):
        if recorded["ended"] is None:
            assert present["ended"] is not None
        else:
            assert present == recorded
        picture = upgraded.get(f"sightings/{recorded['sighting']}/picture")
        assert picture.content[:2] == b"\xff\xd8"


def test_cameras_keep_their_switches(upgraded: Upgraded) -> None:
    for recorded, present in upgraded.pairs("cameras", "cameras", "camera"):
        assert (present["camera"], present["enabled"]) == (recorded["camera"], recorded["enabled"])


def test_audit_is_intact_and_continued(upgraded: Upgraded) -> None:
    old = upgraded.released.answers["audit"]["audit"]
    present = upgraded.get("audit?limit=1000").json()["audit"]
    assert present[-len(old) :] == old
    assert "start" in {each["action"] for each in present[: -len(old)]}
    assert not upgraded.gateway.people.store.audit.check().problems


def test_tokens_are_intact_and_the_revoked_one_stays_revoked(upgraded: Upgraded) -> None:
    for recorded, present in upgraded.pairs("tokens", "tokens", "name"):
        assert (present["role"], present["expires"]) == (recorded["role"], recorded["expires"])
    tokens = upgraded.released.tokens
    accepted = {name: upgraded.get("people", token).ok for name, token in tokens.items()}
    # A client may recognise, and not list people.
    assert accepted == {"console": True, "app": False, "expired": False, "revoked": False}
    assert upgraded.get("health", tokens["app"]).status_code != 401
    assert upgraded.get("health", tokens["revoked"]).status_code == 401


def test_retained_topics_are_published_again(upgraded: Upgraded) -> None:
    """Nothing that the killed gateway left behind is out of date, and nothing is missing."""
    old = upgraded.released.retained

    def is_current() -> bool:
        present = retained_messages(upgraded.broker.port)
        return old.keys() <= present.keys() and json.loads(present[f"{BASE}/yard/present"])["count"] == 0

    wait_for(is_current, LONG_S)
    present = retained_messages(upgraded.broker.port)
    assert json.loads(present[f"{BASE}/bridge/state"])["state"] == "online"
    assert json.loads(present[f"{BASE}/bridge/person/joe_biden"])["camera"] == "yard"


def test_people_are_recognised_and_the_erased_person_is_not(upgraded: Upgraded) -> None:
    """The picture of the erased person is still in known_faces, which the gateway has read again."""
    names = [upgraded.name_in(each) for each in ("biden_1", "obama_2", "stranger_1", "hopper_1")]
    assert names == ["Joe Biden", "Barack Obama", "Unknown", "Unknown"]
    # Both strangers are known from the groups that the old version made. Ignored ones are not counted.
    groups = {each["unknown"]: each for each in upgraded.get("unknowns").json()["unknowns"]}
    assert groups.keys() == {each["unknown"] for each in upgraded.released.answers["unknowns"]["unknowns"]}


def test_retained_topics_of_the_old_version_are_cleared_from_its_journal(released: Released, tmp_path: Path) -> None:
    """With another base topic nothing may stay at the broker below the old one."""
    with broker_running(tmp_path) as broker:
        publish_retained(broker, released.retained)
        wanted = settings_of(released, tmp_path, broker, base="moved")

        def is_cleared() -> bool:
            left = retained_messages(broker.port)
            return f"{BASE}/bridge/state" not in left and not any(each.startswith(f"{BASE}/") for each in left)

        with running(wanted):
            wait_for(is_cleared, LONG_S)


def test_person_who_was_erased_does_not_come_back_with_a_backup(released: Released, tmp_path: Path) -> None:
    """The backup was made before the erasure, and was outside of the data folder then."""
    wanted = settings_of(released, tmp_path, Broker(tmp_path))
    for backup in (tmp_path / "elsewhere" / "people.sqlite", *sorted((wanted.data / "backups").glob("people-*"))):
        restore_store(wanted, backup)
        with open_for_command(wanted) as people:
            names = {person.name for person in people.gallery.people().values()}
        assert "Joe Biden" in names
        assert "Grace Hopper" not in names
    with open_store_for_command(wanted) as store:
        assert not store.audit.check().problems
