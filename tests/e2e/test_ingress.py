"""A whole gateway behind a stand-in for Home Assistant's ingress: its own port, its users, and everybody else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests
from flask import Flask

from gateway.app import Gateway, running
from gateway.config import LimitSettings, RestSettings
from gateway.errors import Unavailable
from gateway.rest.self_signed import make_certificate
from gateway.rest.server import RestServer
from tests.conftest import settings
from tests.e2e.deployments import wait_until_ready
from tests.rest.ingress import PATH, SUPERVISOR, home_assistant_running
from tests.support import WAIT_S, broker_running, frame, free_port


class Home:
    """A gateway, and the address of the Home Assistant before it."""

    def __init__(self, gateway: Gateway, port: int, url: str) -> None:
        self.gateway = gateway
        self.port = port
        self.url = url
        self.app = f"{url}{PATH}"

    def change(self, path: str, origin: str | None = None, **more: object) -> requests.Response:
        """Send a POST as the page in the frame does."""
        headers = {"Origin": origin or self.url}
        return requests.post(f"{self.app}{path}", headers=headers, timeout=WAIT_S, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("ingress")
    (folder / "nobody").mkdir()
    port = free_port()
    ingress = {"address": SUPERVISOR, "host": "127.0.0.1", "port": port, "users": {"grace": "admin", "kid": "client"}}
    with broker_running(folder) as broker:
        wanted = settings(
            folder / "data",
            broker,
            workers={"processes": 1},
            people={"folder": folder / "nobody"},
            rest={"anonymous": {"from": []}, "ingress": ingress},
        )
        with running(wanted) as gateway, home_assistant_running(port) as url:
            yield Home(wait_until_ready(gateway), port, url)


def test_user_enrols_a_person_and_the_audit_names_the_user(home: Home) -> None:
    files = {"images": ("grace.jpg", frame("obama_1"))}
    answer = home.change("/api/v1/people", data={"name": "Barack Obama"}, files=files)
    assert answer.status_code == 200, answer.text
    lines = requests.get(f"{home.app}/api/v1/audit", timeout=WAIT_S).json()["audit"]
    assert ("add", "homeassistant/grace", "admin") in [(each["action"], each["actor"], each["role"]) for each in lines]


def test_event_stream_comes_through_piece_by_piece(home: Home) -> None:
    with requests.get(f"{home.app}/api/v1/events", stream=True, timeout=WAIT_S) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert any(line.startswith(b"event: reset") for line in lines)
        home.change("/api/v1/tokens", json={"name": "first", "role": "viewer"})
        files = {"images": ("obama.jpg", frame("obama_2"))}
        assert home.change("/api/v1/people", data={"name": "Second Person"}, files=files).status_code == 200
        assert any(line.startswith(b"event: people") for line in lines)


def test_links_lead_back_through_home_assistant(home: Home) -> None:
    answer = requests.post(f"{home.app}/logout", headers={"Origin": home.url}, allow_redirects=False, timeout=WAIT_S)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PATH}/login")


def test_page_of_another_program_changes_nothing(home: Home) -> None:
    for origin in ("http://evil.example", "http://127.0.0.1:1880", "null"):
        assert home.change("/api/v1/tokens", origin, json={"name": "evil", "role": "admin"}).status_code == 403
    tokens = requests.get(f"{home.app}/api/v1/tokens", timeout=WAIT_S).json()["tokens"]
    assert "evil" not in [each["name"] for each in tokens]


def test_page_may_be_shown_in_a_frame_of_home_assistant(home: Home) -> None:
    answer = requests.get(f"{home.app}/", timeout=WAIT_S)
    assert "X-Frame-Options" not in answer.headers
    # Home Assistant and the console have one origin there.
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.3"])
def test_other_addresses_are_disconnected_before_a_byte_is_read(home: Home, address: str) -> None:
    connection = socket.create_connection(("127.0.0.1", home.port), WAIT_S, source_address=(address, 0))
    # Either end of a connection that was closed with unread bytes is right.
    with connection as sock, suppress(ConnectionResetError, BrokenPipeError):
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Ingress-Path: /x\r\n\r\n")
        assert sock.recv(1) == b""


@pytest.mark.parametrize("address", ["127.0.0.1", SUPERVISOR])
def test_headers_of_home_assistant_do_not_count_on_the_port_of_rest(home: Home, address: str) -> None:
    sent = {
        "Host": "localhost",
        "X-Ingress-Path": PATH,
        "X-Remote-User-Name": "grace",
        "X-Remote-User-Id": "9d1f",
        "X-Forwarded-For": f"{SUPERVISOR}, {SUPERVISOR}",
        "X-Real-IP": SUPERVISOR,
    }
    port = int(home.gateway.rest.url.rpartition(":")[2])
    connection = HTTPConnection("127.0.0.1", port, WAIT_S, source_address=(address, 0))
    connection.request("GET", "/api/v1/people", headers=sent)
    assert connection.getresponse().status == 401
    connection.close()


def test_supervisor_asks_for_the_health_without_a_user(home: Home) -> None:
    connection = HTTPConnection("127.0.0.1", home.port, WAIT_S, source_address=(SUPERVISOR, 0))
    for path, status in {"/healthz": 200, "/readyz": 200, "/api/v1/people": 401}.items():
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status, path
    connection.close()


def test_user_with_a_lower_role_is_refused(home: Home) -> None:
    with home_assistant_running(home.port, user="kid") as url:
        assert requests.get(f"{url}{PATH}/session", timeout=WAIT_S).json()["role"] == "client"
        assert requests.get(f"{url}{PATH}/api/v1/people", timeout=WAIT_S).status_code == 403


@pytest.mark.parametrize(
    ("header", "status"),
    [
        # The supervisor removes it.
        ("X-Remote-User-Name", 403),
        ("x-remote-user-name", 400),
        ("X-REMOTE-USER-NAME", 400),
        ("X-Remote-User-name", 400),
        ("x_remote_user_name", 400),
        ("x-remote-user-id", 400),
        ("X-Remote-User", 400),
    ],
)
def test_browser_cannot_name_another_user(home: Home, header: str, status: int) -> None:
    """Regression: in another spelling, the header of a browser came in place of the supervisor's."""
    with home_assistant_running(home.port, user="kid") as url:
        connection = HTTPConnection(url.removeprefix("http://"), timeout=WAIT_S)
        connection.request("GET", f"{PATH}/api/v1/people", headers={header: "grace"})
        answer = connection.getresponse()
        assert answer.status == status
        assert status != 400 or f"The header {header} is refused" in answer.read().decode()
        connection.close()
        # The next request of the same user is an ordinary one.
        assert requests.get(f"{url}{PATH}/session", timeout=WAIT_S).json()["role"] == "client"


