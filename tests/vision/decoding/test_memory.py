"""The memory that the decoding of a large picture takes. Its 25 million pixels alone take 75 MB."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

from tests.support import ROOT

PROGRAM = """
import sys
from pathlib import Path
from gateway.model import PictureLimits
from gateway.vision.decoding.decode import decode
small, large = (Path(each).read_bytes() for each in sys.argv[1:])
peak_kb = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
decode(small, PictureLimits())
before = peak_kb()
assert decode(large, PictureLimits()).shape == (5000, 5000, 3)
print(peak_kb() - before)
"""
"""Prints the kilobytes that the large picture takes."""

MAX_MB = 220


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of a process")
@pytest.mark.parametrize(
    ("kind", "mode"),
    [("WEBP", "RGB"), ("WEBP", "RGBA"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("JPEG", "RGB")],
)
def test_large_picture_takes_less_than_three_times_its_pixels(tmp_path: Path, kind: str, mode: str) -> None:
    """Regression: a WebP of 246 bytes took 537 MB, and a PNG of 84 kB 342 MB."""
    files = [tmp_path / "small", tmp_path / "large"]
    for path, side in zip(files, (50, 5_000), strict=True):
        file = io.BytesIO()
        # Without loss an encoder of WebP is done quickly.
        PIL.Image.new(mode, (side, side)).save(file, kind, **({"lossless": True} if kind == "WEBP" else {}))
        path.write_bytes(file.getvalue())
    command = [sys.executable, "-c", PROGRAM, *map(str, files)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert int(output) / 1000 < MAX_MB
