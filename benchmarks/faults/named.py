"""Faults that are looked at one by one, each with what must hold meanwhile."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from typing import Any

from benchmarks.faults.house import House
from benchmarks.faults.load import ONE_FACE, stamped
from benchmarks.faults.probe import Probe
from benchmarks.faults.proxy import Proxy
from device_sim.pictures import FRAMES

KEEPALIVE_S = 5
BACK_S = 10.0
"""The limit from the network's return until a fresh question is answered."""
HALF_OPEN_S = 2 * KEEPALIVE_S + 5.0
"""The same where the gateway is not told that its connection is dead, and finds out by its keepalive."""
GROWTH_MB = 64.0
"""By how much the gateway's memory may have grown at most, at any moment."""
GIVE_UP_S = 90.0

HALF_OPEN_TIMES = 4
"""The gateway's pings come at any moment, and what is under way differs."""
STOPPED_S = 20.0
UNREADY_S = HALF_OPEN_S + 1
"""After this the gateway must have noticed that its broker stands still."""
SLOW_S = 20.0
SLOW_RATE = 50_000


def named_cases(house: House, proxies: dict[str, Proxy], probe: Probe) -> list[dict[str, Any]]:
    return [
        broker_stopped(house, probe),
        half_open(house, proxies["gateway"], probe),
        slow_link(proxies["gateway"], probe),
    ]


def broker_stopped(house: House, probe: Probe) -> dict[str, Any]:
    """SIGSTOP: the connection stays, and nothing comes. REST must go on, and /readyz must say so."""
    before = _rss_mb(house)
    house.broker.signal(signal.SIGSTOP)
    begun = time.monotonic()
    asked = served = alive = looks = 0
    unready: float | None = None
    most = before
    try:
        while (passed := time.monotonic() - begun) < STOPPED_S:
            asked, served = asked + 1, served + _recognised(house)
            looks, alive = looks + 1, alive + (house.status("/healthz") == 200)
            if unready is None and house.status("/readyz") == 503:
                unready = round(passed, 1)
            most = max(most, _rss_mb(house))
            time.sleep(0.5)
    finally:
        house.broker.signal(signal.SIGCONT)
    back = probe.until_served(GIVE_UP_S)
    good = unready is not None and unready <= UNREADY_S and served == asked and alive == looks
    return {
        "case": f"broker stopped for {STOPPED_S:.0f} s",
        "rest_asked": asked,
        "rest_served": served,
        "healthz_200": f"{alive} of {looks}",
        "readyz_503_after_s": unready,
        "rss_growth_mb": round(most - before, 1),
        "back_in_service_s": _rounded(back),
        "passed": good and most - before <= GROWTH_MB and back is not None and back <= BACK_S,
    }


def half_open(house: House, proxy: Proxy, probe: Probe) -> dict[str, Any]:
    """The connection is dead and nobody is told, as when a router forgets it. Raises SimError."""
    backs = []
    for _ in range(HALF_OPEN_TIMES):
        house.wait_ready(GIVE_UP_S)
        proxy.half_open()
        backs.append(probe.until_served(GIVE_UP_S))
        if backs[-1] is None:
            break
    in_time = all(back is not None and back <= HALF_OPEN_S for back in backs)
    return {"case": "half-open connection", "back_in_service_s": [_rounded(back) for back in backs], "passed": in_time}


def slow_link(proxy: Proxy, probe: Probe) -> dict[str, Any]:
    """50 kB/s: a picture takes longer than a second, and pings wait behind it."""
    proxy.slow(SLOW_RATE)
    time.sleep(SLOW_S)
    proxy.mend()
    back = probe.until_served(GIVE_UP_S)
    in_time = back is not None and back <= BACK_S
    case = f"{SLOW_RATE // 1000} kB/s for {SLOW_S:.0f} s"
    return {"case": case, "back_in_service_s": _rounded(back), "passed": in_time}


def _recognised(house: House) -> bool:
    picture = stamped((FRAMES / ONE_FACE[0]).read_bytes(), os.urandom(8).hex())
    body = json.dumps({"file_format": "jpg", "image_data": base64.b64encode(picture).decode()}).encode()
    answer = house.fetch("POST", "/face_rec", body, {"Content-Type": "application/json"}, wait=10)
    return answer is not None and answer[0] == 200


def _rss_mb(house: House) -> float:
    return sum(each.rss_mb for each in house.usages()[:1])


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
