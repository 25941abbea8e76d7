"""A recogniser of the user's own: a network in a file, which describes faces in place of dlib's.

The gateway's main process imports this module, so it must not import OpenVINO.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from pathlib import Path

from gateway.config import Settings
from gateway.config.recogniser_sheet import read_sheet
from gateway.errors import ConfigError
from gateway.files.ownership import permission_hint
from gateway.model.recipes import recogniser_recipe
from gateway.vision.engines.options import RecogniserOptions
from gateway.vision.engines.registry import ENGINES
from gateway.vision.windows import window_for

_NOT_IN_RECIPE = {"name", "licence"}
"""Keys of the description that do not change the descriptors."""

_SUFFIXES = {".onnx", ".tflite"}
"""Ends of the names of networks that are one file. OpenVINO reads others too, whose weights are in a second file."""

_BLOCK_BYTES = 1 << 20

# A field external_data (13) of a TensorProto in onnx.proto: an entry with the key "location" (1) and a value (2).
_EXTERNAL_DATA = re.compile(rb"\x6a[\x80-\xff]?[\x00-\x7f]\n\x08location\x12")
_EXTERNAL_DATA_BYTES = 14


def recogniser_of(settings: Settings) -> RecogniserOptions | None:
    """Read the recogniser that the settings name, and its description. Raise ConfigError."""
    path = settings.recogniser
    if path is None:
        return None
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigError(
            f"recogniser: {path} cannot be used: expected one .onnx or .tflite file that contains its weights."
        )
    sheet = read_sheet(path)
    digest = recogniser_digest(path)
    way = json.dumps(sheet.model_dump(exclude=_NOT_IN_RECIPE), sort_keys=True)
    recipe = recogniser_recipe(hashlib.sha256(f"{digest} {way}".encode()).hexdigest(), sheet.dimensions)
    window = window_for(sheet.alignment, sheet.input, sheet.padding)
    return RecogniserOptions(path, digest, recipe, window, sheet.colour == "bgr", sheet.mean, sheet.scale)


def recipe_of(settings: Settings) -> str:
    """Return the recipe of the descriptors with these settings. Raise ConfigError."""
    recogniser = recogniser_of(settings)
    return ENGINES[settings.engine].recipe if recogniser is None else recogniser.recipe


def recogniser_digest(path: Path) -> str:
    """Return the SHA-256 of a network's file. Raise ConfigError, also if a part of the network is in another file."""
    try:
        found = path.stat()
        return _digest(path, found.st_mtime_ns, found.st_size)
    except OSError as error:
        advice = permission_hint(error) or ": check the path"
        raise ConfigError(f"recogniser: {path} cannot be read: {error.strerror}{advice}.") from None


@cache
def _digest(path: Path, _mtime_ns: int, _size: int) -> str:
    # A network of 260 MB takes a quarter of a second, and a start needs its digest several times.
    digest, end = hashlib.sha256(), b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            # A digest that does not cover the weights would let them change unnoticed.
            if _EXTERNAL_DATA.search(end + block):
                raise ConfigError(f"recogniser: {path} keeps weights in another file: export the network as one file.")
            end = block[-_EXTERNAL_DATA_BYTES:]
    return digest.hexdigest()
