"""The architecture: layers of imports, the place of each library, and the size and the manners of modules."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGE = ROOT / "gateway"

LAYERS = [
    {"__init__", "allocator", "cores", "errors", "logs"},
    {"attempts", "confinement", "files", "formats", "metrics", "model"},
    {"contract", "config", "periodic_thread"},
    {"store", "vision"},
    {"cluster", "people", "workers"},
    {"service"},
    {"live"},
    {"integrations", "mqtt", "rest", "systemd"},
    {"app"},
    {"cli"},
    {"__main__"},
]
"""The packages and modules of the gateway, the lowest layer first. A package imports from itself and from below."""

LEVEL = {package: n for n, layer in enumerate(LAYERS) for package in layer}

ONLY_IN: Mapping[str, Collection[str]] = {
    "paho": {
        "mqtt/transport/acl_probe",
        "mqtt/transport/packets",
        "mqtt/transport/paho_client",
        "mqtt/transport/protocol_choice",
        "mqtt/transport/splitter",
        "mqtt/transport/session",
    },
    "flask": {"rest/"},
    "werkzeug": {
        "rest/access/",
        "rest/deepstack/refusals",
        "rest/face_rec_api",
        "rest/forms",
        "rest/problems",
        "rest/transport/sending",
    },
    "uvicorn": {"rest/server", "rest/transport/http_protocol"},
    "prometheus_client": {"rest/metrics_api", "rest/metrics_text"},
    "openvino": {"vision/engines/openvino_import"},
    "simplejpeg": {"vision/decoding/jpeg_pixels"},
    "cv2": {
        "vision/blackout",
        "vision/chips",
        "vision/decoding/webp_pixels",
        "vision/engines/face_mesh",
        "vision/engines/pyramid",
        "vision/engines/registry",
        "vision/engines/tiles",
        "vision/gate",
    },
    "dlib": {"vision/chips", "vision/engines/landmarks"},
    "face_recognition": {"vision/engines/stock"},
    "PIL": {"vision/annotate", "vision/decoding/decode", "vision/engines/stock"},
    "sqlite3": {"store/sqlite/"},
    "gateway.store.sqlite": {"store/sqlite/", "people/store_copy", "people/wiring"},
    "psycopg": {"store/postgres/"},
    "gateway.store.postgres": {
        "store/postgres/",
        "people/cluster_store",
        "people/large_gallery",
        "people/store_copy",
        "people/wiring",
    },
    "gateway.store.relational": {"store/relational/", "store/sqlite/", "store/postgres/"},
    "cryptography": {"rest/self_signed", "rest/transport/certificate", "store/cipher"},
    "matplotlib": {"people/calibration"},
    "msgspec": {"workers/answers", "workers/protocol"},
    # One module bounds every answer, verifies certificates and follows no redirect.
    "httpx": {"integrations/http_client"},
    "pydantic": {"config/", "contract/"},
    "pydantic_settings": {"config/"},
    "click": {"cli/"},
    "pickle": set(),
    "multiprocessing": set(),
    "urllib": set(),
    "http.client": set(),
}
"""The modules, or packages with "/" at the end, that may import a library, or a package of the gateway.

These modules convert the library's exceptions into those of the gateway. An empty set means that no module may import
the library: nothing is unpickled, and no picture is fetched from a URL that a message names.
"""

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def package_of(path: Path) -> str:
    return name_of(path).split("/")[0]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Give all statements, at any depth. This takes a quarter of the time of ``ast.walk``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.stmt):
            yield node
        if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            yield from statements(node)


@cache
def functions_of(path: Path) -> frozenset[str]:
    """Return the names of all functions in a module."""
    return frozenset(each.name for each in statements(tree_of(path)) if isinstance(each, ast.FunctionDef))


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Return the names of the modules that a module imports."""
    return tuple(_imported_names(path))


