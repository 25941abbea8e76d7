"""Tests of the clients for the ESP32, compiled for this machine, with a fake gateway and with the real one.

The very sketch and the very program are compiled. The modules of the board are replaced: the camera, the Wi-Fi, and the
MQTT library, which is libmosquitto here, with the interface and the limits of PubSubClient and of esp-mqtt.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.app import Gateway
from tests.device_sim.fake_gateway import (
    BUSY,
    INTERNAL,
    MATCH,
    Answering,
    FakeReply,
    ReceivedRequest,
    run_fake_gateway,
)
from tests.device_sim.test_clients import BASE
from tests.e2e.secure_broker import secure_broker_running
from tests.support import ROOT, Broker, Client, broker_running, frame, free_port, wait_for

CLIENTS = ROOT / "device_sim" / "clients"
HOST = Path(__file__).parent / "esp_host"
FRAMES = ROOT / "device_sim" / "frames"
INCOMPLETE = FakeReply({"status": "error", "code": "incomplete", "error": "piece 1 is missing"}, "error incomplete")
PIECE_BYTES = 4096

pytestmark = [
    # A compilation takes a second and more.
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed: sudo apt-get install g++"),
    pytest.mark.skipif(
        not Path("/usr/include/mosquitto.h").exists(),
        reason="the headers of libmosquitto are not installed: sudo apt-get install libmosquitto-dev",
    ),
]


class Firmware:
    """A client with other constants, as a user changes them. ``lines``: all lines that it has printed."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.camera = f"{kind}{random.randrange(10**6)}"
        self.lines: list[str] = []
        self._folder = folder

    @property
    def verdicts(self) -> list[str]:
        """The printed lines without those about the lamp, the outbox, and a broker that is away."""
        return [line for line in self.lines if not line.startswith(("pin ", "outbox ", "The broker cannot be used"))]

    def compile(self, port: int, base: str = BASE, **changes: str) -> None:
        if self.kind == "arduino":
            source = CLIENTS / "arduino_pubsubclient" / "arduino_pubsubclient.ino"
            address = {'"192.168.1.10"': '"127.0.0.1"', "PORT = 1883": f"PORT = {port}"}
            names = {'"facegate"': f'"{base}"', '"porch"': f'"{self.camera}"'}
            times = {
                "INTERVAL = 5000, DEADLINE = 30000, FIRST_PAUSE = 2500, LONGEST_PAUSE = 10000": "INTERVAL = 10, "
                "DEADLINE = 20000, FIRST_PAUSE = 300, LONGEST_PAUSE = 1000",
                "reconnect_pause(1000, 30000)": "reconnect_pause(200, 500)",
            }
            programs = [f"-I{HOST}/arduino", f'-DSKETCH="{self._folder}/client.cpp"', f"{HOST}/arduino/main.cpp"]
        else:
            source = CLIENTS / "esp_idf" / "main" / "main.cpp"
            address = {"mqtt://192.168.1.10:1883": f"mqtt://127.0.0.1:{port}"}
            names = {'*kBase = "facegate"': f'*kBase = "{base}"', '"porch"': f'"{self.camera}"'}
            times = {
                "kInterval = 5000, kDeadline = 30000, kFirstPause = 2500, kLongestPause = 10000": "kInterval = 10, "
                "kDeadline = 20000, kFirstPause = 300, kLongestPause = 1000"
            }
            programs = [f"-I{HOST}/esp_idf", f"{self._folder}/client.cpp", f"{HOST}/esp_idf/host_main.cpp"]
        text = source.read_text()
        for old, new in (address | names | times | changes).items():
            assert old in text, old
            text = text.replace(old, new)
        (self._folder / "client.cpp").write_text(text)
        folders = [f"-I{HOST}", f"-I{CLIENTS}/arduino_pubsubclient"]
        result = ["-o", f"{self._folder}/client", "-lmosquitto", "-lpthread"]
        command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", *folders, *programs, *result]
        subprocess.run(command, check=True, timeout=300)

    @contextmanager
    def running(self, *pictures: str) -> Iterator[None]:
        paths = ":".join(str(FRAMES / f"{picture}.jpg") for picture in pictures)
        environment = os.environ | {"FACEGATE_TEST_PICTURES": paths, "FACEGATE_TEST_FOLDER": str(self._folder)}
        process = subprocess.Popen([self._folder / "client"], stdout=subprocess.PIPE, env=environment, text=True)
        assert process.stdout is not None
        output = process.stdout
        reader = threading.Thread(target=lambda: self.lines.extend(map(str.rstrip, iter(output.readline, ""))))
        reader.start()
        try:
            yield
        finally:
            process.kill()
            process.wait()
            reader.join()
            output.close()


