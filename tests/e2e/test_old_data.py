"""A data folder of an earlier version keeps its people, its unknown faces, its audit and its backup.

``old_data.tar.xz`` was written by a gateway before detection in two stages and recognisers of the user's own: Joe
Biden enrolled over REST and Grace Hopper from ``known_faces/``, each with the project's picture; Barack Obama unknown,
in a group of three faces; and a backup.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from gateway.app import running
from gateway.config import Settings
from gateway.model.caller import CLI_CALLER
from gateway.people.wiring import open_for_command, restore_store
from gateway.vision.engines.recogniser import recipe_of
from tests.conftest import settings
from tests.support import WAIT_S, Broker, Client, frame, wait_for

OLD_DATA = Path(__file__).with_name("old_data.tar.xz")
LONG_DAYS = 36_500


@pytest.fixture
def wanted(tmp_path: Path, broker: Broker) -> Settings:
    """Return the settings of a gateway with the old data folder. Its folder of known people is missing."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with tarfile.open(OLD_DATA) as archive:
        archive.extractall(data)  # noqa: S202
    people = {"folder": tmp_path / "missing"}
    # The other gateway of the tests shares the broker.
    mqtt = {"base": "old"}
    unknowns = {"keep_days": LONG_DAYS}
    return settings(data, broker, mqtt=mqtt, people=people, unknowns=unknowns, workers={"processes": 1})


@pytest.fixture
def client(broker: Broker) -> Iterator[Client]:
    client = Client(broker.port)
    yield client
    client.close()


def test_gateway_names_the_people_of_an_old_data_folder(wanted: Settings, client: Client) -> None:
    url = f"http://127.0.0.1:{wanted.rest.port}"
    with running(wanted) as gateway:
        wait_for(lambda: gateway.health().ready, WAIT_S)
        names = ["hopper_1", "biden_1", "biden_2", "stranger_1", "obama_1"]
        answers = [requests.post(f"{url}/face_rec", files={"file": frame(name)}, timeout=WAIT_S) for name in names]
        seen = [answer.json()["name"] for answer in answers]
        assert seen == ["Grace Hopper", "Joe Biden", "Joe Biden", "Unknown", "Unknown"]
        client.publish(f"{wanted.mqtt.base}/porch/request/face_rec", frame("obama_2"))
        # Only the old group has three faces.
        wait_for(lambda: "porch" in next(each for each in gateway.people.groups.list_groups() if each.id == 1).cameras)
        assert len(gateway.people.groups.group(1).faces) >= 3
        audit = requests.get(f"{url}/api/v1/audit", timeout=WAIT_S).json()["audit"]
    lines = [(line["door"], line["action"]) for line in audit]
    # The store is upgraded, with a backup before.
    assert lines == [
        ("gateway", "start"),
        ("upgrade", "backup"),
        ("cli", "backup"),
        ("known_faces", "add"),
        ("rest", "add"),
    ]


def test_old_data_folder_is_restored_from_its_own_backup(wanted: Settings) -> None:
    (backup,) = (wanted.data / "backups").glob("people-*.sqlite")
    with open_for_command(wanted) as people:
        enrolled, faces = people.store.faces.read_faces(recipe_of(wanted))
        people.store.people.remove("joe_biden", CLI_CALLER)
    assert [person.slug for person in enrolled] == ["grace_hopper", "joe_biden"]
    restore_store(wanted, backup)
    with open_for_command(wanted) as people:
        again, same = people.store.faces.read_faces(recipe_of(wanted))
        assert people.store.audit.read_lines(1)[0].action == "restore"
    assert again == enrolled
    assert (same == faces).all()
