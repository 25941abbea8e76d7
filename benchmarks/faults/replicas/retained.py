"""The retained messages at the end of a run: the broker must have what the store says, and nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping
from queue import Empty, SimpleQueue

from benchmarks.faults.load import BASE
from device_sim.connection import Broker, Connection

QUIET_S = 1.0
"""Time without a further message after which the broker has sent all retained ones."""
SETTLE_TIMEOUT_S = 30.0


def read_retained(port: int) -> Mapping[str, str]:
    """Return the retained messages below ``<base>/``, by their topics without it."""
    inbox: SimpleQueue[tuple[str, bytes]] = SimpleQueue()

    def receive(topic: str, payload: bytes, _correlation: bytes | None) -> None:
        inbox.put((topic, payload))

    found: dict[str, str] = {}
    filters = [(f"{BASE}/{topic}", 1) for topic in ("bridge/#", "+/present", "+/state")]
    with Connection(Broker(port=port), "bench-retained", filters=filters, receive=receive):
        try:
            while True:
                topic, payload = inbox.get(timeout=QUIET_S)
                found[topic.removeprefix(f"{BASE}/")] = payload.decode(errors="replace")
        except Empty:
            return found


def wait_until_right(port: int, people: Collection[str], cameras: Collection[str], replicas: int) -> list[str]:
    """Return what is wrong with the retained messages, at most SETTLE_TIMEOUT_S after the call.

    ``people``: the ids of all enrolled people. ``cameras``: the live cameras. ``replicas``: their number.
    """
    end = time.monotonic() + SETTLE_TIMEOUT_S
    while True:
        wrong = list(find_wrong(read_retained(port), people, cameras, replicas))
        if not wrong or time.monotonic() > end:
            return wrong
        time.sleep(1)


def find_wrong(
    retained: Mapping[str, str], people: Collection[str], cameras: Collection[str], replicas: int
) -> Iterator[str]:
    """Yield what is wrong with the retained messages."""
    if _state(retained.get("bridge/state", "")) != "online":
        yield f"bridge/state: expected online, found {retained.get('bridge/state')}"
    online = [topic for topic, text in retained.items() if _is_replica(topic) and _state(text) == "online"]
    if len(online) != replicas:
        yield f"bridge/replica/+: expected {replicas} that are online, found {len(online)}"
    told = {topic.rpartition("/")[2] for topic, text in retained.items() if topic.startswith("bridge/person/") and text}
    yield from (f"bridge/person/{each} is missing" for each in {*people} - told)
    yield from (f"bridge/person/{each} is of nobody who is enrolled" for each in told - {*people})
    for kind in ("present", "state"):
        yield from (f"{each}/{kind} is missing" for each in cameras if not retained.get(f"{each}/{kind}"))


def _is_replica(topic: str) -> bool:
    return topic.startswith("bridge/replica/") and topic.count("/") == 2


def _state(text: str) -> object:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document.get("state") if isinstance(document, dict) else None
