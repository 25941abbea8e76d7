"""The tasks of a worker process: analyse a picture, describe or show stored chips, draw marks on a picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gateway.metrics import Stopwatch
from gateway.model import (
    AnalyseTask,
    Analysis,
    Box,
    DrawTask,
    FaceMark,
    Image,
    LiveTask,
    PictureLimits,
    RedescribeTask,
    ShowChipsTask,
    Task,
)
from gateway.vision.analyse import analyse, redescribe
from gateway.vision.annotate import annotate, reduce_width
from gateway.vision.blackout import black_out
from gateway.vision.chips import CHIP_SIDE_PX, decode_chips, encode_chips
from gateway.vision.decoding.decode import load_decoders
from gateway.vision.engine import Engine
from gateway.vision.live import look
from gateway.vision.scaled import open_picture


def load_libraries() -> None:
    """Load the code that libraries load at its first use. A confined process cannot load it later."""
    load_decoders()
    # A drawn label needs a font, and other letters than Latin ones need their table.
    annotate(np.zeros((100, 100, 3), np.uint8), [FaceMark(Box(10, 10, 90, 50), "é", known=True)])


def run_task(data: bytes, engine: Engine, task: Task, limits: PictureLimits) -> Analysis:
    """Do the task with an encoded picture. Raises BadImage, TooLarge or Unsupported if ``data`` is unsuitable."""
    match task:
        case AnalyseTask():
            return analyse(data, engine, task, limits)
        case LiveTask():
            return look(data, engine, task, limits)
        case RedescribeTask():
            return redescribe(data, engine)
        case ShowChipsTask():
            return _show_chips(data)
        case DrawTask():
            return _draw(data, task, limits)


def _draw(data: bytes, task: DrawTask, limits: PictureLimits) -> Analysis:
    """Return the picture with the drawing. Also raises TooLarge if it exceeds the task's limit."""
    clock = Stopwatch()
    opened = open_picture(data, limits, task.mounting)
    height, width = opened.pixels.shape[:2]
    black = black_out(opened.pixels, task.never, Box(0, 0, width, height), width, height)
    # The letters of names stay readable, because they are drawn into the reduced picture.
    shown = replace(opened, pixels=reduce_width(black, task.width))
    drawn = annotate(shown.pixels, [shown.in_own_pixels(mark) for mark in task.marks])
    task.size_limit.check(len(drawn))
    clock.lap("annotate")
    return Analysis(opened.image, (), clock.laps, drawn)


def _show_chips(data: bytes) -> Analysis:
    clock = Stopwatch()
    # The last chip has the widest margin.
    widest = decode_chips(data)[-1:]
    clock.lap("decode")
    drawn = encode_chips(widest)
    clock.lap("annotate")
    return Analysis(Image(CHIP_SIDE_PX, CHIP_SIDE_PX, len(data)), (), clock.laps, drawn)
