"""The examples for reverse proxies and load balancers in config/, run by the real programs on a port of 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from gateway.rest.self_signed import MadeCertificate, make_certificate
from tests.support import ROOT, WAIT_S, accepts, free_port, wait_for

HOST = "faces.example.org"
"""The host name in the examples."""

PROGRAMS_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


@dataclass(frozen=True)
class Place:
    """The folder, the port and the certificate of a proxy, and the ports of the gateways behind it."""

    folder: Path
    port: int
    behind: Sequence[int]
    made: MadeCertificate

    def with_ports(self, example: str) -> str:
        """Return an example with the ports of the test in place of the addresses of one gateway, or of replicas."""
        for number, port in enumerate(self.behind, 1):
            example = example.replace(f"replica{number}.example.org:5001", f"127.0.0.1:{port}")
        return example.replace("127.0.0.1:5001", f"127.0.0.1:{self.behind[0]}")


def write_nginx(place: Place, example: str) -> list[str]:
    """Write the configuration of nginx, and return the arguments to start it."""
    folder = place.folder
    example = (
        place.with_ports(example)
        .replace("listen 443 ssl", f"listen 127.0.0.1:{place.port} ssl")
        .replace("/etc/letsencrypt/live/faces.example.org/fullchain.pem", str(place.made.cert))
        .replace("/etc/letsencrypt/live/faces.example.org/privkey.pem", str(place.made.key))
    )
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"{name}_temp_path {folder};" for name in names)
    head = f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;\nevents {{}}\n"
    conf = folder / "nginx.conf"
    conf.write_text(f"{head}http {{\naccess_log off;\n{temporary}\n{example}\n}}\n")
    return ["-c", str(conf), "-p", str(folder), "-e", str(folder / "log")]


def write_caddy(place: Place, example: str) -> list[str]:
    """Write the configuration of Caddy, and return the arguments to start it."""
    example = place.with_ports(example).replace(
        f"\n{HOST} {{",
        f"\n{HOST}:{place.port} {{\n\tbind 127.0.0.1\n\ttls {place.made.cert} {place.made.key}",
    )
    conf = place.folder / "Caddyfile"
    # Caddy opens port 80 and a port for its administration otherwise.
    conf.write_text(f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{example}")
    return ["run", "--adapter", "caddyfile", "--config", str(conf)]


PROXIES = {"nginx": (write_nginx, "nginx/facegate.conf"), "caddy": (write_caddy, "caddy/Caddyfile")}
"""By the name of a program, the function that writes its configuration, and the example for one gateway."""

BALANCERS = {"nginx": (write_nginx, "cluster/nginx.conf"), "caddy": (write_caddy, "cluster/Caddyfile")}
"""The same with the example for three replicas."""


class Front(requests.Session):
    """A client of a proxy. It trusts the proxy's certificate."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = str(place.made.cert)
        self.headers["Host"] = HOST
        self.url = f"https://127.0.0.1:{place.port}"


@contextmanager
def proxy_running(name: str, folder: Path, *behind: int) -> Iterator[Front]:
    """Run the proxy with its example before the gateways on the ports ``behind``, and give a client of it."""
    program = shutil.which(name, path=PROGRAMS_PATH)
    if program is None:
        pytest.skip(f"{name} is not installed")
    place = Place(folder, free_port(), behind, make_certificate(folder, [HOST, "127.0.0.1"]))
    log = folder / "log"
    # Caddy stores its own files in the home folder.
    environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with log.open("w") as output:
        write, example = (BALANCERS if len(behind) > 1 else PROXIES)[name]
        arguments = write(place, (ROOT / "config" / example).read_text())
        process = subprocess.Popen([program, *arguments], env=environment, stdout=output, stderr=output)
    try:
        wait_for(lambda: process.poll() is not None or accepts(place.port))
        assert process.poll() is None, log.read_text()
        with Front(place) as front:
            yield front
    finally:
        process.terminate()
        process.wait(WAIT_S)
