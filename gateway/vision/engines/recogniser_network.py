"""The execution of a recogniser of the user's own with OpenVINO."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.errors import GatewayError, StartError
from gateway.model import Descriptor
from gateway.model.recipes import dimensions_of
from gateway.vision.decoding.decode import Picture
from gateway.vision.engines.openvino_import import openvino
from gateway.vision.engines.options import RecogniserOptions
from gateway.vision.engines.processor import Float
from gateway.vision.engines.recogniser_model import read_recogniser
from gateway.vision.engines.runtime import OPTIONS

MIN_NORM = 1e-6
"""Length of a network's output below which its direction is noise."""


class RecogniserEmbedder:
    """A network that describes faces. Not to be shared between threads."""

    def __init__(self, options: RecogniserOptions, floats: Float) -> None:
        """Raise StartError if OpenVINO cannot read the network, or if its input or output is not as described."""
        self.window = options.window
        try:
            compiled = openvino.Core().compile_model(
                read_recogniser(options), "CPU", {**OPTIONS, "INFERENCE_PRECISION_HINT": floats}
            )
            self._request = compiled.create_infer_request()
            self._batch = compiled.inputs[0].shape[0]
            found = self._run(_trial_pictures(self.window.side))
        except StartError:
            raise
        # OpenVINO raises errors of many kinds, some with a text of many lines, for anything that it cannot read.
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise StartError(f"The recogniser {options.path} cannot be used by OpenVINO: {reason}") from None
        _check_output(options, found)

    def embed(self, faces: Sequence[Picture]) -> list[Descriptor]:
        """Return the mean descriptor of each face and its mirror image: float32, (d,), of unit length.

        ``faces``: for each face one picture, uint8 RGB, (1, side, side, 3). Raise GatewayError if the network returns
        no direction for one of them.
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


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    norm = np.linalg.norm(vector)
    # The comparison is written so that NaN fails too.
    if not MIN_NORM < norm < np.inf:
        raise GatewayError("the recogniser returned no usable descriptor for a face")
    found: NDArray[np.float32] = vector / norm
    return found


def _trial_pictures(side: int) -> list[Picture]:
    """Return a black picture and one of noise, uint8, (side, side, 3)."""
    shape = (side, side, 3)
    return [np.zeros(shape, np.uint8), np.random.default_rng(0).integers(0, 256, shape, np.uint8)]


def _check_output(options: RecogniserOptions, found: Sequence[NDArray[np.float32]]) -> None:
    """Raise StartError if the output for the trial pictures is not as described."""
    size, wanted = found[0].size, dimensions_of(options.recipe)
    if size != wanted:
        raise StartError(
            f"The recogniser {options.path} returns {size} numbers a face, but its description says"
            f" dimensions: {wanted}. Correct the description."
        )
    try:
        for each in found:
            _unit(each)
    except GatewayError:
        raise StartError(
            f"The recogniser {options.path} returns zeros, infinite or undefined numbers for a trial picture. Check"
            " mean and scale in its description."
        ) from None
