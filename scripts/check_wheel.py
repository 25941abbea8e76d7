"""Build the source distribution and the wheel, install the wheel with pip alone, and recognise a picture with it.

Then `make install` makes an environment, without files that are never loaded (scripts/trim_installation.py). It must
not be too large, must recognise the picture too (its networks are OpenVINO's own form and TensorFlow Lite), and must
read ONNX, the form of other recognisers.

CI runs this: ``.venv/bin/python -m scripts.check_wheel``. It needs a network and 1.5 GB of free space.
tests/test_wheel.py uses its functions for the gateway of an unpacked wheel.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from tests.onnx_files import write_dlib_onnx

ROOT = Path(__file__).resolve().parents[1]
READY_S = 120
"""The longest time from the start of the gateway to the first name."""

MAX_PRODUCTION_MB = 433
"""The largest size of the environment of `make install`: half of what it was in version 0.1.0."""


def main() -> None:
    """Check the wheel. Exit with a message if a step fails."""
    # Programs of the new environments would import the checkout's modules.
    os.environ.pop("PYTHONPATH", None)
    with TemporaryDirectory(prefix="facegate-wheel-") as name:
        folder = Path(name)
        programs = install(build(folder), folder)
        print(run(programs / "facegate", "--version").strip())
        run(programs / "facegate", "check-config", cwd=folder)
        refuse_the_stock_engine(programs / "facegate", folder)
        recognise(programs / "facegate", folder)
        production = install_production(folder)
        recognise(production / "facegate", folder / "production")
        write_dlib_onnx(folder / "dlib.onnx")
        run(production / "python", "-c", f"import openvino; openvino.Core().read_model('{folder}/dlib.onnx')")
    print("check_wheel: the wheel and the environment of `make install` work")


def build(folder: Path) -> Path:
    """Build the source distribution, and the wheel from that. Return the wheel."""
    run(Path(sys.executable).with_name("uv"), "build", "--out-dir", folder / "dist", ROOT)
    return next((folder / "dist").glob("*.whl"))


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel into an environment of its own. Return the folder of its programs."""
    begun = time.monotonic()
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    run(programs / "pip", "install", "--quiet", wheel)
    run(programs / "pip", "check")
    packages = run(programs / "pip", "list", "--format=freeze").lower().splitlines()
    unwanted = [each for each in packages if each.startswith(("tensorflow", "dlib==", "face-recognition=="))]
    if unwanted:
        sys.exit(f"check_wheel: pip installed {', '.join(unwanted)}")
    print(f"check_wheel: pip installed {len(packages)} packages in {time.monotonic() - begun:.0f} s")
    return programs


def refuse_the_stock_engine(facegate: Path, folder: Path) -> None:
    """Check that an engine without its package is refused in one sentence."""
    env = {**os.environ, "FACEGATE_ENGINE": "dlib-hog"}
    done = subprocess.run([facegate, "check-config"], cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode != os.EX_CONFIG or "needs the package face_recognition" not in done.stderr:
        sys.exit(f"check_wheel: dlib-hog without face_recognition: {done.returncode}, {done.stderr}")


def install_production(folder: Path) -> Path:
    """Make the environment of `make install` in a folder of its own. Return the folder of its programs."""
    environment = folder / "service"
    # The cache of `make setup` has most of the packages.
    cache = run(Path(sys.executable).with_name("uv"), "cache", "dir").strip()
    setup = ROOT / "scripts" / "setup.sh"
    run("env", f"UV_CACHE_DIR={cache}", f"PYTHON={sys.executable}", setup, "production", environment)
    if (size := size_mb(environment)) > MAX_PRODUCTION_MB:
        sys.exit(f"check_wheel: the environment of `make install` has {size} MB, more than {MAX_PRODUCTION_MB}")
    print(f"check_wheel: the environment of `make install` has {size} MB, that of pip {size_mb(folder / 'venv')} MB")
    return environment / "bin"


def size_mb(folder: Path) -> int:
    """Return the size of a folder on the disk, as ``du -sm`` prints it."""
    return int(run("du", "-sm", folder).split()[0])


def recognise(facegate: Path, folder: Path) -> None:
    """Run the gateway without a broker and with a new data folder. Wait until it names the person in a picture."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    env = gateway_environment(folder / "data", port, free_port())
    picture = (ROOT / "device_sim" / "frames" / "obama_1.jpg").read_bytes()
    with subprocess.Popen([facegate, "run"], cwd=folder, env=env) as process:
        try:
            end = time.monotonic() + READY_S
            while (name := name_in(picture, port)) != "Barack Obama":
                if process.poll() is not None or time.monotonic() > end:
                    sys.exit(f"check_wheel: no name for the picture, but {name}")
                time.sleep(0.2)
        finally:
            process.terminate()
    if process.returncode:
        sys.exit(f"check_wheel: the gateway ended with {process.returncode}")


def gateway_environment(data: Path, port: int, broker_port: int) -> dict[str, str]:
    """Return the environment of a gateway with REST at ``port`` and the repository's known faces.

    ``broker_port``: a port of this machine without a broker.
    """
    return {
        **os.environ,
        "FACEGATE_DATA": str(data),
        "FACEGATE_MQTT__HOST": "127.0.0.1",
        "FACEGATE_MQTT__PORT": str(broker_port),
        "FACEGATE_REST__PORT": str(port),
        "FACEGATE_PEOPLE__FOLDER": str(ROOT / "known_faces"),
        "FACEGATE_WORKERS__PROCESSES": "1",
    }


def name_in(picture: bytes, port: int) -> str | None:
    """Return the name that the gateway finds; None if it does not answer yet, or finds nobody."""
    try:
        reply = requests.post(f"http://127.0.0.1:{port}/face_rec", files={"file": picture}, timeout=60)
    except (requests.ConnectionError, requests.Timeout):
        return None
    name: str | None = reply.json().get("name")
    return name


def free_port() -> int:
    """Return a TCP port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def run(*command: object, cwd: Path = ROOT) -> str:
    """Run a program and return its output. Exit with its messages if it fails."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"check_wheel: {' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
