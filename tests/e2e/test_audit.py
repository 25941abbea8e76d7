"""The audit of a gateway, over an erasure, a restore and a restart."""

from __future__ import annotations

import base64
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.app import Gateway, running
from gateway.config import Settings
from gateway.people.wiring import open_for_command, restore_store
from gateway.store.cipher import Cipher
from gateway.store.sealing import SealedRecords, picture_places
from gateway.store.sqlite.data_keys import FileDataKeys
from gateway.store.sqlite.key_file import KEY_FILE, KeyFile
from tests.conftest import settings
from tests.people.environment import KEY
from tests.support import WAIT_S, Broker, frame, wait_for


@pytest.fixture
def wanted(tmp_path: Path, broker: Broker) -> Settings:
    # The other gateway of the tests shares the broker.
    key = base64.b64encode(KEY).decode()
    mqtt, people = {"base": "audited"}, {"folder": tmp_path / "known_faces", "keep": "pictures", "key": key}
    (tmp_path / "known_faces").mkdir()
    return settings(tmp_path / "data", broker, mqtt=mqtt, people=people, workers={"processes": 1})


def ask(gateway: Gateway, method: str, path: str, **content: Any) -> Any:
    answer = requests.request(method, f"{gateway.rest.url}{path}", timeout=WAIT_S, **content)
    assert answer.status_code == 200, answer.text
    return answer.json()


def all_keys(files: list[Path]) -> Iterator[SealedRecords]:
    """Yield all that somebody with the master key can decrypt with, from these files of data keys."""
    yield SealedRecords(Cipher(KEY))
    for file in files:
        keys = FileDataKeys(file, Cipher(KEY))
        for uid in KeyFile(file).read().keys:
            with suppress(ValueError):
                yield keys.of(uid)


def readable_fields(backup: Path, files: list[Path]) -> dict[str, int]:
    """Return how many descriptors, chips and pictures of each person can be read in a backup, by the person's id."""
    found: dict[str, int] = {}
    with closing(sqlite3.connect(backup)) as db:
        rows = db.execute("SELECT slug, digest, descriptor, chips, original FROM pictures JOIN people ON id = person")
        for slug, digest, *fields in rows:
            opened = [opens(field, place, files) for field, place in zip(fields, picture_places(digest), strict=True)]
            found[slug] = found.get(slug, 0) + sum(opened)
    return found


def opens(field: bytes | None, place: str, files: list[Path]) -> bool:
    for records in all_keys(files):
        with suppress(ValueError):
            return records.open(field, place) is not None
    return False


def test_person_stays_erased_after_a_restore_and_a_restart_and_the_audit_has_all_three(
    wanted: Settings, tmp_path: Path
) -> None:
    with running(wanted) as gateway:
        wait_for(lambda: gateway.health().ready, WAIT_S)
        ask(gateway, "POST", "/api/v1/people", data={"name": "Barack Obama"}, files={"images": frame("obama_1")})
        ask(gateway, "POST", "/api/v1/people", data={"name": "Joe Biden"}, files={"images": frame("biden_1")})
        assert ask(gateway, "POST", "/face_rec", files={"file": frame("obama_2")})["name"] == "Barack Obama"
        backup = gateway.people.store.backups.make(tmp_path / "elsewhere.sqlite")
        stolen = Path(shutil.copy(backup, tmp_path / "stolen.sqlite"))
        key_files = [wanted.data / KEY_FILE, wanted.data / "backups" / KEY_FILE, tmp_path / KEY_FILE]
        assert readable_fields(stolen, key_files) == {"barack_obama": 3, "joe_biden": 3}
        ask(gateway, "POST", "/api/v1/people/barack_obama/erase")
        # The next backup into the folder replaces the data keys there.
        gateway.people.store.backups.make(tmp_path / "next.sqlite")
        assert readable_fields(stolen, key_files) == {"barack_obama": 0, "joe_biden": 3}
    restore_store(wanted, backup)
    with running(wanted) as gateway:
        wait_for(lambda: gateway.health().ready, WAIT_S)
        assert ask(gateway, "POST", "/face_rec", files={"file": frame("obama_2")})["name"] == "Unknown"
        assert ask(gateway, "POST", "/face_rec", files={"file": frame("biden_2")})["name"] == "Joe Biden"
        lines = ask(gateway, "GET", "/api/v1/audit")["audit"][::-1]
        head = gateway.health().audit_head
    assert readable_fields(stolen, key_files) == {"barack_obama": 0, "joe_biden": 3}
    assert [line["action"] for line in lines] == ["start", "add", "add", "erase", "restore", "start"]
    obama, biden = lines[1], lines[2]
    assert (obama["name"], lines[3]["person"], lines[3]["name"]) == (None, obama["person"], None)
    assert (biden["name"], biden["outcome"]) == ("Joe Biden", "done")
    # The backup is of the time after both enrolments.
    assert lines[4]["detail"].startswith("a file outside data/backups, made after line 3")
    with open_for_command(wanted) as people:
        assert people.store.audit.check().problems == ()
        assert head is not None
    assert b"Obama" not in (wanted.data / "audit.sqlite").read_bytes()
