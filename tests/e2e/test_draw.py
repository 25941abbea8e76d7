"""The client that draws the returned landmarks onto the picture it sent."""

from __future__ import annotations

import io
from pathlib import Path

import PIL.Image
import PIL.ImageChops
import requests
from click.testing import CliRunner

from device_sim.draw import main
from tests.support import FRAMES, frame, free_port


def test_draw_draws_into_the_face_and_names_it(rest_url: str, tmp_path: Path) -> None:
    drawn = tmp_path / "drawn.png"
    result = CliRunner().invoke(main, [str(FRAMES / "obama_1.jpg"), "--url", rest_url, "-o", str(drawn)])
    assert result.output == f"Barack Obama: {drawn}\n"
    with PIL.Image.open(io.BytesIO(frame("obama_1"))) as before, PIL.Image.open(drawn) as after:
        left, top, right, bottom = PIL.ImageChops.difference(before.convert("RGB"), after).getbbox() or (0, 0, 0, 0)
    asked = requests.post(f"{rest_url}/face_rec?face_locations=true", files={"file": frame("obama_1")}, timeout=60)
    y1, x2, y2, x1 = asked.json()["face_locations"]
    assert top == y1
    assert x2 < right < x2 + 20  # a cheek may be wider than the box
    assert x1 - 20 < left <= x1
    assert y2 + 20 < bottom < y2 + 40  # the name is beneath the box


def test_draw_reports_that_no_gateway_answers() -> None:
    result = CliRunner().invoke(main, [str(FRAMES / "obama_1.jpg"), "--url", f"http://127.0.0.1:{free_port()}"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: No gateway answers at http://127.0.0.1:")


def test_draw_prints_the_error_of_the_gateway(rest_url: str, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("a text file")
    result = CliRunner().invoke(main, [str(tmp_path / "text.jpg"), "--url", rest_url])
    assert result.exit_code == 1
    assert "not a JPEG, PNG or WebP picture" in result.output
