"""A connection to the broker that comes back by itself, under MQTT 5.0 or 3.1.1."""

from __future__ import annotations

import logging
import random
import ssl
import threading
import time
from collections.abc import Callable
from functools import partial

from paho.mqtt.enums import MQTTProtocolVersion

from gateway.config import MqttSettings
from gateway.errors import AnotherGateway, GatewayError, StartError
from gateway.metrics import Metrics
from gateway.mqtt.transport.ledger import Delivery, Ledger
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import ASSUMED_RECEIVE_MAXIMUM, MAX_MQTT_PACKET_BYTES, ConnectionSpec, Session

log = logging.getLogger(__name__)

RETRY_PAUSES_S = (0.5, 6.0)
"""Between two tries to come back: doubled from the first to the second, and each a random part shorter, so that not
everybody comes at once."""

TICK_INTERVAL_S = 0.5
MAX_TICK_AGE_S = 60.0
"""Without a tick. To look up the broker's name in vain takes half a minute (resolv.conf(5): three servers, twice)."""

SHORT_CONNECTION_S = 3.0
MAX_SHORT_CONNECTIONS = 5
"""So many connections in a row that were closed so soon: somebody else has our client id. Of two who have, it is the
first that is thrown out, with no word of why (mosquitto 2.0)."""

_PROTOCOLS = {
    "auto": (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311),
    "5": (MQTTProtocolVersion.MQTTv5,),
    "3.1.1": (MQTTProtocolVersion.MQTTv311,),
}
_WRONG_PROTOCOL = "Unsupported protocol version"
_TEMPORARY_REFUSALS = frozenset({"Server unavailable", "Server busy", "Quota exceeded", "Connection rate exceeded"})
"""Refusals that pass without anybody doing something (MQTT 5.0, 3.2.2.2)."""


class NotYet(Exception):
    """It is too early to connect: something else that it needs, and that is waited for, is not there."""


