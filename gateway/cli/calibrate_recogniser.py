"""The measurement of a recogniser of the user's own, for ``facegate calibrate --pictures``."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from math import inf
from pathlib import Path

import click

from gateway.cli.output import count, print_table, progress
from gateway.config import Settings
from gateway.config.recogniser_sheet import read_sheet
from gateway.errors import GatewayError, StartError
from gateway.logs import escape
from gateway.metrics import Metrics
from gateway.model import AnalyseTask, Descriptor, Search
from gateway.people.folder.files import read_bounded, reason_of
from gateway.people.labelled_pictures import LabelledPicture, labelled_pictures
from gateway.people.measurement import write_measurement
from gateway.people.recogniser_curves import RecogniserCurves, check_enough, measure_recogniser, middle_descriptor
from gateway.people.wiring import count_enrolled
from gateway.vision.engines.recogniser import recogniser_of
from gateway.workers.job import Job
from gateway.workers.pool import Pool
from gateway.workers.wiring import create_pool, prepare_engine

MAX_PROCESSES = 8
"""Worker processes at once. Each of them loads the network, which may have hundreds of megabytes."""


def calibrate_recogniser(settings: Settings, folder: Path, *, writes: bool) -> None:
    """Measure the curves of the configured recogniser, and print them. ``writes``: store them in the data folder.

    Raise GatewayError for too few pictures.
    """
    recogniser = recogniser_of(settings)
    if recogniser is None:
        raise StartError(
            "--pictures measures a recogniser of your own, and the setting recogniser is not set. The curves of dlib's"
            " network are part of Facegate."
        )
    pictures = labelled_pictures(folder)
    rate = min(
        settings.decision.max_false_match,
        settings.decision.max_false_identification / max(count_enrolled(settings), 1),
    )
    # Checked before the pictures are described, which takes minutes.
    check_enough([picture.person for picture in pictures], rate)
    names, descriptors = _describe(settings, pictures)
    found = measure_recogniser(names, descriptors, rate)
    _print(found)
    if not writes:
        click.echo("nothing was stored: add --write to store these curves")
    else:
        measured = f"{found.pictures} pictures of {found.people} people"
        name = read_sheet(recogniser.path).name
        path = write_measurement(
            settings.data, recogniser.recipe, name, measured, found.curves, found.typical, found.same_cosine
        )
        click.echo(f"the curves of {name} are written: {path}")


def _describe(settings: Settings, pictures: list[LabelledPicture]) -> tuple[list[str], list[Descriptor]]:
    """Return the name and the descriptor of each picture with a face."""
    names, descriptors = [], []
    with _open_pool(settings) as pool, ThreadPoolExecutor(pool.size) as threads:
        results = threads.map(partial(_describe_one, settings, pool), pictures)
        with progress("describing", len(pictures)) as (lines, steps):
            for picture, found, _ in zip(pictures, results, steps, strict=True):
                if isinstance(found, str):
                    lines.print(f"{escape(str(picture.path))}: {found}", err=True)
                else:
                    names.append(picture.person)
                    descriptors.append(found)
    return names, descriptors


def _describe_one(settings: Settings, pool: Pool, picture: LabelledPicture) -> Descriptor | str:
    """Return the descriptor of a picture, or the reason why there is none."""
    task = AnalyseTask(Search(settings.detection.min_face), "stream")
    try:
        data, _ = read_bounded(picture.path, settings.limits.file.bytes)
        report = pool.submit(Job((data,), task, lane="calibration", deadline=inf)).result()
    except OSError as error:
        return reason_of(error)
    except GatewayError as error:
        return str(error)
    found = middle_descriptor(report.analyses[0])
    return "no face was found" if found is None else found


@contextmanager
def _open_pool(settings: Settings) -> Iterator[Pool]:
    workers = min(settings.workers.count, MAX_PROCESSES)
    # One job waits for each process.
    limits = {
        "queue": workers,
        "queue_per_camera": workers,
        "queue_bytes": workers * max(settings.limits.file.bytes, 1 << 20),
    }
    own = settings.model_copy(update={"workers": settings.workers.model_copy(update=limits)})
    pool = create_pool(own, prepare_engine(settings), Metrics(), workers=workers)
    pool.start()
    try:
        yield pool
    finally:
        pool.stop()


def _print(found: RecogniserCurves) -> None:
    rows = [
        (number, f"{10**-decades:.2g}", f"{similarity:.4f}", "-" if missed is None else f"{missed:.1%}")
        for number, by_probes in found.curves.items()
        for points in [by_probes["1"]]
        for decades, similarity, missed in zip(points["decades"], points["similarity"], points["missed"], strict=True)
    ]
    print_table(("pictures of a person", "false match rate", "similarity", "same person missed"), rows)
    click.echo(f"{count(found.pictures, 'picture')} of {count(found.people, 'person', 'people')}")
