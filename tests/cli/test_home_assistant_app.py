"""The data folder of the app of Home Assistant, which the supervisor makes, and restores from a backup, as root."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import home_assistant_app as app

NOBODY = "nobody"
"""A user of every Linux, in the place of the one in the image."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(app, "OWNER", NOBODY)
    with tempfile.TemporaryDirectory(prefix="facegate-app-") as name:
        yield Path(name) / "facegate"


def owner(path: Path) -> str:
    return pwd.getpwuid(path.lstat().st_uid).pw_name


def test_new_data_folder_belongs_to_the_user_of_the_gateway(data: Path) -> None:
    app.make_data_folder(data)
    assert owner(data) == NOBODY
    assert data.stat().st_mode & 0o777 == 0o700


def test_restored_files_are_given_back_but_not_the_target_of_a_link(data: Path) -> None:
    """Regression: the supervisor restores a backup with root as the owner of all files."""
    secret = data.parent / "secret"
    secret.touch()
    (data / "backups").mkdir(parents=True)
    (data / "backups" / "people.sqlite").touch()
    (data / "link").symlink_to(secret)
    (data / "folder").symlink_to(data.parent)
    app.make_data_folder(data)
    assert {owner(path) for path in (data, *data.glob("*"), *data.glob("backups/*"))} == {NOBODY}
    assert {owner(secret), owner(data.parent)} == {"root"}


def test_files_of_the_gateway_are_left_alone(data: Path) -> None:
    """A folder that the gateway's user owns may have links to anywhere."""
    app.make_data_folder(data)
    (data / "of-root").touch()
    app.make_data_folder(data)
    assert owner(data / "of-root") == "root"


def test_other_machine_has_no_such_user(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "OWNER", "no-such-user")
    app.make_data_folder(data)
    assert owner(data) == "root"
