"""Notifications to systemd about the gateway's state, if systemd started it.

The protocol is that of sd_notify(3): a datagram of lines to the socket that ``NOTIFY_SOCKET`` names.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable

from gateway.model.health import Health

log = logging.getLogger(__name__)

CHECK_INTERVAL_S = 1.0

SEND_TIMEOUT_S = 1.0
"""The longest time that systemd may take to accept a message. The gateway's shutdown waits for it."""


class SystemdNotifier:
    """A thread that reports to systemd each second.

    ``READY=1`` is sent when the gateway can answer requests, ``WATCHDOG=1`` as long as it is live. Without
    ``WATCHDOG=1`` systemd restarts the gateway.
    """

    def __init__(self, health: Callable[[], Health]) -> None:
        self._health = health
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._last_send_worked = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="systemd")

    def start(self) -> None:
        """Start the thread if systemd started the gateway."""
        if self._address:
            self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and report that the gateway is stopping."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
            self._send("STOPPING=1")

    def _watch(self) -> None:
        logged = ""
        while not self._stopping.wait(CHECK_INTERVAL_S):
            health = self._health()
            status = _status(health)
            lines = [*(["WATCHDOG=1"] if health.live else []), *(["READY=1"] if health.ready else [])]
            if status != logged:
                log.info("%s", status)
                logged = status
            self._send(*lines, f"STATUS={status}")

    def _send(self, *lines: str) -> None:
        """Send the lines. A failure is logged once, until a message is sent again."""
        # "@" stands for the NUL that begins the name of a socket outside the file system.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(SEND_TIMEOUT_S)
                sock.connect(address)
                sock.sendall("\n".join(lines).encode())
                self._last_send_worked = True
        except OSError as error:
            if self._last_send_worked:
                log.warning("the state cannot be reported to systemd: %s", error)
            self._last_send_worked = False


def _status(health: Health) -> str:
    if health.ready:
        return "ready"
    mqtt = health.mqtt
    missing = [
        *([] if mqtt.connected else ["no connection to the broker"]),
        *(["the loopback message did not come back from the broker"] if mqtt.connected and not mqtt.loopback else []),
        *([] if health.workers_ready else ["no worker process is ready"]),
        *([] if health.store else ["the people store accepts no changes"]),
        *([] if health.known_faces.finished else ["known faces are being imported"]),
    ]
    return f"not ready: {', '.join(missing) or 'a thread does not respond'}"
