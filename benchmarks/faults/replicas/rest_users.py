"""Users of the REST interface: each asks any replica, and repeats a change with the same ``Idempotency-Key``."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.fetching import Reply
from benchmarks.faults.fleet import DEADLINE_S
from benchmarks.faults.history import EFFECTS, Answer, History, Sent
from benchmarks.faults.load import slug
from benchmarks.faults.replicas.load import ERASE_SHARE, record_change
from benchmarks.faults.replicas.people import People
from benchmarks.faults.replicas.site import Site

READ_SHARE = 0.5
REPEAT_DONE_SHARE = 0.3
"""Share of the changes that are sent again although they were answered: another replica must give the same reply."""
REQUEST_TIMEOUT_S = 10.0
PAUSE_RANGE_S = (0.1, 0.6)
RETRY_RANGE_S = (0.2, 1.0)
JSON_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A request over REST. ``token``, ``shown``: as in Sent."""

    key: str
    op: str
    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    shown: str | None = None


class RestUsers:
    """The users, each with a thread of its own."""

    def __init__(self, site: Site, people: People, history: History, rng: random.Random, *, users: int) -> None:
        self._site = site
        self._people = people
        self._history = history
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(f"rest{n}", random.Random(rng.getrandbits(64))), name=f"rest{n}")
            for n in range(users)
        ]

    def __enter__(self) -> RestUsers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the answers to the last requests."""
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def _run(self, user: str, rng: random.Random) -> None:
        while not self._closing.wait(rng.uniform(*PAUSE_RANGE_S)):
            request = self._choose(rng)
            answer = self._ask(user, request, rng)
            if answer is None or answer.code != "ok":
                continue
            if request.op in EFFECTS and rng.random() < REPEAT_DONE_SHARE:
                self._ask(user, request, rng, again=True)
            # Only now may others change the person: a repetition would get another reply then.
            record_change(self._people, request.op, request.token)

    def _choose(self, rng: random.Random) -> RestRequest:
        people, key = self._people, self._people.new_token()
        if rng.random() < READ_SHARE:
            shown = people.choose_shown()
            picture = people.picture_of(shown, key)
            return RestRequest(key, "face_rec", "POST", "/api/v1/recognise", picture, shown=shown)
        headers = {**JSON_HEADERS, "Idempotency-Key": key}
        token = people.take_oldest()
        if token is None:
            image = base64.b64encode(people.picture_of(key, key)).decode()
            body = json.dumps({"name": f"Bench {key}", "images": [image]}).encode()
            return RestRequest(key, "people/add", "POST", "/api/v1/people", body, headers, token=key)
        path = f"/api/v1/people/{slug(token)}"
        if rng.random() < ERASE_SHARE:
            return RestRequest(key, "people/erase", "POST", f"{path}/erase", b"{}", headers, token=token)
        return RestRequest(key, "people/remove", "DELETE", path, b"", headers, token=token)

    def _ask(self, user: str, request: RestRequest, rng: random.Random, *, again: bool = False) -> Answer | None:
        """Send a request, and again after a temporary error or without a reply. Return its final answer."""
        begun, key = time.monotonic(), (user, request.key)
        if again:
            self._history.record_repetition(key, begun)
        else:
            digest = hashlib.sha256(request.body).hexdigest()[:16]
            sent = Sent(key, request.op, digest, [begun], request.token, acked=True, shown=request.shown)
            self._history.record_request(sent)
        while True:
            reply = self._site.fetch(
                request.method, request.path, request.body, request.headers, wait=REQUEST_TIMEOUT_S
            )
            answer = None if reply is None else Answer(key, time.monotonic(), document=read_reply(reply))
            if answer is not None:
                self._history.record_answer(answer)
                if answer.final:
                    return answer
            if time.monotonic() > begun + DEADLINE_S:
                return None
            time.sleep(max(rng.uniform(*RETRY_RANGE_S), answer.retry_after if answer else 0.0))
            self._history.record_repetition(key, time.monotonic())


def read_reply(reply: Reply) -> Mapping[str, Any]:
    """Return the document of a reply, with the ``status`` that documents over MQTT have."""
    status, body = reply
    try:
        document = json.loads(body) if body else {}
    except ValueError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    if status < 300:
        return {**document, "status": "ok"}
    return {"code": f"http_{status}", **document, "status": "error"}
