"""People are taken over from the face library of Frigate and from the training folder of double-take."""

from __future__ import annotations

import io
import json
from pathlib import Path

import PIL.Image
import yaml
from click.testing import CliRunner

from gateway.cli.main import main
from tests.support import frame, prepare_data_folder

FACES = {
    "obama_1": (376, 96, 533, 253),
    "obama_2": (302, 95, 428, 221),
    "biden_1": (267, 121, 460, 314),
    "hopper_1": (181, 139, 391, 349),
}
"""The box of the face in each picture: Frigate stores exactly this part."""


def face(name: str, kind: str) -> bytes:
    data = io.BytesIO()
    with PIL.Image.open(io.BytesIO(frame(name))) as picture:
        picture.crop(FACES[name]).save(data, kind, quality=80)
    return data.getvalue()


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_libraries_of_frigate_and_double_take_are_taken_over(tmp_path: Path) -> None:
    """Frigate has small WebP crops, double-take JPEGs and PNGs, each in a folder for each person."""
    configuration = tmp_path / "gateway.yaml"
    configuration.write_text(yaml.safe_dump({"data": str(prepare_data_folder(tmp_path / "data"))}))
    frigate = write_files(
        tmp_path / "clips" / "faces",
        {
            "Barack Obama/Barack Obama-a1b2c3.webp": face("obama_1", "WEBP"),
            "Barack Obama/Barack Obama-d4e5f6.webp": face("obama_2", "WEBP"),
            "joe_biden/joe_biden-x7y8z9.webp": face("biden_1", "WEBP"),
            # faces that nobody has assigned, with the name that Frigate guessed
            "train/1607123955.4-mxklsc-1607123956.1-Joe Biden-0.7.webp": face("hopper_1", "WEBP"),
        },
    )
    # The folder train is given itself here, so it is no person and no collection.
    double_take = write_files(
        tmp_path / ".storage" / "train",
        {
            "grace/1f9a-snapshot.jpg": face("hopper_1", "JPEG"),
            "grace/older/hopper.jpg": frame("hopper_1"),
            "joe_biden/biden.jpeg": frame("biden_2"),
            "joe_biden/.DS_Store": b"\x00\x00\x00\x01Bud1",
        },
    )
    options = ["--config", str(configuration)]
    done = CliRunner().invoke(main, ["people", "add", "--new", *options, str(frigate), str(double_take)])
    assert done.exit_code == 0, done.output
    assert "train: the name of a collection, not of a person" in done.stderr
    listed = CliRunner().invoke(main, ["people", "list", "--json", *options])
    people = {each["name"]: len(each["pictures"]) for each in json.loads(listed.stdout)["people"]}
    assert people == {"Barack Obama": 2, "joe biden": 2, "grace": 2}
