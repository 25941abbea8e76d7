"""The figures of the page about choosing and mounting a camera follow from the formulas that it names."""

from __future__ import annotations

import re
from math import atan, degrees, radians, tan

import pytest

from gateway.config import Settings
from tests.support import ROOT

PAGE = (ROOT / "docs" / "how-to" / "choose-and-mount-a-camera.md").read_text()
FACE_M = 0.16
SMALLEST_FACE = Settings.model_fields["detection"].get_default(call_default_factory=True).min_face


def table_after(heading: str) -> tuple[list[float], dict[float, list[float]]]:
    """Return the numbers of the first row, and those of each other row by its first number."""
    _, found, rest = PAGE.partition(f"| {heading} |")
    assert found, heading
    first, _, *rows = rest.split("\n\n")[0].splitlines()
    numbers = [[float(number) for number in re.findall(r"(?:\| |^ )([\d.]+)", row)] for row in rows]
    return [float(number) for number in re.findall(r"[\d.]+", first)], {row[0]: row[1:] for row in numbers}


def test_smallest_face_of_the_page_is_that_of_the_settings() -> None:
    assert f"{FACE_M} m * width / (2 * {SMALLEST_FACE} * tan(angle / 2))" in PAGE
    assert f"A face needs {SMALLEST_FACE} pixels" in PAGE


def test_distances_follow_from_the_formula() -> None:
    angles, rows = table_after("width of the picture")
    assert (len(angles), len(rows)) == (4, 8)
    for width, distances in rows.items():
        expected = [FACE_M * width / (2 * SMALLEST_FACE * tan(radians(angle / 2))) for angle in angles]
        assert distances == pytest.approx(expected, abs=0.06), width


@pytest.mark.parametrize(("diagonal", "across"), [(66, 55), (120, 108)])
def test_angle_across_follows_from_the_diagonal_of_a_picture_of_4_by_3(diagonal: int, across: int) -> None:
    assert 2 * degrees(atan(0.8 * tan(radians(diagonal / 2)))) == pytest.approx(across, abs=0.6)
    assert re.search(rf"\b{diagonal}° diagonal\)? \| {across}°", PAGE)


def test_angles_down_follow_from_the_height() -> None:
    distances, rows = table_after("height of the camera")
    assert len(rows) == 3
    for height, angles in rows.items():
        assert angles == [round(degrees(atan((height - 1.6) / distance))) for distance in distances], height


@pytest.mark.parametrize(("exposure", "pixels"), [(1 / 50, 9.8), (1 / 100, 4.9)])
def test_motion_blur_follows_from_the_speed(exposure: float, pixels: float) -> None:
    assert 1.4 * exposure * SMALLEST_FACE / FACE_M == pytest.approx(pixels)
    assert f"{pixels} pixels in 1/{round(1 / exposure)} s" in PAGE


def test_days_of_the_battery_follow_from_the_currents() -> None:
    assert "2000 mAh at the voltage of the board, 180 mA for 5 s at each\nvisit" in PAGE
    visits, rows = table_after("current while it sleeps")
    assert (visits, len(rows)) == ([20, 100], 2)
    for current, days in rows.items():
        assert days == [round(2000 / (24 * current + each * 180 * 5 / 3600)) for each in visits], current