@pytest.fixture(params=["arduino", "esp_idf"])
def firmware(request: pytest.FixtureRequest, tmp_path: Path) -> Firmware:
    return Firmware(request.param, tmp_path)


def payloads(requests: list[ReceivedRequest]) -> dict[str, bytes]:
    """Return the payload of each request id. Pieces are put together, and each repetition must equal the first."""
    found: dict[str, dict[int, bytes]] = {}
    for request in requests:
        part = int(request.levels[1]) if request.levels[0] == "part" else 0
        pieces = found.setdefault(request.levels[-1], {})
        assert pieces.setdefault(part, request.payload) == request.payload
    return {request_id: b"".join(pieces[n] for n in sorted(pieces)) for request_id, pieces in found.items()}


def is_last_piece(request: ReceivedRequest) -> bool:
    """Return whether this is a whole request, or the last piece of one."""
    levels = request.levels
    return levels[0] != "part" or int(levels[1]) == int(levels[2]) - 1


def after_the_last_piece(answering: Answering) -> Answering:
    """Answer after the last piece only, as the gateway does."""
    return lambda request: answering(request) if is_last_piece(request) else []


def test_device_gets_verdicts_from_the_gateway(gateway: Gateway, broker: Broker, firmware: Firmware) -> None:
    """The operations of this camera are those of any camera: nothing is configured for it."""
    firmware.compile(broker.port, "facegate")
    with firmware.running("obama_1", "empty_1"):
        wait_for(lambda: len(firmware.verdicts) >= 2)
    known, empty = firmware.verdicts[:2]
    if firmware.kind == "arduino":
        # The lamp follows the verdict.
        assert [line for line in firmware.lines if line.startswith("pin")][:2] == ["pin 4 high", "pin 4 low"]
    assert known.startswith("match ")
    assert known.endswith(" barack_obama")
    assert empty == "no_face"


