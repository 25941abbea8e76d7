"""The search of the leader for cameras that no replica owns yet."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable

from gateway.config import MqttSettings
from gateway.errors import StartError
from gateway.metrics import Metrics
from gateway.mqtt.cluster.place import Place
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.ledger import Delivery, Ledger
from gateway.mqtt.transport.protocol_choice import ProtocolChoice
from gateway.mqtt.transport.session import Session

log = logging.getLogger(__name__)

LISTEN_S = 1.0
"""Time for which the leader listens to the frames of all cameras."""

INTERVAL_S = 15.0
"""Time from one look to the next one."""


class CameraFinder:
    """The thread that listens to the frames of all cameras for a moment, again and again, while this replica leads.

    ``note_topic``: called with the topic of each frame, in paho's thread.
    """

    # MQTT cannot thin out a subscription, and on the connection for frames each frame of an own camera would come
    # twice. So a look has a connection of its own.

    def __init__(
        self, settings: MqttSettings, client_id: str, frames: str, place: Place, note_topic: Callable[[str], None]
    ) -> None:
        """``frames``: the filter of the frames of all cameras."""
        self._settings = settings
        self._client_id = client_id
        self._frames = frames
        self._place = place
        self._note_topic = note_topic
        self._metrics = Metrics()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera finder")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and a look that is under way."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        """Look now: this replica leads since a moment ago."""
        self._woken.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            if self._place.is_leader:
                try:
                    self._look()
                except (OSError, ValueError, StartError) as error:
                    log.info("new cameras cannot be found now: %s", error)
                # Even a bug in the gateway must not end this thread.
                except Exception:
                    log.exception("a bug in the gateway: new cameras cannot be found")
            if not self._stopping.is_set():
                self._woken.wait(INTERVAL_S)

    def _look(self) -> None:
        spec = ConnectionSpec(f"{self._client_id}-finder-{secrets.token_hex(12)}", [(self._frames, 0)])
        protocol = ProtocolChoice("5").next
        session = Session(
            self._settings, protocol, spec, Ledger(), self._metrics, on_up=_do_nothing, on_message=self._receive
        )
        session.open()
        try:
            self._stopping.wait(LISTEN_S)
        finally:
            session.close()

    def _receive(self, delivery: Delivery[Session]) -> None:
        # A retained frame may be of a camera that was removed long ago.
        if not delivery.received.retained:
            self._note_topic(delivery.received.topic)


def _do_nothing(_session: Session) -> None:
    pass
