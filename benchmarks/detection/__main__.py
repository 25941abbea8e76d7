"""The face detector compared with dlib's, with the same smallest face: ``python -m benchmarks.detection [--json]``.

HOG enlarged once finds faces from 40 px. HOG and the CNN without enlargement find them from 80 px. Facegate is measured
with both limits and with its default. The sets of photographs are not part of the project:

- groups: pictures with labelled faces, and one of dogs. Other detections count as false.
- perturbed: portraits that are rotated, squeezed, darkened, masked and so on. The true box of each was drawn by eye.
- turned: the same portraits, turned by 90, 180 and 270 degrees.
- clip: one recording of a camera, labelled by eye (benchmarks/detection/clip.json).
- no_faces: pictures without faces, in a folder that ``python -m benchmarks.detection.no_faces`` prepares. dlib's CNN
  is left out there.

``unconfirmed`` counts the detections that only the proposer made. ``false_unconfirmed`` are the false ones of these.

Each picture is given to one detector after the other, on one thread. ms: the median time of a detection. Facegate
detects twice, and the second time counts: its network is prepared for each new size of picture (about 0.1 s), which
happens once for a camera.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # before the import of numpy and dlib

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import click
import cv2
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.detection.counting import COUNTS, RATIO_FLOORS, detect_all, floors, ratios, summary
from benchmarks.detection.detectors import Detector, detectors
from benchmarks.detection.no_faces import DEFAULT_FOLDER, MissingPictures
from benchmarks.detection.samples import SETS
from benchmarks.engines import ROOT
from gateway.model import DetectionMethod
from gateway.vision.engines import detector as detector_module


def measure(pictures: Path, no_faces: Path, competing: Sequence[Detector]) -> dict[str, Any]:
    result: dict[str, Any] = {"threshold": detector_module.MIN_FACE_SCORE}
    missing = []
    for name, (folder, samples) in SETS.items():
        progress = Console(stderr=True)
        source = samples(no_faces if name == "no_faces" else pictures / folder)
        shown = track(source, name, console=progress, disable=not progress.is_terminal)
        # dlib's CNN takes seconds for each of the many pictures without faces.
        able = [each for each in competing if name != "no_faces" or not each.name.startswith("cnn")]
        try:
            result[name] = summary(list(detect_all(shown, able)))
        except FileNotFoundError as error:
            missing.append(
                f"{error.filename} does not exist, so its set was left out: choose the folder with --pictures."
            )
        except MissingPictures as error:
            missing.append(str(error))
    result["ratios"] = ratios(result)
    result["floors"] = floors(result)
    return {**result, "missing": missing}


def show(result: Mapping[str, Any]) -> None:
    for name in SETS:
        if name in result:
            Console().print(_table(name, result[name]), "")
    for name, ratio in result["ratios"].items():
        floor = RATIO_FLOORS.get(name)
        verdict = "" if floor is None else f", {'kept' if result['floors'][name] else 'NOT KEPT'}: at least {floor}"
        click.echo(f"{name}: facegate finds {ratio} times as many as stock{verdict}")
    for name in sorted(result["floors"].keys() - result["ratios"].keys()):
        verdict = "kept" if result["floors"][name] else "NOT KEPT"
        click.echo(f"{name}: {verdict}: facegate has at most as many false detections as HOG")
    for sentence in result["missing"]:
        click.echo(sentence)


def _table(name: str, figures: Mapping[str, Any]) -> Table:
    """Return a table with one detector per column."""
    title = f"{name}: {figures['pictures']} pictures, {figures['labelled']} faces"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    columns = [(px, detector) for px in figures if px.endswith("px") for detector in figures[px]]
    for px, detector in columns:
        table.add_column(f"{px}\n{detector}", justify="right")
    for row in (*COUNTS, "ms"):
        table.add_row(row, *(str(figures[px][detector][row]) for px, detector in columns))
    table.add_section()
    for kind, counts in figures["by_kind"].items():
        found = (str(counts[px][detector]) for px, detector in columns)
        table.add_row(f"{kind} ({counts['pictures']})", *found)
    return table


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
@click.option(
    "--pictures", type=click.Path(file_okay=False, path_type=Path), default=ROOT.parent / "shared" / "data",
    help="Folder with groups, portraits and clip.  [default: ../shared/data, relative to the project]",
)  # fmt: skip
@click.option(
    "--no-faces", type=click.Path(file_okay=False, path_type=Path), default=DEFAULT_FOLDER,
    help="Folder of pictures without faces.  [default: ~/.cache/facegate/no_faces]",
)  # fmt: skip
@click.option(
    "--threshold",
    default=detector_module.MIN_FACE_SCORE,
    show_default=True,
    help="Score above which facegate counts a window as a face.",
)
@click.option(
    "--cnn-enlarged",
    is_flag=True,
    help="Also run dlib's CNN enlarged once: it finds 40 px, and takes many seconds per picture.",
)
@click.option(
    "--method",
    type=click.Choice(get_args(DetectionMethod)),
    default="two-stage",
    show_default=True,
    help="Method of facegate, as the setting detection.method.",
)
def main(
    as_json: bool, pictures: Path, no_faces: Path, threshold: float, cnn_enlarged: bool, method: DetectionMethod
) -> None:
    cv2.setNumThreads(1)
    detector_module.MIN_FACE_SCORE = threshold
    result = measure(pictures, no_faces, detectors(cnn_enlarged, method))
    if as_json:
        click.echo(json.dumps(result))
    else:
        show(result)


if __name__ == "__main__":
    main()
