"""The check of the descriptor on this processor, with right and with wrong weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.vision.engines.dlib_weights import read_descriptor
from gateway.vision.engines.graphs import descriptor_graph
from gateway.vision.engines.model_files import model_file
from gateway.vision.engines.openvino_import import openvino
from gateway.vision.engines.self_check import check_descriptor


def test_right_descriptor_is_accepted(models: Path) -> None:
    check_descriptor(models)


def test_wrong_descriptor_is_refused(tmp_path: Path) -> None:
    """Compute one convolution of 64 channels wrongly, as qemu's SME does."""
    network = read_descriptor(model_file("descriptor"))
    layer = next(each for each in network.layers if each.kind == "con" and each.weights.shape[:2] == (64, 64))
    layer.weights[:] = layer.weights[::-1]
    openvino.save_model(descriptor_graph(network), tmp_path / "descriptor-f32.xml", compress_to_fp16=False)
    with pytest.raises(StartError, match="OpenVINO computes wrong descriptors on this processor"):
        check_descriptor(tmp_path)