def _imported_names(path: Path) -> Iterator[str]:
    for node in statements(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == "gateway":
                yield from (f"gateway.{alias.name}" for alias in node.names)
            else:
                yield str(node.module)
                # the name may be a module too
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_has_its_layer() -> None:
    assert {package_of(path) for path in MODULES} == set(LEVEL)


def test_imports_point_one_way() -> None:
    wrong = [
        f"{name_of(path)} imports {used}"
        for path in MODULES
        for used in imports(path)
        if used.startswith("gateway.") and not _may_import(package_of(path), used.split(".")[1])
    ]
    assert not wrong, "\n".join(wrong)


def _may_import(own: str, package: str) -> bool:
    return package in (own, "__version__") or LEVEL[package] < LEVEL[own]


def test_libraries_are_imported_only_in_their_place() -> None:
    wrong = [
        f"{name_of(path)} imports {used}"
        for path in MODULES
        for used in imports(path)
        for library, allowed in ONLY_IN.items()
        if used == library or used.startswith(f"{library}.")
        if not any(_is_in(name_of(path), place) for place in allowed)
    ]
    assert not wrong, "\n".join(wrong)


def _is_in(module: str, place: str) -> bool:
    return module.startswith(place) if place.endswith("/") else module == place


def test_vision_tasks_do_not_import_the_engines() -> None:
    """The tasks use an engine by the protocols of vision/engine.py, so that another engine changes no task."""
    for path in (path for path in MODULES if name_of(path).startswith("vision/")):
        if not name_of(path).startswith("vision/engines/"):
            assert not [used for used in imports(path) if used.startswith("gateway.vision.engines")], name_of(path)


def test_nothing_happens_at_import() -> None:
    """A module makes no connection, application or settings object when it is imported."""
    calls = [
        f"{name_of(path)}:{node.lineno} calls something at import"
        for path in MODULES
        for node in tree_of(path).body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and path.name != "__main__.py"
    ]
    assert not calls, "\n".join(calls)


def test_nothing_waits_for_a_publish() -> None:
    """In paho's thread such a wait would block itself. In another it would last until the broker is back."""
    for path in MODULES:
        assert "wait_for_publish" not in path.read_text(), name_of(path)


PICTURE_LIBRARIES = {"PIL", "cv2", "dlib", "face_recognition", "openvino", "pillow_heif", "simplejpeg"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "never"),
    [
        pytest.param("gateway.app", PICTURE_LIBRARIES, id="the main process decodes no picture"),
        pytest.param(
            "gateway.workers.process", {"flask", "paho", "sqlite3", "uvicorn"}, id="a worker has no interface"
        ),
        pytest.param("gateway.vision.engines.registry", PICTURE_LIBRARIES, id="the table of engines loads no engine"),
        pytest.param("gateway.vision.tasks", {"openvino", "face_recognition"}, id="the tasks of vision load no engine"),
    ],
)
def test_process_does_not_load_foreign_parts(module: str, never: set[str]) -> None:
    """The modules that a process loads, at any depth. Only worker processes decode pictures."""
    code = f"import sys, {module}; print(*sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    loaded = set(output.split())
    assert module in loaded
    assert not loaded & never


def test_simulator_and_fault_bench_never_import_the_gateway() -> None:
    bench = [*(ROOT / "benchmarks" / "faults").rglob("*.py"), *(ROOT / "benchmarks").glob("soak*.py")]
    for path in [*(ROOT / "device_sim").rglob("*.py"), *bench]:
        assert not [used for used in imports(path) if used.split(".")[0] == "gateway"], path


MAX_LINES = 250

LONG_MODULES: Mapping[str, str] = {
    "mqtt/transport/reconnector": "one state machine, and the table of its states",
}
"""The modules that are longer than MAX_LINES, each with the reason."""


def test_only_listed_modules_are_long() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    long = {name: length for name, length in lengths.items() if length > MAX_LINES}
    assert long.keys() == LONG_MODULES.keys(), long


MAX_PARAMETERS = 8

MANY_PARAMETERS: Mapping[str, str] = {
    "people/services: build_people": "it joins all parts of people/, and takes them by name only",
}
"""Functions with more than MAX_PARAMETERS, each with the reason."""


def test_only_listed_functions_have_many_parameters() -> None:
    found = {
        f"{name_of(path)}: {node.name}"
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef) and _parameters(node) > MAX_PARAMETERS
    }
    assert found == MANY_PARAMETERS.keys()


def _parameters(function: ast.FunctionDef) -> int:
    found = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    return sum(each.arg not in ("self", "cls") for each in found)


def test_types_are_shipped() -> None:
    """The wheel contains ``py.typed``: hatchling packs every file of these packages that git does not ignore."""
    assert (PACKAGE / "py.typed").exists()
    config = (ROOT / "pyproject.toml").read_text()
    assert re.search(r'^\[tool\.hatch\.build\.targets\.wheel\]\npackages = \["gateway", ', config, re.MULTILINE)
    assert not re.search(r"^(exclude|include) =", config, re.MULTILINE)
    assert "py.typed" not in (ROOT / ".gitignore").read_text()


