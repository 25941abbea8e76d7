"""Single network faults, each with its own conditions."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from typing import Any

from benchmarks.faults.installation import Installation
from benchmarks.faults.load import SINGLE_FACE_FRAMES, with_comment
from benchmarks.faults.probe import Probe
from benchmarks.faults.proxy import Proxy
from device_sim.pictures import FRAMES

KEEPALIVE_S = 5
RECOVERY_LIMIT_S = 10.0
"""Longest time from the network's return until a new request is answered."""
HALF_OPEN_LIMIT_S = 2 * KEEPALIVE_S + 5.0
"""The same limit if the gateway notices the lost connection only by its keepalive."""
MAX_GROWTH_MB = 64.0
"""Largest allowed growth of the gateway's memory."""
PROBE_TIMEOUT_S = 90.0

HALF_OPEN_COUNT = 4
"""Repetitions, because the moment of the gateway's pings and the messages in flight vary."""
BROKER_STOP_S = 20.0
UNREADY_LIMIT_S = HALF_OPEN_LIMIT_S + 1
"""Time after which the gateway must have noticed that its broker does not answer."""
SLOW_NETWORK_S = 20.0
SLOW_BYTES_PER_S = 50_000


def run_network_cases(installation: Installation, proxies: dict[str, Proxy], probe: Probe) -> list[dict[str, Any]]:
    """Run all cases, and return their figures. Raises SimError."""
    return [
        broker_stopped(installation, probe),
        half_open(installation, proxies["gateway"], probe),
        slow_link(proxies["gateway"], probe),
    ]


def broker_stopped(installation: Installation, probe: Probe) -> dict[str, Any]:
    """Stop the broker with SIGSTOP: its connections stay open. REST must work, and /readyz must report the broker."""
    before = _rss_mb(installation)
    installation.broker.signal(signal.SIGSTOP)
    begun = time.monotonic()
    asked = served = alive = looks = 0
    unready: float | None = None
    most = before
    try:
        while (passed := time.monotonic() - begun) < BROKER_STOP_S:
            asked, served = asked + 1, served + _recognised(installation)
            looks, alive = looks + 1, alive + (installation.status("/healthz") == 200)
            if unready is None and installation.status("/readyz") == 503:
                unready = round(passed, 1)
            most = max(most, _rss_mb(installation))
            time.sleep(0.5)
    finally:
        installation.broker.signal(signal.SIGCONT)
    back = probe.until_served(PROBE_TIMEOUT_S)
    good = unready is not None and unready <= UNREADY_LIMIT_S and served == asked and alive == looks
    return {
        "case": f"broker stopped for {BROKER_STOP_S:.0f} s",
        "rest_asked": asked,
        "rest_served": served,
        "healthz_200": f"{alive} of {looks}",
        "readyz_503_after_s": unready,
        "rss_growth_mb": round(most - before, 1),
        "back_in_service_s": _rounded(back),
        "passed": good and most - before <= MAX_GROWTH_MB and back is not None and back <= RECOVERY_LIMIT_S,
    }


def half_open(installation: Installation, proxy: Proxy, probe: Probe) -> dict[str, Any]:
    """Lose connections without notice, as when a router forgets them. Raises SimError."""
    backs = []
    for _ in range(HALF_OPEN_COUNT):
        installation.wait_ready(PROBE_TIMEOUT_S)
        proxy.half_open()
        backs.append(probe.until_served(PROBE_TIMEOUT_S))
        if backs[-1] is None:
            break
    in_time = all(back is not None and back <= HALF_OPEN_LIMIT_S for back in backs)
    return {"case": "half-open connection", "back_in_service_s": [_rounded(back) for back in backs], "passed": in_time}


def slow_link(proxy: Proxy, probe: Probe) -> dict[str, Any]:
    """Limit the network to 50 kB/s: a picture takes more than a second, and pings wait behind it."""
    proxy.slow(SLOW_BYTES_PER_S)
    time.sleep(SLOW_NETWORK_S)
    proxy.mend()
    back = probe.until_served(PROBE_TIMEOUT_S)
    in_time = back is not None and back <= RECOVERY_LIMIT_S
    case = f"{SLOW_BYTES_PER_S // 1000} kB/s for {SLOW_NETWORK_S:.0f} s"
    return {"case": case, "back_in_service_s": _rounded(back), "passed": in_time}


def _recognised(installation: Installation) -> bool:
    picture = with_comment((FRAMES / SINGLE_FACE_FRAMES[0]).read_bytes(), os.urandom(8).hex())
    body = json.dumps({"file_format": "jpg", "image_data": base64.b64encode(picture).decode()}).encode()
    answer = installation.fetch("POST", "/face_rec", body, {"Content-Type": "application/json"}, wait=10)
    return answer is not None and answer[0] == 200


def _rss_mb(installation: Installation) -> float:
    return sum(each.rss_mb for each in installation.usages()[:1])


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