def test_device_repeats_a_request_until_a_verdict(broker: Broker, firmware: Firmware) -> None:
    firmware.compile(broker.port)
    picture = frame("obama_1")
    pieces = -(-len(picture) // PIECE_BYTES) if firmware.kind == "esp_idf" else 1
    replies: list[list[FakeReply]] = [[], [BUSY], [INTERNAL], [INCOMPLETE], [MATCH]]
    answer = after_the_last_piece(lambda request: replies[min(request.again, 4)])
    with run_fake_gateway(broker, answer, BASE) as gateway, firmware.running("obama_1"):
        wait_for(lambda: firmware.verdicts)
        first_id = gateway.requests[0].levels[-1]
        first = [request for request in gateway.requests if request.levels[-1] == first_id]
    assert firmware.verdicts[0] == "match 1 joe"
    assert payloads(first) == {first_id: picture}
    assert len(first) >= 5 * pieces


def test_device_waits_as_long_as_busy_says(broker: Broker, firmware: Firmware) -> None:
    """The first pause is longer than the deadline: only `busy` can cause the repetition."""
    first, longest = (
        ("FIRST_PAUSE", "LONGEST_PAUSE") if firmware.kind == "arduino" else ("kFirstPause", "kLongestPause")
    )
    pauses = f"{first} = 300, {longest} = 1000"
    firmware.compile(broker.port, **{pauses: f"{first} = 60000, {longest} = 60000"})
    answer = after_the_last_piece(lambda _: [BUSY])
    with run_fake_gateway(broker, answer, BASE) as gateway, firmware.running("biden_1"):
        wait_for(lambda: any(is_last_piece(request) and request.again for request in gateway.requests))
    again = next(request for request in gateway.requests if is_last_piece(request) and request.again)
    sent = next(request for request in gateway.requests if request.topic == again.topic)
    assert again.at - sent.at >= 1


def test_each_picture_is_a_new_request(broker: Broker, firmware: Firmware) -> None:
    firmware.compile(broker.port)
    with run_fake_gateway(broker, lambda _: [MATCH], BASE) as gateway, firmware.running("obama_1", "biden_1"):
        wait_for(lambda: len(firmware.verdicts) >= 3)
        found = list(payloads(list(gateway.requests)))
    assert len(found) >= 3


def test_esp_idf_device_keeps_little_in_its_outbox(broker: Broker, tmp_path: Path) -> None:
    firmware = Firmware("esp_idf", tmp_path)
    firmware.compile(broker.port)
    with run_fake_gateway(broker, after_the_last_piece(lambda _: [MATCH]), BASE) as gateway:
        with firmware.running("obama_1"):
            wait_for(lambda: firmware.verdicts)
        assert gateway.requests
    largest = max(int(line.split()[1]) for line in firmware.lines if line.startswith("outbox"))
    # Below two pieces a further one is published.
    assert PIECE_BYTES <= largest < 3 * PIECE_BYTES < len(frame("obama_1"))


def test_device_publishes_its_status(broker: Broker, firmware: Firmware) -> None:
    firmware.compile(broker.port)
    watcher = Client(broker.port).subscribe(f"{BASE}/{firmware.camera}/status")
    with firmware.running("obama_1"):
        assert watcher.get().payload == b"online"
    # After a kill the broker publishes the last will.
    assert watcher.get().payload == b"offline"
    watcher.close()


def test_device_waits_for_a_broker_and_survives_its_restart(firmware: Firmware, tmp_path: Path) -> None:
    """No broker runs at the start. The first request gets no answer before the broker restarts."""
    port, away = free_port(), threading.Event()
    firmware.compile(port)
    with firmware.running("obama_1"), broker_running(tmp_path, port) as own:

        def restart() -> None:
            own.stop()
            own.start()
            away.set()

        restarts: list[threading.Thread] = []

        def answer(request: ReceivedRequest) -> list[FakeReply]:
            if not restarts:
                restarts.append(threading.Thread(target=restart))
                restarts[0].start()
            return [MATCH] if away.is_set() else []

        with run_fake_gateway(own, answer, BASE):
            wait_for(lambda: firmware.verdicts)
            restarts[0].join()
    assert "match 1 joe" in firmware.verdicts


def test_device_gives_up_at_the_deadline(broker: Broker, firmware: Firmware) -> None:
    name = "DEADLINE" if firmware.kind == "arduino" else "kDeadline"
    firmware.compile(broker.port, **{f"{name} = 20000": f"{name} = 700"})
    with firmware.running("obama_1"):
        wait_for(lambda: firmware.verdicts)
    assert firmware.verdicts[0] == "no verdict"


def test_device_uses_tls_and_a_login_with_the_shipped_acl(firmware: Firmware, tmp_path: Path) -> None:
    """The certificate is for ``localhost``: a device that asked 127.0.0.1 would refuse it."""
    camera = firmware.camera
    with secure_broker_running(tmp_path, [camera]) as secure:
        authority = f'R"({secure.ca.read_text()})"'
        if firmware.kind == "arduino":
            login = {"USER = nullptr, *const PASSWORD = nullptr": f'USER = "{camera}", *const PASSWORD = "{camera}"'}
            tls = {"CA_CERTIFICATE = nullptr": f"CA_CERTIFICATE = {authority}", '"127.0.0.1"': '"localhost"'}
        else:
            login = {"kUser = nullptr, *kPassword = nullptr": f'kUser = "{camera}", *kPassword = "{camera}"'}
            address = {"mqtt://127.0.0.1": "mqtts://localhost"}
            tls = {"kCaCertificate = nullptr": f"kCaCertificate = {authority}", **address}
        firmware.compile(secure.broker.port, "facegate", **login, **tls)
        gateway = secure.connect("facegate").subscribe("facegate/+/request/#").subscribe("facegate/+/part/#")
        with firmware.running("obama_1"):
            request_id = gateway.get(60).topic.split("/")[-1]
            gateway.publish(f"facegate/{camera}/verdict/{request_id}", b"match 1 joe")
            wait_for(lambda: firmware.verdicts)
        gateway.close()
    assert firmware.verdicts[0] == "match 1 joe"


@pytest.mark.skipif(
    shutil.which("xtensa-lx106-elf-g++") is None,
    reason="the compiler is not installed: sudo apt-get install gcc-xtensa-lx106 picolibc-xtensa-lx106-elf",
)
def test_protocol_header_is_small_on_the_processor_of_the_boards(tmp_path: Path) -> None:
    """The compiler of Debian is for the ESP8266, whose processor is of the family of the ESP32's."""
    source, program = tmp_path / "board.cpp", tmp_path / "board.o"
    source.write_text(
        '#include "facegate_device.h"\nusing namespace facegate;\n'
        'Request request("facegate", "porch", Pause(2500, 10000), 30000);\n'
        "void begin(uint32_t now) { request.begin(now); request.record_sent(now, 7); }\n"
        "bool is_due(uint32_t now) { return request.is_due(now); }\n"
        "void take(const char *topic, const char *text) { request.take_message(topic, text, 5, 1, 2); }\n"
        "bool is_better_later(const char *text) { return *hint(text) != 0 && score(text) < 1 && *person(text) == 0; }\n"
    )
    options = ["-std=c++11", "-Os", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    header = f"-I{CLIENTS}/arduino_pubsubclient"
    subprocess.run(["xtensa-lx106-elf-g++", *options, header, "-c", source, "-o", program], check=True, timeout=300)
    sizes = subprocess.run(["xtensa-lx106-elf-size", program], capture_output=True, text=True, check=True, timeout=60)
    code, constants, variables = map(int, sizes.stdout.splitlines()[1].split()[:3])
    assert code < 2048
    assert constants + variables < 256


def test_protocol_header_is_plain_cpp11(tmp_path: Path) -> None:
    """The compilers of older Arduino cores know no later C++, and conversions that lose bits are errors there too."""
    source = tmp_path / "header.cpp"
    source.write_text('#include "facegate_device.h"\nint main() {}\n')
    command = ["g++", "-std=c++11", "-fsyntax-only", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
    subprocess.run([*command, f"-I{CLIENTS}/arduino_pubsubclient", source], check=True, timeout=300)


VERDICTS = {
    "match 0.83 barack_obama": "1 0.83 barack_obama -",
    "unknown": "0 0.00 - -",
    "unknown turned": "0 0.00 - turned",
    "ambiguous blurred": "0 0.00 - blurred",
    "no_face too_dark": "0 0.00 - too_dark",
    "unknown undecided": "0 0.00 - undecided",
    "turned": "0 0.00 - turned",
    "error internal": "0 0.00 - -",
    "matched 1 joe": "0 0.00 - -",
    "": "0 0.00 - -",
}


def test_verdict_texts_are_read_as_the_gateway_writes_them(tmp_path: Path) -> None:
    source = tmp_path / "texts.cpp"
    source.write_text(
        '#include "facegate_device.h"\nusing namespace facegate;\n'
        'const char *or_dash(const char *text) { return *text ? text : "-"; }\n'
        "int main(int count, char **texts) {\n  for (int n = 1; n < count; ++n)\n"
        '    printf("%d %.2f %s %s\\n", is_match(texts[n]), score(texts[n]), or_dash(person(texts[n])), '
        "or_dash(hint(texts[n])));\n}\n"
    )
    program = tmp_path / "texts"
    subprocess.run(["g++", f"-I{CLIENTS}/arduino_pubsubclient", source, "-o", program], check=True, timeout=300)
    done = subprocess.run([program, *VERDICTS], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == list(VERDICTS.values())
