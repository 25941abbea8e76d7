"""A broker and a gateway for all tests that only send requests. Tests that break something start their own."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from device_sim.errors import SimError
from device_sim.postgres_server import PostgresServer
from gateway.app import Gateway, running
from gateway.config import Settings
from tests.support import (
    KNOWN_FACES,
    PROCESS,
    PROCESSES,
    SHARED,
    Broker,
    Client,
    broker_running,
    free_port,
    models_folder,
    prepare_data_folder,
    wait_for,
)

TESTS = Path(__file__).parent
SLOW_PLACES = (
    "benchmarks/",
    "cli/test_doctor.py",
    "cli/test_main.py",
    "cli/test_other_users.py",
    "confinement/test_limits.py",
    "device_sim/",
    "e2e/",
    "files/test_ownership.py",
    "mqtt/transport/test_reconnector.py",
    "people/test_calibration.py",
    "people/test_effects.py",
    "people/test_registry.py",
    "releases/",
    "rest/test_proxy_example.py",
    "store/sqlite/test_database.py",
    "test_allocator.py",
    "test_deb_scripts.py",
    "test_install_service.py",
    "test_quick_all.py",
    "test_release.py",
    "test_setup.py",
    "test_setup_devices.py",
    "test_setup_homeassistant.py",
    "test_trim_installation.py",
    "test_wheel.py",
    "vision/",
    "workers/test_confinement.py",
    "workers/test_conversion.py",
    "workers/test_pool.py",
    "workers/test_renewal.py",
)
"""Tests that start other processes, load the networks, draw plots or wait, as every test with a broker does.

In other files the mark ``slow`` is at each such test.
"""

LONG_PLACES = (
    "cli/test_commands.py",
    "fuzz/test_targets.py",
    "integrations/frigate/test_server.py",
    "integrations/inputs/test_pulled_camera.py",
    "live/",
    "people/folder/test_importer.py",
    "people/test_removals.py",
    "rest/events/test_streams.py",
    "rest/test_server.py",
    "test_architecture.py",
    "test_docs.py",
    "workers/test_confinement.py",
)
"""The longest files among the others. At the end, one process would still run such a file while the others wait."""

QUICK = "not slow and not extra"
"""The expression by which `make quick` chooses its tests."""

MEMORY_VARIABLE = "PYTEST_DEBUG_TEMPROOT"
MEMORY = Path("/dev") / "shm"
"""The folder for the files of the tests: in memory, a store does not wait for the disk at each change."""


def pytest_configure() -> None:
    # A shell lets the commands that it runs in the background ignore Ctrl-C, and every child inherits that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Before pytest-xdist starts its processes, which inherit the folder.
    models_folder()
    if MEMORY_VARIABLE not in os.environ and _is_usable(MEMORY):
        os.environ[MEMORY_VARIABLE] = str(MEMORY)
    # Many containers set this variable. Each process of the tests would then compile all modules that it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def _is_usable(folder: Path) -> bool:
    """Return whether a folder is large enough for the files of the tests, among which are programs."""
    if not os.access(folder, os.W_OK):
        return False
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize >= 2_000_000_000 and not found.f_flag & os.ST_NOEXEC


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect garbage only in the tests: the search for it among all tests takes a quarter of their collection."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore files of which `make quick` runs no test: each process would import them, and with them the engines."""
    is_slow = f"{collection_path.relative_to(TESTS).as_posix()}/".startswith(SLOW_PLACES)
    return True if is_slow and config.option.markexpr == QUICK else None


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let each process of pytest-xdist begin with another folder: it then compiles what the others need later."""
    report = yield
    if collector.path == TESTS and report.result:
        start = len(report.result) * PROCESS // PROCESSES
        report.result = report.result[start:] + report.result[:start]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make quick` leaves out. Put it and long files first: the processes then end at about the same time."""
    for item in items:
        if _is_slow(item):
            item.add_marker("slow")
        if "postgres_server" in getattr(item, "fixturenames", ()):
            item.add_marker("extra")
    slow_files = {item.path for item in items if item.get_closest_marker("slow")}
    # All processes need the same order.
    items.sort(key=lambda item: (item.path not in slow_files, not _place(item).startswith(LONG_PLACES), item.path))


def _is_slow(item: pytest.Item) -> bool:
    return _place(item).startswith(SLOW_PLACES) or "broker" in getattr(item, "fixturenames", ())


def _place(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).as_posix()


def settings(data: Path, broker: Broker, **changes: object) -> Settings:
    """Return settings as from a file, with defaults for tests. ``changes``: sections that replace or extend these."""
    content: dict[str, object] = {
        "data": prepare_data_folder(data),
        # The broker of most tests has no ACL. Other programs may use the processor for longer than the default of
        # answer_s.
        "mqtt": {"host": "127.0.0.1", "port": broker.port, "trust_broker": True, "answer_s": 30},
        "rest": {"port": free_port()},
        # A picture takes longer, too. Some tests pause the worker processes meanwhile.
        "workers": {"picture_s": 60},
        "people": {"folder": KNOWN_FACES, "rescan_s": 0.2},
    }
    for name, change in changes.items():
        old = content.get(name)
        content[name] = {**old, **change} if isinstance(old, dict) and isinstance(change, dict) else change
    return Settings.model_validate(content)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker_running(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="session")
def gateway_settings(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Settings:
    return settings(
        tmp_path_factory.mktemp("data"),
        broker,
        cameras={
            "blind": {"operations": ["detect"]},
            "wall": {"never": [[[0, 0], [1, 0], [1, 1], [0, 1]]]},
            "left": {"only": [[[0, 0], [0.3, 0], [0.3, 1], [0, 1]]]},
            "middle": {"only": [[[0.3, 0], [0.8, 0], [0.8, 1], [0.3, 1]]]},
            "far": {"max_face": 120},
        },
        mqtt={"response_topics": ["answers/"]},
    )


@pytest.fixture(scope="session")
def gateway(gateway_settings: Settings) -> Iterator[Gateway]:
    """A ready gateway, in which the project's own people are enrolled."""
    with running(gateway_settings) as gateway:
        wait_for(lambda: gateway.health().ready, 60)
        yield gateway


@pytest.fixture(scope="session")
def rest_url(gateway: Gateway, gateway_settings: Settings) -> str:
    return f"http://127.0.0.1:{gateway_settings.rest.port}"


@pytest.fixture
def client(gateway: Gateway, broker: Broker) -> Iterator[Client]:
    """A device under MQTT 3.1.1."""
    client = Client(broker.port)
    yield client
    client.close()


@pytest.fixture
def client5(gateway: Gateway, broker: Broker) -> Iterator[Client]:
    """A device under MQTT 5."""
    if not broker.mqtt5:
        pytest.skip("MQTT 5 needs mosquitto, which is not installed; amqtt has 3.1.1 only")
    client = Client(broker.port, MQTTProtocolVersion.MQTTv5)
    yield client
    client.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL, one in each process of pytest-xdist: it starts in less than a second."""
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    try:
        server = PostgresServer()
    except SimError as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The address of a new database. A test that ends the server must start it again."""
    return postgres_server.create_database()


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the labelled photographs are not here: {SHARED.name} beside the project is absent")
    return SHARED
