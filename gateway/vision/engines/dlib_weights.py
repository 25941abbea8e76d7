"""A reader of dlib's serialised networks, the published ``.dat`` files. Layers are in the order of computation.

A network is the loss, the versions of all layers from the last to the first, the input layer, then the details of all
layers from the first to the last. The types of the layers are part of dlib's C++ types, not of the file. They are
therefore listed here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from gateway.errors import StartError
from gateway.vision.engines.dlib_reader import Array, DlibReader
from gateway.vision.engines.model_files import package_of

Kind = Literal["con", "affine", "relu", "max_pool", "avg_pool", "fc", "tag", "skip", "add"]
Step = tuple[Kind, int]
"""Kind of a layer, and the number of the tag that ``tag`` sets, ``skip`` returns to, or ``add`` adds."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A layer of a network.

    ``weights``: for ``con`` (out, in, height, width), for ``affine`` the factors (channels,), for ``fc`` (in, out).
    ``bias``: (out,). ``stride`` and ``padding`` are the same across and down. ``kernel`` 0 means the whole map.
    """

    kind: Kind
    tag: int = 0
    weights: Array = field(default_factory=lambda: np.empty(0, np.float32))
    bias: Array = field(default_factory=lambda: np.empty(0, np.float32))
    kernel: int = 0
    stride: int = 1
    padding: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A network.

    ``mean``: the mean red, green and blue; the first layer gets (x - mean) / 256. ``overlap``: the intersection over
    union above which two boxes are the same face; None for a network that finds no faces.
    """

    mean: tuple[float, ...]
    layers: tuple[Layer, ...]
    overlap: float | None = None


def read_detector(path: Path) -> Network:
    """Read dlib's mmod face detector. Three convolutions halve the picture, three do not, and the last one scores.

    Raises StartError.
    """
    return _read(path, _steps("con affine relu " * 6 + "con"))


def read_descriptor(path: Path) -> Network:
    """Read dlib's ResNet of 29 layers, from a chip of 150 x 150 pixels to 128 numbers. Raises StartError."""
    block = "con affine relu con affine "
    same = "tag:1 " + block + "add:1 relu "
    down = "tag:1 " + block + "tag:2 skip:1 avg_pool add:2 relu "
    body = same * 3 + down + same * 3 + down + same * 2 + down + same * 2 + down
    return _read(path, _steps("con affine relu max_pool " + body + "avg_pool fc"))


def _steps(plan: str) -> list[Step]:
    steps: list[Step] = []
    for word in plan.split():
        kind, _, tag = word.partition(":")
        steps.append((kind, int(tag or 0)))  # type: ignore[arg-type]
    return steps


def _read(path: Path, steps: Sequence[Step]) -> Network:
    """Read a network. Raises StartError with the file's name if the file is missing or damaged."""
    try:
        return _network(DlibReader(path.read_bytes()), steps)
    except (OSError, ValueError, IndexError, OverflowError) as error:
        raise StartError(
            f"The model {path} cannot be read ({error}): reinstall {package_of(path, 'detector')}."
        ) from None


def _network(reader: DlibReader, steps: Sequence[Step]) -> Network:
    reader.integer()
    overlap = _loss(reader)
    versions = reader.integers(len(steps))[::-1]
    mean = _input(reader)
    layers = []
    for position, (step, version) in enumerate(zip(steps, versions, strict=True)):
        layers.append(_layer(reader, *step))
        if step[0] not in ("tag", "skip"):
            _skip_training_state(reader, version, first=position == 0)
    reader.check_end()
    return Network(mean, tuple(layers), overlap)


def _loss(reader: DlibReader) -> float | None:
    """Return the detector's intersection over union above which two boxes are the same face, None for another network.

    Both windows of the detector have 80 x 80 pixels.
    """
    if reader.version("loss_mmod_", "loss_metric_2") == "loss_metric_2":
        reader.reals(2)  # margin and distance of the training
        return None
    if reader.integer() != 1:
        raise ValueError("the detector's options are of an unknown version")
    reader.integers(2)
    reader.reals(3)  # what a false alarm and a miss cost in training, and from when a box was a hit
    overlap, *_ignored = reader.reals(4)
    return overlap


def _input(reader: DlibReader) -> tuple[float, ...]:
    version = reader.version("input_rgb_image_sized", "input_rgb_image_pyramid", "input_rgb_image_pyramid2")
    mean = reader.reals(3)
    if version != "input_rgb_image_pyramid":
        reader.integers(2)  # the chip's size; or the gaps between the pyramid's levels
    return mean


def _layer(reader: DlibReader, kind: Kind, tag: int) -> Layer:
    match kind:
        case "tag" | "skip":
            return Layer(kind, tag)
        case "con":
            return _convolution(reader)
        case "affine":
            return _affine(reader)
        case "relu":
            reader.version("relu_")
            return Layer(kind)
        case "add":
            reader.version("add_prev_")
            return Layer(kind, tag)
        case "max_pool" | "avg_pool":
            reader.version(f"{kind}_2")
            kernel, _, stride, _, padding, _ = reader.integers(6)
            return Layer(kind, kernel=kernel, stride=stride, padding=padding)
        case "fc":
            return _dense(reader)


def _convolution(reader: DlibReader) -> Layer:
    reader.version("con_4")
    numbers = reader.tensor()
    _filters, kernel, _, stride, _, padding, _ = reader.integers(7)
    shape, bias = reader.shape(), reader.shape()
    # Four learning rates.
    reader.reals(4)
    count = math.prod(shape)
    if len(numbers) != count + math.prod(bias):
        raise ValueError("a convolution has too many or too few weights")
    return Layer("con", 0, numbers[:count].reshape(shape), numbers[count:], kernel, stride, padding)


def _affine(reader: DlibReader) -> Layer:
    """Return a factor and a shift for each channel. Batch normalisation is converted to this form."""
    version = reader.version("affine_", "bn_con2")
    numbers = reader.tensor()
    channels = math.prod(reader.shape())
    reader.shape()
    factor, shift = numbers[:channels], numbers[channels:]
    if version == "affine_":
        reader.integer()
        return Layer("affine", 0, factor, shift)
    reader.tensor()
    reader.tensor()
    mean, variance = reader.tensor(), reader.tensor()
    reader.integers(2)
    reader.reals(4)
    factor = (factor / np.sqrt(variance + np.float32(reader.real()))).astype(np.float32)
    return Layer("affine", 0, factor, shift - factor * mean)


def _dense(reader: DlibReader) -> Layer:
    reader.version("fc_2")
    outputs, inputs = reader.integers(2)
    numbers = reader.tensor()
    reader.shape(), reader.shape()
    reader.integer()
    reader.reals(4)
    return Layer("fc", 0, numbers[: inputs * outputs].reshape(inputs, outputs))


def _skip_training_state(reader: DlibReader, version: int, *, first: bool) -> None:
    """Skip the training state after a layer: three flags, a gradient and the last output, all empty."""
    reader.take(3)
    reader.tensor()
    reader.tensor()
    if first:
        reader.tensor()
        if version >= 3:
            reader.integer()
    elif version == 2:
        reader.tensor()
