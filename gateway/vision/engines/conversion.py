"""The conversion of the networks to OpenVINO: ``python -m gateway.vision.engines.conversion [FOLDER]``.

The networks are converted once and stored in the data folder. Without FOLDER they are stored beside this module, for a
container that is built. The folder's name is made of the SHA-256 of the weights and the version of the converter, so
files of another version are never used. The gateway checks the files at every start. The check needs their digests
only, so that OpenVINO is not loaded into the gateway's process.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.errors import GatewayError
from gateway.vision.engines.model_files import MODEL_FILES, Role, model_file

CONVERTER_VERSION = 5
"""Version of the graphs. Raise it with every change of graphs.py, convolutions.py or proposer_graph.py that changes the
converted files."""

CONVERTED: tuple[Role, ...] = ("detector", "descriptor", "proposer")
"""The models that are converted."""

INSTALLATION = Path(__file__).parent
"""The folder of the networks that were converted when a container was built, in place of the data folder."""

DIGESTS_FILE = "digests.json"
GRAPH_NAMES = ("detector-int8", "detector-f32", "descriptor-int8", "descriptor-f32", "proposer-f32")


def converted_models_folder(data: Path) -> Path:
    """Return the folder of the converted networks in the data folder, or in INSTALLATION."""
    made_of = " ".join([str(CONVERTER_VERSION), *(MODEL_FILES[role].sha256 for role in CONVERTED)])
    return data / "models" / hashlib.sha256(made_of.encode()).hexdigest()[:16]


def damaged_files(folder: Path) -> list[str]:
    """Return the names of converted files that have changed since they were written, or are missing."""
    try:
        digests = dict(json.loads((folder / DIGESTS_FILE).read_text()))
    except (OSError, ValueError, TypeError, RecursionError):
        return [DIGESTS_FILE]
    if digests.keys() != {f"{graph}.{kind}" for graph in GRAPH_NAMES for kind in ("bin", "xml")}:
        return [DIGESTS_FILE]
    return [name for name, digest in digests.items() if not _has_digest(folder / name, digest)]


def convert(folder: Path) -> None:
    """Read the model files and write the graphs, unless intact ones exist. Print the progress on standard error.

    Raises StartError, OSError.
    """
    # A command may run beside the gateway's first start: a lock lets one process convert at a time.
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if damaged_files(folder):
            _convert(folder)


def _convert(folder: Path) -> None:
    from gateway.vision.engines.dlib_weights import read_descriptor, read_detector
    from gateway.vision.engines.graphs import DESCRIPTOR_LIMITS, DETECTOR_LIMITS, descriptor_graph, detector_graph
    from gateway.vision.engines.openvino_import import openvino
    from gateway.vision.engines.proposer_graph import proposer_graph
    from gateway.vision.engines.self_check import check_descriptor

    begun = time.monotonic()
    new = folder.with_suffix(".new")
    _clear(new)
    new.mkdir()
    detector, descriptor = read_detector(model_file("detector")), read_descriptor(model_file("descriptor"))
    graphs: dict[str, Callable[[], Any]] = {
        "detector-int8": lambda: detector_graph(detector, DETECTOR_LIMITS),
        "detector-f32": lambda: detector_graph(detector),
        "descriptor-int8": lambda: descriptor_graph(descriptor, DESCRIPTOR_LIMITS),
        "descriptor-f32": lambda: descriptor_graph(descriptor),
        "proposer-f32": lambda: proposer_graph(model_file("proposer")),
    }
    for number, (name, graph) in enumerate(graphs.items(), 1):
        print(f"converting the models, once: {number} of {len(graphs)}, {name}", file=sys.stderr, flush=True)
        openvino.save_model(graph(), new / f"{name}.xml", compress_to_fp16=False)
    check_descriptor(new)
    digests = {path.name: _digest(path) for path in sorted(new.iterdir())}
    (new / DIGESTS_FILE).write_text(json.dumps(digests, indent=1))
    _clear(folder)
    new.rename(folder)
    print(f"converted in {time.monotonic() - begun:.1f} s: {folder}", file=sys.stderr, flush=True)


def _clear(path: Path) -> None:
    """Remove the folder, or a file or link with its name. Raises OSError."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _has_digest(path: Path, digest: object) -> bool:
    try:
        return _digest(path) == digest
    except OSError:
        return False


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Convert into the folder given on the command line, or into the installation. Exit with a message on failure."""
    try:
        convert(Path(sys.argv[1]) if len(sys.argv) > 1 else converted_models_folder(INSTALLATION))
    except (GatewayError, OSError) as error:
        sys.exit(f"the models cannot be converted: {error}")


if __name__ == "__main__":
    main()
