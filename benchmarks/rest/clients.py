"""HTTP clients in a process of their own: ``python -m benchmarks.rest.clients`` reads a task, and prints the result.

Each client has an address of its own. It sends a picture as the form field ``file``, as
``requests.post(url, files=…)`` does, and sends the next one as soon as it has the answer. If the server is busy, the
client waits as long as ``Retry-After`` says and sends the picture again. Its latency then includes the wait.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

from benchmarks.rest.setup import PICTURES, ROOT

TIMEOUT_S = 120.0
BOUNDARY = "edge"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass(frozen=True, slots=True)
class ClientsTask:
    """``clients``: their number. ``seconds``: the time in which requests are sent. Each answer counts, however late."""

    port: int
    clients: int
    seconds: float


@dataclass(slots=True)
class ClientsResult:
    """``seconds``: the time from the first request to the last answer. ``latencies``: seconds from the first time that
    a picture was sent to the answer with status 200. ``codes``: the number of answers by status, without ``busy``: the
    answers that asked for another try.
    """

    seconds: float
    busy: int = 0
    latencies: list[float] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)


def form_of(picture: bytes) -> bytes:
    """Return the body of a request."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="picture.jpg"\r\n\r\n'
    return head.encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()


def run_clients(task: ClientsTask) -> ClientsResult:
    """Run the clients in threads."""
    lock = threading.Lock()
    codes: Counter[str] = Counter()
    latencies: list[float] = []
    busy = itertools.count()
    bodies = [form_of(picture.read_bytes()) for picture in PICTURES]
    begun = time.monotonic()
    end = begun + task.seconds

    def run(number: int) -> None:
        address = f"127.0.{1 + number // 250}.{1 + number % 250}"
        connection = HTTPConnection("127.0.0.1", task.port, timeout=TIMEOUT_S, source_address=(address, 0))
        # The clients begin with different pictures.
        for body in itertools.islice(itertools.cycle(bodies), number % len(bodies), None):
            sent = time.monotonic()
            if sent >= end:
                break
            code, retry_after_s = _ask(connection, body)
            while retry_after_s and time.monotonic() < end + TIMEOUT_S:
                next(busy)
                time.sleep(retry_after_s)
                code, retry_after_s = _ask(connection, body)
            with lock:
                codes[code] += 1
                if code == "200":
                    latencies.append(time.monotonic() - sent)
        connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(task.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ClientsResult(time.monotonic() - begun, next(busy), latencies, dict(codes))


def ask_in_process(task: ClientsTask) -> ClientsResult:
    """Run the clients in a process of their own."""
    command = [sys.executable, "-m", "benchmarks.rest.clients"]
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(asdict(task)), stdout=subprocess.PIPE, text=True, check=True
    )
    return ClientsResult(**json.loads(done.stdout))


def _ask(connection: HTTPConnection, body: bytes) -> tuple[str, float]:
    """Return the status, or the name of the error without an answer, and the seconds after which to ask again."""
    try:
        connection.request("POST", "/face_rec", body, {"Content-Type": CONTENT_TYPE})
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException) as error:
        # The next request opens the connection again.
        connection.close()
        return type(error).__name__, 0.0
    busy = answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    return str(answer.status), float(answer.headers.get("Retry-After", 0)) if busy else 0.0


if __name__ == "__main__":
    print(json.dumps(asdict(run_clients(ClientsTask(**json.load(sys.stdin))))))
