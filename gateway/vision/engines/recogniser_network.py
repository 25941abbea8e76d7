"""The execution of a recogniser of the user's own, an ONNX file, with OpenVINO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import StartError
from gateway.model import Descriptor
from gateway.model.recipes import dimensions_of
from gateway.vision.decoding.decode import Picture
from gateway.vision.engines.openvino_import import openvino
from gateway.vision.engines.options import RecogniserOptions
from gateway.vision.engines.processor import Float
from gateway.vision.engines.runtime import OPTIONS


class RecogniserEmbedder:
    """A network that describes faces. Not to be shared between threads."""

    def __init__(self, options: RecogniserOptions, floats: Float) -> None:
        """Raise StartError if OpenVINO cannot read the network, or if its input or output is not as described."""
        self.window = options.window
        self._options = options
        try:
            compiled = openvino.Core().compile_model(
                self._prepared(), "CPU", {**OPTIONS, "INFERENCE_PRECISION_HINT": floats}
            )
            self._request = compiled.create_infer_request()
            self._batch = compiled.inputs[0].shape[0]
            found = self._run([np.zeros((self.window.side, self.window.side, 3), np.uint8)])[0]
        # OpenVINO raises RuntimeError with a text of many lines for anything that it cannot read.
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise StartError(f"The recogniser {options.path} cannot be used by OpenVINO: {reason}") from None
        wanted = dimensions_of(options.recipe)
        if found.size != wanted:
            raise StartError(
                f"The recogniser {options.path} returns {found.size} numbers a face, but its description says"
                f" dimensions: {wanted}. Correct the description."
            )

    def embed(self, faces: Sequence[Picture]) -> list[Descriptor]:
        """Return the mean descriptor of each face and its mirror image: float32, (d,), of unit length.

        ``faces``: for each face one picture, uint8 RGB, (1, side, side, 3).
        """
        return [self._describe(pictures[0]) for pictures in faces]

    def _describe(self, picture: Picture) -> Descriptor:
        one, other = map(_unit, self._run([picture, picture[:, ::-1]]))
        return _unit(one + other)

    def _run(self, pictures: Sequence[Picture]) -> list[NDArray[np.float32]]:
        """Return the output for each picture, (d,)."""
        return [row for n in range(0, len(pictures), self._batch) for row in self._run_batch(pictures[n:])]

    def _run_batch(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Return the output for the first pictures, as many as the network takes at once, (n, d)."""
        rows = np.stack(pictures[: self._batch])
        # A network for more pictures gets some of them twice.
        self._request.infer({0: np.resize(rows, (self._batch, *rows.shape[1:]))}, share_inputs=True)
        found = np.array(self._request.get_output_tensor(0).data, np.float32)
        return found.reshape(self._batch, -1)[: len(rows)]

    def _prepared(self) -> Any:
        """Return the model with pictures of bytes as its input, (n, side, side, 3) RGB. n is 1 if the model allows."""
        options, side = self._options, self.window.side
        model = openvino.Core().read_model(options.path)
        shape = model.inputs[0].get_partial_shape()
        # PyTorch's exports have the colours before the rows, TensorFlow's behind the columns.
        channels_last = shape.rank.get_length() == 4 and str(shape[3]) == "3"
        # One thread gains nothing by several pictures at once. Some networks accept one number of pictures only.
        batch = shape[0].get_length() if shape[0].is_static else 1
        model.reshape({model.inputs[0]: [batch, side, side, 3] if channels_last else [batch, 3, side, side]})
        prepared = openvino.preprocess.PrePostProcessor(model)
        given = prepared.input(0)
        given.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
        given.tensor().set_color_format(openvino.preprocess.ColorFormat.RGB)
        given.model().set_layout(openvino.Layout("NHWC" if channels_last else "NCHW"))
        steps = given.preprocess().convert_element_type(openvino.Type.f32)
        if options.bgr:
            steps = steps.convert_color(openvino.preprocess.ColorFormat.BGR)
        steps.mean(list(options.mean)).scale(list(options.scale))
        return prepared.build()


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = vector / np.maximum(np.linalg.norm(vector), 1e-12)
    return found
