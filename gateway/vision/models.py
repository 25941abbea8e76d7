"""Where the model files lie, and what they are.

The weights come with the package ``face_recognition_models``. It is found without being imported, since the
import needs a setuptools of the right age and ends the process where that is missing.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from gateway.errors import StartError

FILES = {
    "detector": "mmod_human_face_detector.dat",
    "landmarks_5": "shape_predictor_5_face_landmarks.dat",
    "landmarks_68": "shape_predictor_68_face_landmarks.dat",
    "descriptor": "dlib_face_recognition_resnet_model_v1.dat",
}


def model_files() -> dict[str, Path]:
    """Raises StartError if the package or one of its files is missing."""
    spec = find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise StartError("The models are missing: the package face_recognition_models is not installed (make setup).")
    files = {role: Path(spec.origin).parent / "models" / name for role, name in FILES.items()}
    for role, path in files.items():
        if not path.is_file():
            raise StartError(f"The {role} model {path} is missing: reinstall the package face_recognition_models.")
    return files


def model_digests() -> dict[str, str]:
    """SHA-256 of each model file, in hex, by its role."""
    return {role: hashlib.sha256(path.read_bytes()).hexdigest() for role, path in model_files().items()}
