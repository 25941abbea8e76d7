"""Pictures without faces: ``python -m benchmarks.detection.no_faces [FOLDER]`` prepares them.

The command takes backgrounds of Debian's packages and the pictures of scikit-image. It needs ``apt-get``, ``dpkg-deb``
and ``pip``, and downloads 140 MB. All pictures were examined by eye: those with people are left out, and of pictures
that come in several sizes only one is used.

A picture is scaled so that its longer side has at most 960 pixels. Of a large picture, four crops in full resolution
are used in addition.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import cv2

from gateway.vision.decoding.decode import Picture

DEFAULT_FOLDER = Path.home() / ".cache" / "facegate" / "no_faces"

DEBIAN_PACKAGES = (
    "lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04", "lxqt-themes", "mate-backgrounds",
    "sway-backgrounds", "ukui-wallpapers", "xfdesktop4-data",
)  # fmt: skip
SCIKIT_IMAGE = "scikit-image==0.26.0"

PATTERNS = {
    "backgrounds": ("usr/share/backgrounds/**/*.jpg", "usr/share/backgrounds/**/*.png", "usr/share/lxqt/wallpapers/*"),
    "scikit-image": ("skimage/data/*.jpg", "skimage/data/*.png"),
}
PEOPLE = {"astronaut", "camera"}
"""Pictures of scikit-image with people."""

COPIES = (
    "Sway_Wallpaper_Blue_1",
    "Sway_Wallpaper_Blue_7",
    "Sway_Wallpaper_Blue_2048x1536_",
    "Elephants_",
    "Ubuntu-Mate-D",
)
"""Beginnings of the names of pictures that are there in another size."""

MIN_PICTURES = 200
MAX_SIDE_PX = 960
CROP_PX = 640
"""Side of a crop. Crops are cut from pictures that are at least as high as two of them."""


class MissingPictures(Exception):
    """The folder has too few pictures. The text says what to do."""


def pictures_without_faces(folder: Path) -> Iterator[tuple[str, Picture]]:
    """Return the kind and the picture, uint8 RGB, of each. Raises MissingPictures."""
    pictures = [each for kind, path in _paths(folder) for each in _pictures(kind, path)]
    if len(pictures) < MIN_PICTURES:
        raise MissingPictures(
            f"{folder} has {len(pictures)} pictures without faces instead of {MIN_PICTURES}, so this set was left out:"
            f" prepare the folder with python -m benchmarks.detection.no_faces {folder}"
        )
    yield from pictures


def _paths(folder: Path) -> list[tuple[str, Path]]:
    paths = [
        (kind, path) for kind, patterns in PATTERNS.items() for each in patterns for path in sorted(folder.glob(each))
    ]
    return [
        (kind, path)
        for kind, path in paths
        if path.stem not in PEOPLE and not path.name.startswith(COPIES) and not path.is_symlink()
    ]


def _pictures(kind: str, path: Path) -> Iterator[tuple[str, Picture]]:
    picture = cv2.imread(str(path))
    if picture is None:
        return
    picture = picture[:, :, ::-1]
    height, width = picture.shape[:2]
    scale = min(1, MAX_SIDE_PX / max(height, width))
    small = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    yield kind, small.astype("uint8")
    if min(height, width) >= 2 * CROP_PX:
        for top in (0, height - CROP_PX):
            for left in (0, width - CROP_PX):
                yield f"{kind}, cropped", picture[top : top + CROP_PX, left : left + CROP_PX].astype("uint8")


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=DEFAULT_FOLDER)
def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", *DEBIAN_PACKAGES], cwd=folder, check=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package.name, "."], cwd=folder, check=True)
        package.unlink()
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", SCIKIT_IMAGE]
    subprocess.run(pip, cwd=folder, check=True)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if name.startswith("skimage/data/")])
        wheel.unlink()
    click.echo(f"{sum(1 for _ in pictures_without_faces(folder))} pictures: {folder}")


if __name__ == "__main__":
    main()
