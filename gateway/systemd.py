"""Tells systemd, where it started us, how we are: what sd_notify(3) does, whose protocol is a datagram of lines."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable

from gateway.health import Health

log = logging.getLogger(__name__)

LOOK_S = 1.0

TELL_S = 1.0
"""For systemd to take a message. It holds up nobody else, but the gateway's end waits for it."""


class SystemdNotifier:
    """Ready when the gateway first is; alive for as long as it says so: else systemd restarts it."""

    def __init__(self, health: Callable[[], Health]) -> None:
        self._health = health
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._told = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor")

    def start(self) -> None:
        if self._address:
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
            self._tell("STOPPING=1")

    def _watch(self) -> None:
        told = ""
        while not self._stopping.wait(LOOK_S):
            health = self._health()
            status = _status(health)
            lines = [*(["WATCHDOG=1"] if health.live else []), *(["READY=1"] if health.ready else [])]
            if status != told:
                log.info("%s", status)
                told = status
            self._tell(*lines, f"STATUS={status}")

    def _tell(self, *lines: str) -> None:
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(TELL_S)
                sock.connect(address)
                sock.sendall("\n".join(lines).encode())
                self._told = True
        except OSError as error:
            if self._told:
                log.warning("systemd cannot be told how we are: %s", error)
            self._told = False


def _status(health: Health) -> str:
    if health.ready:
        return "ready"
    missing = [
        *([] if health.mqtt.connected else ["no broker"]),
        *(
            []
            if health.mqtt.loopback or not health.mqtt.connected
            else ["our own message is not back from the broker"]
        ),
        *([] if health.workers_ready else ["no worker"]),
        *([] if health.store else ["the store takes no change"]),
        *([] if health.known_faces.finished else ["known faces are read"]),
    ]
    return f"not ready: {', '.join(missing) or 'a thread does not answer'}"
