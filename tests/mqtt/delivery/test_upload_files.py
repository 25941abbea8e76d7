"""Damaged files in the folder of uploads: they are set aside, and the other uploads are read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config import UploadSettings
from gateway.errors import StartError
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.delivery.upload_files import write_piece
from gateway.mqtt.delivery.uploads import Uploads
from gateway.people.damaged_uploads import delete_damaged_uploads

TOPIC = "facegate/porch/part/0/3/face_rec/1"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two good uploads."""
    root = tmp_path / "uploads"
    write_piece(root / "porch" / "1", TOPIC, 0, b"abc")
    write_piece(root / "yard" / "2", "facegate/yard/part/0/2/detect/2", 0, b"abc")
    return root


def read_uploads(root: Path) -> Uploads:
    return Uploads(root, UploadSettings(), 1_000_000, Topics("facegate").read)


def file(name: str, content: bytes = b"x") -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        (root / name).unlink(missing_ok=True)
        (root / name).write_bytes(content)

    return damage


def folder(name: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        (root / name).unlink(missing_ok=True)
        (root / name).mkdir(parents=True)

    return damage


def pipe(name: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        (root / name).unlink()
        os.mkfifo(root / name)

    return damage


IN_ONE_UPLOAD = {
    "binary topic": file("porch/1/topic", b"\xff\xfe\xff"),
    "long topic": file("porch/1/topic", b"a" * 10_000),
    "topic of another upload": file("porch/1/topic", b"facegate/porch/part/0/3/face_rec/2"),
    "folder for a topic": folder("porch/1/topic"),
    "pipe for a topic": pipe("porch/1/topic"),
    "no topic": lambda root: (root / "porch/1/topic").unlink(),
    "folder for a piece": folder("porch/1/0"),
    "pipe for a piece": pipe("porch/1/0"),
    "dangling link for a piece": lambda root: (root / "porch/1/1").symlink_to("nowhere"),
    "digit that is no number": file("porch/1/\u00b2"),
    "number beyond the last": file("porch/1/3"),
    "number with zeros": file("porch/1/01"),
    "other file": file("porch/1/.DS_Store"),
}


@pytest.mark.parametrize("damage", IN_ONE_UPLOAD)
def test_damaged_upload_is_set_aside_and_the_others_are_read(
    root: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: a traceback and exit code 1 at each start."""
    IN_ONE_UPLOAD[damage](root)
    found = read_uploads(root)
    assert list(found._uploads) == ["yard/2"]
    assert sorted(path.name for path in root.iterdir()) == ["yard"]
    (warning,) = found.warnings
    (aside,) = root.parent.glob("uploads.damaged-*")
    assert str(aside) in warning
    assert warning in caplog.text
    assert [path.name for path in aside.iterdir()] == ["1-1"]
    assert read_uploads(root).warnings == ()


@pytest.mark.parametrize("damage", [file("junk"), file("yard/junk"), folder("yard/3/4")])
def test_foreign_entry_is_set_aside(root: Path, damage: Callable[[Path], None]) -> None:
    damage(root)
    found = read_uploads(root)
    assert sorted(found._uploads) == ["porch/1", "yard/2"]
    assert len(found.warnings) == 1


def test_many_damaged_entries_have_one_warning_of_bounded_length(root: Path) -> None:
    for n in range(300):
        (root / f"junk {n}").write_bytes(b"")
    (warning,) = read_uploads(root).warnings
    assert warning.startswith("300 damaged entries")
    assert len(warning) < 1000


def test_warning_ends_when_the_damaged_entries_are_deleted(root: Path) -> None:
    """An erasure deletes them, and has to look for the same names."""
    (root / "junk").write_bytes(b"")
    found = read_uploads(root)
    assert found.warnings
    delete_damaged_uploads(root.parent)
    assert found.warnings == ()


def test_file_in_place_of_the_folder_is_set_aside(tmp_path: Path) -> None:
    """Regression: the file was ignored, and then no piece could be stored."""
    root = tmp_path / "uploads"
    root.write_bytes(b"x")
    assert len(read_uploads(root).warnings) == 1
    assert not root.exists()


def test_missing_folder_has_no_warning(tmp_path: Path) -> None:
    assert read_uploads(tmp_path / "uploads").warnings == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_damaged_entries_that_cannot_be_set_aside_end_the_start(root: Path) -> None:
    file("porch/1/topic", b"\xff")(root)
    (root / "porch").chmod(0o500)
    try:
        with pytest.raises(StartError, match="cannot be set aside"):
            read_uploads(root)
    finally:
        (root / "porch").chmod(0o700)
