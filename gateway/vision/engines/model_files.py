"""The model files: their names, digests and paths.

The weights come with the package ``face_recognition_models``. The package is located without an import, because the
import ends the process if setuptools is missing or too new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from gateway.errors import StartError

Role = Literal["detector", "landmarks_5", "landmarks_68", "descriptor"]

MODEL_FILES: dict[Role, tuple[str, str]] = {
    "detector": (
        "mmod_human_face_detector.dat",
        "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
    ),
    "landmarks_5": (
        "shape_predictor_5_face_landmarks.dat",
        "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    ),
    "landmarks_68": (
        "shape_predictor_68_face_landmarks.dat",
        "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
    ),
    "descriptor": (
        "dlib_face_recognition_resnet_model_v1.dat",
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    ),
}
"""The name and SHA-256 of each file in face_recognition_models 0.3.0. docs/reference/models.md names their origin."""


def model_file(role: Role) -> Path:
    """Return the path of a model file. Raises StartError if the package or the file is missing."""
    spec = find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise StartError("The models are missing: the package face_recognition_models is not installed (make setup).")
    path = Path(spec.origin).parent / "models" / MODEL_FILES[role][0]
    if not path.is_file():
        raise StartError(f"The {role} model {path} is missing: reinstall the package face_recognition_models.")
    return path


def check_models(roles: Iterable[Role]) -> None:
    """Raise StartError with the file's name if a model file is missing or differs from the published one."""
    for role in roles:
        path = model_file(role)
        if hashlib.sha256(path.read_bytes()).hexdigest() != MODEL_FILES[role][1]:
            raise StartError(f"The {role} model {path} is damaged: reinstall the package face_recognition_models.")
