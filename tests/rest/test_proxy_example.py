"""The example for nginx in config/, run by a real nginx before a real server."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask, request

from gateway.config import LimitSettings, RestSettings
from gateway.rest.access.client import Proxies
from gateway.rest.early_refusals import add_early_refusals
from gateway.rest.self_signed import make_certificate
from gateway.rest.server import RestServer
from tests.support import ROOT, WAIT_S, free_port, wait_for

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
EXAMPLE = ROOT / "config" / "nginx" / "facegate.conf"
HOST = "faces.example.org"

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def application(settings: RestSettings) -> Flask:
    app = Flask(__name__, static_folder=None)
    add_early_refusals(app)
    proxies = Proxies(settings.proxies)

    @app.route("/where", methods=["GET", "POST"])
    def where() -> dict[str, object]:
        client = proxies.find_client(request.environ)
        return {
            "host": request.host,
            "prefix": request.script_root,
            "client": client.name,
            "encrypted": client.encrypted,
            "protocol": request.environ["SERVER_PROTOCOL"],
            "size": len(request.get_data()),
        }

    return app


Ask = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """A function that sends a request to nginx, which stands before a server that trusts it."""
    folder = tmp_path_factory.mktemp("nginx")
    port, behind = free_port(), free_port()
    made = make_certificate(folder, [HOST, "127.0.0.1"])

    def ask(body: bytes = b"", **headers: str) -> requests.Response:
        url = f"https://127.0.0.1:{port}/where"
        return requests.post(url, body, headers={"Host": HOST, **headers}, verify=str(made.cert), timeout=WAIT_S)

    settings = RestSettings.model_validate({"port": behind, "proxies": ["127.0.0.1"]})
    server = RestServer(application(settings), settings, LimitSettings())
    server.start()
    example = (
        EXAMPLE.read_text()
        .replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
        .replace("/etc/letsencrypt/live/faces.example.org/fullchain.pem", str(made.cert))
        .replace("/etc/letsencrypt/live/faces.example.org/privkey.pem", str(made.key))
        .replace("127.0.0.1:5001", f"127.0.0.1:{behind}")
    )
    process = start_nginx(folder, example)
    wait_for(lambda: process.poll() is not None or answers(ask))
    assert process.poll() is None, (folder / "error.log").read_text()
    yield ask
    process.terminate()
    process.wait(WAIT_S)
    server.stop()


def start_nginx(folder: Path, example: str) -> subprocess.Popen[bytes]:
    temporary = "\n".join(
        f"{name}_temp_path {folder};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    head = f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\nevents {{}}\n"
    conf = folder / "nginx.conf"
    conf.write_text(f"{head}http {{\naccess_log off;\n{temporary}\n{example}\n}}\n")
    return subprocess.Popen([str(NGINX), "-c", str(conf), "-p", str(folder), "-e", str(folder / "error.log")])


def answers(ask: Ask) -> bool:
    try:
        return ask().ok
    except requests.ConnectionError:
        return False


def test_nginx_states_the_client_and_the_public_name(ask: Ask) -> None:
    assert ask(bytes(1_000_000)).json() == {
        "host": HOST,
        "prefix": "",
        # The client has the same address as nginx here.
        "client": "an unknown address",
        "encrypted": True,
        "protocol": "HTTP/1.1",
        "size": 1_000_000,
    }


def test_nginx_replaces_the_headers_that_a_client_forges(ask: Ask) -> None:
    forged = {
        "X-Forwarded-For": "10.9.8.7",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
        "X-Ingress-Path": "/evil",
    }
    assert ask(**forged).json() == ask().json()
