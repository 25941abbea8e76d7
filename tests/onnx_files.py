"""ONNX files for tests: dlib's descriptor network, written field by field as the protobuf messages of onnx.proto."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.vision.engines.dlib_weights import Layer, Network, read_descriptor
from gateway.vision.engines.model_files import model_file

FLOAT, INT64 = 1, 7
OPSET = 13


def varint(number: int) -> bytes:
    out = bytearray()
    number &= (1 << 64) - 1
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def field(number: int, value: int | str | bytes) -> bytes:
    """Return a field of a protobuf message: a number, or text, bytes or a message with its length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, values: NDArray[np.generic], location: str | None = None) -> bytes:
    """Return a tensor. ``location``: the name of another file that has its values, little-endian."""
    kind, dtype = (INT64, "<i8") if values.dtype == np.int64 else (FLOAT, "<f4")
    dims = b"".join(field(1, size) for size in values.shape)
    start = dims + field(2, kind) + field(8, name)
    if location is not None:
        return start + field(13, field(1, "location") + field(2, location)) + field(14, 1)
    return start + field(9, values.astype(dtype).tobytes())


def attribute(name: str, value: int | float | Sequence[int]) -> bytes:
    if isinstance(value, float):
        return field(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + field(20, 1)
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    return field(1, name) + b"".join(field(8, each) for each in value) + field(20, 7)


def value_info(name: str, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(field(1, field(1 if isinstance(size, int) else 2, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, dims)))


class OnnxWriter:
    """A graph that is written node by node. Each method returns the name of its output."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._initializers: list[bytes] = []

    def constant(self, values: NDArray[np.generic], location: str | None = None) -> str:
        name = f"c{len(self._initializers)}"
        self._initializers.append(tensor(name, values, location))
        return name

    def node(self, kind: str, *inputs: str, **attributes: int | float | Sequence[int]) -> str:
        name = f"n{len(self._nodes)}"
        parts = b"".join(field(1, each) for each in inputs) + field(2, name) + field(4, kind)
        self._nodes.append(parts + b"".join(field(5, attribute(*each)) for each in attributes.items()))
        return name

    def model(self, shape: Sequence[int | str] | None, output: str, output_shape: Sequence[int | str]) -> bytes:
        """Return the file. ``shape``: of its input, which is named x; None for a network without an input."""
        graph = b"".join(field(1, each) for each in self._nodes) + field(2, "graph")
        graph += b"".join(field(5, each) for each in self._initializers)
        graph += b"" if shape is None else field(11, value_info("x", shape))
        graph += field(12, value_info(output, output_shape))
        return field(1, 8) + field(7, graph) + field(8, field(2, OPSET))


def write_dlib_onnx(path: Path, dimensions: int = 128, batch: int | str = "n") -> Network:
    """Write dlib's descriptor network as ONNX with its description, and return it.

    ``dimensions``: below 128 the descriptor is projected at random, as by another network. ``batch``: the number of
    pictures that the file accepts, or a name for any number.
    """
    network = read_descriptor(model_file("descriptor"))
    writer = OnnxWriter()
    x = _layers(writer, network.layers)
    if dimensions != 128:
        x = writer.node("MatMul", x, writer.constant(projection(dimensions)))
    path.write_bytes(writer.model((batch, 3, 150, 150), x, (batch, dimensions)))
    path.with_suffix(".yaml").write_text(
        f"name: dlib\nlicence: CC0-1.0\ndimensions: {dimensions}\ninput: 150\nalignment: dlib\npadding: 0.25\n"
        f"colour: rgb\nmean: [{', '.join(map(str, network.mean))}]\nscale: 256\n"
    )
    return network


def projection(dimensions: int) -> NDArray[np.float32]:
    """Return a projection of 128 dimensions, (128, dimensions), which nearly keeps the angles."""
    return np.linalg.qr(np.random.default_rng(0).normal(size=(128, dimensions)))[0].astype(np.float32)


def _layers(writer: OnnxWriter, layers: Sequence[Layer]) -> str:
    x, tags = "x", dict[int, str]()
    for layer in layers:
        sizes = {"kernel_shape": [layer.kernel] * 2, "strides": [layer.stride] * 2, "pads": [layer.padding] * 4}
        match layer.kind:
            case "con":
                sizes["kernel_shape"] = list(layer.weights.shape[2:])
                x = writer.node("Conv", x, writer.constant(layer.weights), writer.constant(layer.bias), **sizes)
            case "affine":
                for kind, values in (("Mul", layer.weights), ("Add", layer.bias)):
                    x = writer.node(kind, x, writer.constant(values.reshape(1, -1, 1, 1)))
            case "relu":
                x = writer.node("Relu", x)
            case "tag":
                tags[layer.tag] = x
            case "skip":
                x = tags[layer.tag]
            case "max_pool":
                x = writer.node("MaxPool", x, **sizes)
            case "avg_pool" if layer.kernel:
                x = writer.node("AveragePool", x, **sizes)
            case "avg_pool":
                x = writer.node("ReduceMean", x, axes=[2, 3], keepdims=0)
            case "add":
                x = _padded_sum(writer, x, tags[layer.tag])
            case "fc":
                x = writer.node("MatMul", x, writer.constant(layer.weights))
    return x


def _padded_sum(writer: OnnxWriter, one: str, other: str) -> str:
    """Return the sum of two maps of which one may have fewer channels, rows and columns. Zeros fill it up."""
    shapes = [writer.node("Shape", each) for each in (one, other)]
    size = writer.node("Max", *shapes)
    nothing = writer.constant(np.zeros(4, np.int64))
    padded = []
    for each, shape in zip((one, other), shapes, strict=True):
        ends = writer.node("Concat", nothing, writer.node("Sub", size, shape), axis=0)
        padded.append(writer.node("Pad", each, ends))
    return writer.node("Add", *padded)