def test_second_header_about_the_user_is_refused(home: Home) -> None:
    connection = HTTPConnection("127.0.0.1", home.port, WAIT_S, source_address=(SUPERVISOR, 0))
    connection.putrequest("GET", "/api/v1/people")
    for user in ("kid", "grace"):
        connection.putheader("X-Remote-User-Name", user)
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, b"came twice" in answer.read()) == (400, True)
    connection.close()


def test_port_that_is_taken_is_named(home: Home) -> None:
    own = free_port()
    ingress = {"address": SUPERVISOR, "host": "127.0.0.1", "port": home.port}
    rest = RestSettings.model_validate({"port": own, "ingress": ingress})
    with pytest.raises(Unavailable, match=r"stop the program there, or set rest\.ingress\.port to a free port"):
        RestServer(Flask(__name__), rest, LimitSettings()).start()
    # The port of REST is free again.
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", own))


def test_supervisor_speaks_plain_http_also_if_others_need_tls(tmp_path: Path) -> None:
    made = make_certificate(tmp_path, ["127.0.0.1"])
    own, port = free_port(), free_port()
    ingress = {"address": SUPERVISOR, "host": "127.0.0.1", "port": port}
    tls = {"cert": made.cert, "key": made.key}
    server = RestServer(
        hello(), RestSettings.model_validate({"port": own, "ingress": ingress, "tls": tls}), LimitSettings()
    )
    server.start()
    try:
        with home_assistant_running(port) as url:
            assert read(f"{url}{PATH}/hello") == "hello"
        assert read(f"https://127.0.0.1:{own}/hello", made.cert) == "hello"
    finally:
        server.stop()


def hello() -> Flask:
    app = Flask(__name__, static_folder=None)
    app.add_url_rule("/hello", "hello", view_func=lambda: "hello")
    return app


def read(url: str, cert: Path | None = None) -> str:
    """Return the text of a route that OpenAPI does not describe, and close the connection."""
    with requests.get(url, stream=True, verify=str(cert) if cert else True, timeout=WAIT_S) as answer:
        return answer.text
