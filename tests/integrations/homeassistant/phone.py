"""A phone with the app of Home Assistant: it gets notifications, and presses their buttons."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.integrations.homeassistant.real import RealHomeAssistant
from tests.support import WAIT_S, wait_for

# The reply of the service that passes notifications on to phones.
DELIVERED = b'{"rateLimits":{"successful":1,"errors":0,"maximum":500,"resetsAt":"2100-01-01T00:00:00Z"}}'


class Phone:
    """A phone. ``device``: its id in Home Assistant."""

    def __init__(self, homeassistant: RealHomeAssistant, url: str, notifications: queue.SimpleQueue[Any]) -> None:
        self._homeassistant = homeassistant
        self._notifications = notifications
        registration = homeassistant.post(
            "mobile_app/registrations",
            app_id="test",
            app_name="Test",
            app_version="1",
            device_name="My phone",
            device_id="1",
            manufacturer="Test",
            model="Test",
            os_name="Test",
            os_version="1",
            supports_encryption=False,
            app_data={"push_token": "token", "push_url": url},
        )
        self._webhook = registration["webhook_id"]
        wait_for(lambda: "mobile_app_my_phone" in homeassistant.get("services").__repr__())
        self.device = homeassistant.render("{{ device_id('My phone') }}")

    def get(self, but_not: str = "") -> Mapping[str, Any]:
        """Return the next notification with another message than this one."""
        found: Mapping[str, Any] = self._notifications.get(timeout=WAIT_S)
        return found if found["message"] != but_not else self.get(but_not)

    def has_notification(self, seconds: float = 0) -> bool:
        """Return whether there is a notification, or one comes within this time."""
        end = time.monotonic() + seconds
        while self._notifications.empty() and time.monotonic() < end:
            time.sleep(0.02)
        return not self._notifications.empty()

    def press(self, button: str, **answer: str) -> None:
        """Press a button of a notification. ``reply_text``: the text that was written."""
        self._homeassistant.post(
            f"webhook/{self._webhook}",
            type="fire_event",
            data={"event_type": "mobile_app_notification_action", "event_data": {"action": button, **answer}},
        )


@contextmanager
def phone_of(homeassistant: RealHomeAssistant) -> Iterator[Phone]:
    """Register a phone at Home Assistant, and receive its notifications."""
    notifications: queue.SimpleQueue[Any] = queue.SimpleQueue()

    class PushService(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            notifications.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(DELIVERED)

        def log_message(self, *_arguments: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), PushService) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Phone(homeassistant, f"http://127.0.0.1:{server.server_port}/", notifications)
        finally:
            server.shutdown()