ASSIGNED_AT_IMPORT: Mapping[str, str] = {
    "vision/engines/stock: PIL.ImageFile.LOAD_TRUNCATED_IMAGES": "undoes a change that face_recognition makes",
}
"""Attributes of imported modules and classes that a module sets when it is imported, each with the reason."""


def test_only_listed_attributes_are_assigned_at_import() -> None:
    found = {
        f"{name_of(path)}: {target}" for path in MODULES for target in _assigned_attributes(_outside_functions(path))
    }
    assert found == ASSIGNED_AT_IMPORT.keys()


DEFERRED = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
"""The nodes whose content does not run when a module is imported."""


def _outside_functions(path: Path) -> Iterator[ast.AST]:
    """Give the nodes of a module that run when it is imported."""
    todo: list[ast.AST] = [tree_of(path)]
    while todo:
        node = todo.pop()
        yield node
        todo += [each for each in ast.iter_child_nodes(node) if not isinstance(each, DEFERRED)]


def _assigned_attributes(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Give each attribute that is set or deleted, as ``object.attribute``."""
    for node in nodes:
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield ast.unparse(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("setattr", "__setattr__"):
            yield f"{ast.unparse(node.args[0])}.{ast.unparse(node.args[1])}"


SET_FROM_OUTSIDE: Mapping[str, str] = {
    "logs: record": "a filter of logging changes the record that it is given",
    "mqtt/delivery/reply_cache: error": "the traceback would keep the pictures of the request",
    "mqtt/delivery/uploads: upload": "the state of an upload, changed only here and under the lock",
    "mqtt/transport/ledger: delivery": "the state of a delivery, changed only here and under the lock",
    "mqtt/transport/ledger: each": "the state of a delivery, changed only here and under the lock",
    "rest/app: app.json": "Flask's JSON provider is configured by its attributes",
    "rest/access/current: g": "Flask's object for data of one request",
    "rest/server: server": "a server of uvicorn stops when its attribute says so",
    "rest/request_id: g": "Flask's object for data of one request",
    "rest/problems: g": "Flask's object for data of one request",
    "rest/calls: g": "Flask's object for data of one request",
    "store/relational/unknown_groups: group": "the faces of a group are read after the group itself",
    "vision/decoding/heic: library.options": "the options of pillow-heif are attributes of its module",
    "workers/crash_guard: self._add_strike(picture)": "the strikes of a picture, counted only here and under the lock",
    "workers/crash_guard: strikes": "the strikes of a picture, counted only here and under the lock",
    "workers/lane: job": "a job that starts gets its times, and the number of frames that it replaced",
    "workers/queue: lane": "the place of a lane among the others, which only the queue knows",
}
"""Objects whose attributes are set by a function that did not make them, each with the reason."""


def test_attributes_are_set_only_on_self_and_on_new_objects() -> None:
    """A hook that is set from outside is a circular dependency that no import shows."""
    found = {f"{name_of(path)}: {target.rpartition('.')[0]}" for path in MODULES for target in _set_from_outside(path)}
    assert found == SET_FROM_OUTSIDE.keys()


def _set_from_outside(path: Path) -> Iterator[str]:
    """Give the attributes that are set on other objects than ``self`` and those that the same function created."""
    for function in ast.walk(tree_of(path)):
        if isinstance(function, ast.FunctionDef):
            own = {"self", *_created(function)}
            yield from (each for each in _assigned_attributes(ast.walk(function)) if each.rpartition(".")[0] not in own)


def _created(function: ast.FunctionDef) -> Iterator[str]:
    """Give the names to which the function assigns a new object: the result of a class or of a ``make_`` function."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            maker = ast.unparse(node.value.func).split(".")[-1]
            if maker[0].isupper() or maker.startswith("make_"):
                yield from (ast.unparse(target) for target in node.targets)


def test_the_path_of_a_frame_names_what_exists() -> None:
    """The README's line: ``room/module: name`` in the order in which a frame meets them."""
    readme = (ROOT / "README.md").read_text()
    section = readme.split("## The path of a frame")[1].split("##")[0]
    steps = re.findall(r"`([a-z_]+(?:/[a-z_]+)*): ([a-z_]+)`", section)
    assert len(steps) >= 10
    for module, name in steps:
        source = (PACKAGE / f"{module}.py").read_text()
        assert re.search(rf"^\s*def {name}\(", source, re.MULTILINE), f"{module} has no {name}"
