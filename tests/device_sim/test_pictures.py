from __future__ import annotations

from pathlib import Path

import pytest

from device_sim.camera import rotate_pictures
from device_sim.errors import SimError
from device_sim.pictures import FRAMES, load


def test_load_returns_jpeg_files_by_name(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.jpeg", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    assert [(picture.name, picture.jpeg) for picture in load(tmp_path)] == [
        ("a.jpeg", b"a.jpeg"),
        ("b.JPG", b"b.JPG"),
    ]


def test_load_refuses_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(SimError, match="There are no pictures"):
        load(tmp_path)


def test_load_refuses_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(SimError, match="No such file"):
        load(tmp_path / "absent")


def test_rotate_pictures_starts_with_another_picture_for_each_camera() -> None:
    pictures = load(FRAMES)
    assert next(rotate_pictures(pictures, 0)) != next(rotate_pictures(pictures, 1))
    assert next(rotate_pictures(pictures, len(pictures))) == pictures[0]
