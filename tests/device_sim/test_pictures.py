from __future__ import annotations

from io import BytesIO
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image

from device_sim.errors import SimError
from device_sim.model import Picture
from device_sim.pictures import FRAMES, load, pan, rotate_pictures


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


def test_picture_dwells_and_cameras_change_at_different_times() -> None:
    one, two = Picture("one.jpg", b"1"), Picture("two.jpg", b"2")
    shown = [list(islice(rotate_pictures([one, two], start, dwell=3), 6)) for start in range(3)]
    assert shown == [[one, one, one, two, two, two], [two, two, one, one, one, two], [one, two, two, two, one, one]]


def test_numbered_pictures_of_subfolders_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("b/frame_10.jpg", "b/frame_9.jpg", "a/2.jpg", "frame_1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    names = [picture.name for picture in load(tmp_path)]
    assert names == ["a/2.jpg", "b/frame_9.jpg", "b/frame_10.jpg", "frame_1.jpg"]


def test_pan_moves_a_window_around_and_back() -> None:
    pictures = pan(FRAMES / "obama_1.jpg", window=0.5, seconds=4, rate=5)
    assert len(pictures) == len({picture.jpeg for picture in pictures}) == 20
    with Image.open(FRAMES / "obama_1.jpg") as photograph:
        width, height = photograph.size
    windows = [Image.open(BytesIO(picture.jpeg)).size for picture in pictures]
    assert set(windows) == {(round(width / 2), round(height / 2))}
    # The way begins at the left edge in the middle, and leads over the upper, right and lower edge.
    places = [tuple(map(int, picture.name.split(","))) for picture in pictures]
    assert (places[0][0], places[10][0]) == (0, width - round(width / 2))
    assert (places[5][1], places[15][1]) == (0, height - round(height / 2))


def test_pan_over_a_file_that_is_no_picture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("text")
    with pytest.raises(SimError, match="Cannot read the photograph"):
        pan(tmp_path / "text.jpg", window=0.5, seconds=1, rate=1)
