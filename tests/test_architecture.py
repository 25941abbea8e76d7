"""Imports point one way: a module may use only what stands in a layer above its own here, or in its own room."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGE = ROOT / "gateway"

LAYERS = [
    {"__init__", "allocator", "errors", "logs"},
    {"files", "formats", "metrics", "model"},
    {"config"},
    {"store", "vision"},
    {"people", "workers"},
    {"contract"},
    {"service"},
    {"mqtt", "rest", "systemd"},
    {"app"},
    {"cli"},
    {"__main__"},
]
LEVEL = {room: n for n, layer in enumerate(LAYERS) for room in layer}

ONLY_IN = {
    "paho": {
        "mqtt/transport/packets",
        "mqtt/transport/paho_client",
        "mqtt/transport/paho_patches",
        "mqtt/transport/protocol_choice",
        "mqtt/transport/session",
    },
    "flask": {
        "rest/api_v1",
        "rest/app",
        "rest/body",
        "rest/calls",
        "rest/cross_site",
        "rest/face_rec_api",
        "rest/fields",
        "rest/health_api",
        "rest/pictures",
        "rest/problems",
        "rest/request_log",
        "rest/server",
    },
    "werkzeug": {"rest/face_rec_api", "rest/forms", "rest/problems"},
    "waitress": {"rest/server"},
    "openvino": {"vision/engines/openvino_import"},
    "simplejpeg": {"vision/decoding/jpeg_pixels"},
    "cv2": {"vision/align", "vision/engine", "vision/engines/pyramid"},
    "dlib": {"vision/align"},
    "face_recognition": {"vision/engines/stock"},
    "PIL": {"vision/annotate", "vision/decoding/decode", "vision/engines/stock"},
    "sqlite3": {
        "store/sqlite/audit",
        "store/sqlite/backup_files",
        "store/sqlite/backups",
        "store/sqlite/database",
        "store/sqlite/sealed_records",
        "store/sqlite/people",
        "store/sqlite/writes",
    },
    "cryptography": {"store/cipher"},
    "matplotlib": {"people/calibration"},
    "pydantic": {
        "config/environment",
        "config/field_types",
        "config/load",
        "config/messages",
        "config/sections",
        "config/settings",
    },
    "pydantic_settings": {"config/environment", "config/load", "config/settings"},
    "click": {
        "cli/backups",
        "cli/calibrate",
        "cli/files",
        "cli/folder_removal",
        "cli/main",
        "cli/operations",
        "cli/options",
        "cli/output",
        "cli/people",
        "cli/people_add",
        "cli/people_archive",
        "cli/store",
        "cli/unknowns",
    },
    "pickle": set(),
    "multiprocessing": set(),
    "urllib": set(),
    "http.client": set(),
}
"""A foreign library is used, and its exceptions are turned into ours, in one place. No picture is ever fetched."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def room_of(path: Path) -> str:
    return name_of(path).split("/")[0]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == "gateway":
                yield from (f"gateway.{alias.name}" for alias in node.names)
            else:
                yield str(node.module)


def test_every_module_has_its_layer() -> None:
    assert {room_of(path) for path in MODULES} == set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    own = room_of(path)
    for used in imports(path):
        if used.startswith("gateway."):
            room = used.split(".")[1]
            if room == "__version__":
                continue
            assert room == own or LEVEL[room] < LEVEL[own], f"{name_of(path)} imports {used}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_foreign_libraries_stay_in_their_room(path: Path) -> None:
    for used in imports(path):
        for library, allowed in ONLY_IN.items():
            if used == library or used.startswith(f"{library}."):
                assert name_of(path) in allowed, f"{name_of(path)} imports {used}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_happens_at_import(path: Path) -> None:
    """No call at the top of a module makes a connection, an application or a settings object."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            assert path.name == "__main__.py", f"{name_of(path)}:{node.lineno} calls something at import"


def test_nothing_waits_for_the_broker_to_take_a_message() -> None:
    """In paho's thread it would wait for itself, and in any other for as long as the broker is away."""
    for path in MODULES:
        assert "wait_for_publish" not in path.read_text(), name_of(path)


PICTURES = {"PIL", "cv2", "dlib", "face_recognition", "openvino", "simplejpeg"}


@pytest.mark.parametrize(
    ("module", "never"),
    [
        pytest.param("gateway.app", PICTURES, id="the gateway never touches a picture"),
        pytest.param("gateway.workers.process", {"flask", "paho", "sqlite3", "waitress"}, id="a worker has no door"),
        pytest.param("gateway.vision.engine", {"openvino", "face_recognition"}, id="nobody pays for both engines"),
    ],
)
def test_what_a_process_must_not_load_is_not_loaded(module: str, never: set[str]) -> None:
    """However deep the imports go; what strangers send is decoded in the worker processes alone."""
    code = f"import sys, {module}; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    loaded = set(told.split())
    assert module in loaded
    assert not loaded & never


def test_the_simulator_and_the_fault_bench_never_import_the_gateway() -> None:
    bench = [*(ROOT / "benchmarks" / "faults").rglob("*.py"), *(ROOT / "benchmarks").glob("soak*.py")]
    for path in [*(ROOT / "device_sim").rglob("*.py"), *bench]:
        assert not [used for used in imports(path) if used.split(".")[0] == "gateway"], path


def test_the_path_of_a_frame_names_what_exists() -> None:
    """The README's line: ``room/module: name`` in the order in which a frame meets them."""
    readme = (ROOT / "README.md").read_text()
    section = readme.split("## The path of a frame")[1].split("##")[0]
    steps = re.findall(r"`([a-z_]+(?:/[a-z_]+)*): ([a-z_]+)`", section)
    assert len(steps) >= 10
    for module, name in steps:
        source = (PACKAGE / f"{module}.py").read_text()
        assert re.search(rf"^\s*def {name}\(", source, re.MULTILINE), f"{module} has no {name}"
