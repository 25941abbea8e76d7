"""Deletion of damaged uploads when a person is erased."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.config import Settings
from gateway.errors import GatewayError, UnknownPerson
from gateway.model.caller import CLI_CALLER, REST_CALLER
from gateway.people.wiring import open_for_command
from tests.examples import descriptor
from tests.people.environment import PeopleEnvironment, open_environment, sample


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with an upload, a damaged upload, a damaged file, and a link to a folder elsewhere."""
    data = tmp_path / "data"
    for folder in ("uploads/door/1", "uploads.damaged-20261128-120000/1-door", "../elsewhere"):
        (data / folder).mkdir(parents=True)
        (data / folder / "0").write_bytes(b"piece")
    (data / "uploads.damaged-20261128-120001").write_bytes(b"no folder")
    (data / "uploads.damaged-20261128-120002").symlink_to(tmp_path / "elsewhere")
    return data


def uploads(data: Path) -> list[str]:
    return sorted(path.name for path in data.glob("uploads*"))


def erase(env: PeopleEnvironment, slug: str) -> None:
    env.registry.erase(slug, REST_CALLER)


def test_erasure_deletes_damaged_uploads_and_logs_it(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_environment(data) as env:
        env.registry.enrol("Alice", [sample("a", descriptor(1))], REST_CALLER)
        with pytest.raises(UnknownPerson):
            erase(env, "bob")
        assert len(uploads(data)) == 4
        erase(env, "alice")
    assert uploads(data) == ["uploads"]
    assert (data / "uploads/door/1/0").exists()
    assert (data.parent / "elsewhere/0").exists()
    assert caplog.text.count("is deleted: a person is erased") == 3


def test_removal_keeps_damaged_uploads(data: Path) -> None:
    with open_environment(data) as env:
        env.registry.enrol("Alice", [sample("a", descriptor(1))], REST_CALLER)
        env.registry.remove("alice", REST_CALLER)
    assert len(uploads(data)) == 4


def test_erasure_that_cannot_delete_uploads_fails_and_can_be_repeated(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with open_environment(data) as env:
        env.registry.enrol("Alice", [sample("a", descriptor(1))], REST_CALLER)
        with monkeypatch.context() as denied:
            denied.setattr(shutil, "rmtree", refuse)
            with pytest.raises(GatewayError, match=r"not everything was erased: .*Permission denied.*erase again"):
                erase(env, "alice")
        assert env.who(descriptor(1)) == "alice"
        erase(env, "alice")
        assert env.who(descriptor(1)) is None
    assert uploads(data) == ["uploads"]


def test_erasure_by_a_command_deletes_damaged_uploads(data: Path) -> None:
    settings = Settings(data=data, people={"folder": data / "known_faces"})
    with open_for_command(settings) as opened:
        opened.registry.enrol("Alice", [sample("a", descriptor(1))], CLI_CALLER)
        opened.registry.erase("alice", CLI_CALLER)
    assert uploads(data) == ["uploads"]