class Reconnector:
    """``kind`` is asked for each time that a link is made, and may raise NotYet; ``on_tick`` is called twice a second
    while one stands; ``on_down``, when one that stood has ended, tells whether it is known why.

    ``on_fatal`` is told what only a person can mend.
    """

    def __init__(
        self,
        settings: MqttSettings,
        spec: Callable[[], ConnectionSpec],
        metrics: Metrics,
        *,
        on_up: Callable[[Session], None],
        on_message: Callable[[Delivery[Session]], None],
        on_tick: Callable[[Session], None] = lambda _session: None,
        on_down: Callable[[], bool] = lambda: False,
        on_fatal: Callable[[GatewayError], None] = lambda _error: None,
    ) -> None:
        self._settings = settings
        self._spec = spec
        self._on_tick = on_tick
        self._on_down = on_down
        self._on_fatal = on_fatal
        self._protocols = list(_PROTOCOLS[settings.protocol])
        self._without_five = False
        """Whether MQTT 5 was refused, or met with silence twice. A broker that only hung up may have been about to
        start, one that was silent once may have stood still just then.
        """
        self._silent = False
        """Whether it was met with silence when it was asked for last."""
        self._metrics = metrics
        self.ledger: Ledger[Session] = Ledger()
        self._make = partial(Session, ledger=self.ledger, metrics=metrics, on_up=on_up, on_message=on_message)
        self.receive_maximum = ASSUMED_RECEIVE_MAXIMUM
        """Messages that the broker takes at once, as it said when it was there last."""
        self.max_packet_bytes = MAX_MQTT_PACKET_BYTES
        """Of the largest packet that it takes."""
        self._session: Session | None = None
        self._first: StartError | None = None
        self._farewell: Publication | None = None
        self._tried = threading.Event()
        self._stopping = threading.Event()
        self._ticked = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="mqtt")

    @property
    def session(self) -> Session | None:
        """The newest one, which may not stand yet, or any more."""
        return self._session

    @property
    def connected(self) -> bool:
        return self._session is not None and self._session.connected

    @property
    def alive(self) -> bool:
        """Whether the thread that keeps it ticks: it need not be connected."""
        if self._thread.ident is None:
            return True  # not begun yet
        return self._thread.is_alive() and time.monotonic() < self._ticked + MAX_TICK_AGE_S

    def start(self) -> None:
        """Returns when connected, or when no broker can be reached: it is waited for. Raises StartError if one refuses
        us, since waiting would not help.
        """
        self._thread.start()
        self._tried.wait()
        if self._first is not None:
            raise self._first

    @property
    def pending(self) -> int:
        """Messages that the broker has not said it has."""
        return self._session.pending if self._session is not None else 0

    def answer(self, delivery: Delivery[Session], *replies: Publication) -> None:
        """The first answer counts. Without a connection the broker delivers what it is to again."""
        session = self.ledger.answer(delivery, replies)
        if session is not None:
            for reply in replies:
                session.publish(reply, delivery)

    def reconnect(self) -> None:
        """Begins a new connection: with this one something is wrong."""
        if self._session is not None and not self._session.abort():
            self._on_fatal(GatewayError("the connection's thread does not end"))

    def stop(self, farewell: Publication | None = None) -> None:
        """End the connection; ``farewell`` is its last message, if there is a link that said anything.

        Only the connection's own thread opens, uses and closes links. A stop that closed a link from another thread
        could come between its CONNACK and its first messages, which then were the last ones: `online` for ever.
        """
        self._farewell = farewell
        self._stopping.set()
        if (session := self._session) is not None:
            session.interrupt()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _run(self) -> None:
        try:
            self._connect_until_stopped()
        finally:
            # ``start`` waits for it, also where the stop came first.
            self._tried.set()

    def _connect_until_stopped(self) -> None:
        pause, short = RETRY_PAUSES_S[0], 0
        while not self._stopping.is_set():
            self._ticked = time.monotonic()
            try:
                stood = self._one()
            except NotYet:  # no connection was asked for: nobody has to be spared
                self._tried.set()
                self._stopping.wait(RETRY_PAUSES_S[0])
                continue
            lasted = stood is not None and stood > SHORT_CONNECTION_S
            explained = stood is not None and self._on_down()
            pause = RETRY_PAUSES_S[0] if lasted else min(2 * pause, RETRY_PAUSES_S[1])
            short = 0 if stood is None or lasted else short + (not explained)
            if short == MAX_SHORT_CONNECTIONS and not self._stopping.is_set():
                self._on_fatal(
                    StartError(
                        f"The broker at {self._where} closes the connection again and again. Most likely another client"
                        f" has our client id, {self._spec().client_id} (mqtt.client_id)."
                    )
                )
            self._stopping.wait(pause * random.uniform(0.5, 1))

    def _one(self) -> float | None:
        """One connection, until it ends: for how long it stood; None if it never did. Raises NotYet."""
        protocol = self._protocols[0]
        try:
            spec = self._spec()
            if self._stopping.is_set():  # meanwhile, for that may take its time
                raise NotYet
            self._session = session = self._make(self._settings, protocol, spec)
            session.open()
        except AnotherGateway as error:
            self._another(error)
            return None
        except (OSError, ValueError) as error:  # ValueError: a host that cannot be one
            self._unreachable(error)
            return None
        except StartError as error:
            self._refused(error)
            return None
        if not session.was_connected:
            self._turned_away(session)
            return None
        if session.is_mqtt5 or self._without_five:
            self._protocols = [protocol]
        else:
            self._protocols.sort(reverse=True)  # MQTT 5 is asked for first again
        self.receive_maximum, self.max_packet_bytes = session.receive_maximum, session.max_packet_bytes
        return self._keep(session)

    def _keep(self, session: Session) -> float:
        log.info("connected to the broker at %s, MQTT %s", self._where, session.version)
        began = time.monotonic()
        self._tried.set()
        # In this order: a stop that did not see this link yet, and so cannot interrupt it, is seen here.
        while not self._stopping.is_set() and not session.wait(TICK_INTERVAL_S):
            self._ticked = time.monotonic()
            try:
                self._on_tick(session)
            except Exception:
                log.exception("what is due now and then failed")
                self._metrics.count("callback_failures")
        if self._stopping.is_set():
            session.close(self._farewell)
        else:
            session.abort()
            log.warning("the connection to the broker is lost (%s); trying again", session.reason)
            self._metrics.count("connections_lost")
        return time.monotonic() - began

    def _unreachable(self, error: Exception) -> None:
        told = f"No broker can be reached at {self._where}: {error} (mqtt.host, mqtt.port, mqtt.tls)."
        if isinstance(error, ssl.SSLCertVerificationError):
            self._refused(StartError(told))
        elif not self._tried.is_set():
            log.warning("%s It is waited for.", told)
        self._tried.set()

    def _turned_away(self, session: Session) -> None:
        """Some hang up on MQTT 5 without a word, amqtt falls silent: then it is tried with 3.1.1."""
        silent = session.refusal is None
        if session.is_mqtt5:
            self._without_five = not silent or (not session.broker_spoke and self._silent)
            self._silent = not session.broker_spoke
        if self._stopping.is_set():
            # In order, for the broker may have let us in: cut off, it would publish the last will in a place where
            # another gateway may be online.
            session.close(self._farewell)
            return
        session.abort()
        if len(self._protocols) > 1 and (silent or session.refusal == _WRONG_PROTOCOL):
            self._protocols.append(self._protocols.pop(0))
            if session.is_mqtt5:
                return  # the next try is the other one
        no = (
            "does not answer as an MQTT broker"
            if silent
            else f"refuses us: {session.refusal} (mqtt.user, mqtt.password)"
        )
        error = StartError(f"The broker at {self._where} {no}.")
        if not silent and session.refusal not in _TEMPORARY_REFUSALS:
            self._refused(error)
        elif not self._tried.is_set():
            log.warning("%s", error)
        self._tried.set()

    def _another(self, error: AnotherGateway) -> None:
        """Also when it is seen later only, since no broker was there at the start."""
        if self._tried.is_set():
            self._on_fatal(error)
            self._stopping.set()
        else:
            self._refused(error)

    def _refused(self, error: StartError) -> None:
        log.warning("%s", error)
        if not self._tried.is_set():
            self._first = error
            self._stopping.set()
        self._tried.set()
