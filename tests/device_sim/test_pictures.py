from __future__ import annotations

from pathlib import Path

import pytest

from device_sim.camera import rotation
from device_sim.errors import SimError
from device_sim.pictures import FRAMES, load


def test_pictures_come_by_name_and_other_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.jpeg", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    assert [(picture.name, picture.jpeg) for picture in load(tmp_path)] == [
        ("a.jpeg", b"a.jpeg"),
        ("b.JPG", b"b.JPG"),
    ]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SimError, match="No pictures"):
        load(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SimError, match="No such file"):
        load(tmp_path / "absent")


def test_each_camera_starts_with_another_picture() -> None:
    pictures = load(FRAMES)
    assert next(rotation(pictures, 0)) != next(rotation(pictures, 1))
    assert next(rotation(pictures, len(pictures))) == pictures[0]
