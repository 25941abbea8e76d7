"""The reconnector: it connects to the broker, and connects again when a session ends, under MQTT 5.0 or 3.1.1.

The states of a connection. "At the first try" means that ``start`` still waits; it raises the error.

| state | event | next state |
| --- | --- | --- |
| idle | ``start`` | connecting |
| connecting | what the connection needs is missing (NotYet) | pausing, for RETRY_PAUSES_S[0], or until ``wake`` |
| connecting | the broker cannot be reached, or is busy | pausing |
| connecting | the broker does not answer as one, or does not speak the protocol | pausing, then the other protocol |
| connecting | the broker refuses the gateway, or its certificate is invalid, at the first try | stopped; an error |
| connecting | the same later | pausing |
| connecting | another gateway serves, at the first try | stopped; an error |
| connecting | the same later | stopped; ``on_fatal`` |
| connecting | the broker accepts the gateway | connected; ``on_up``, ``start`` returns |
| connected | every TICK_INTERVAL_S | connected; ``on_tick`` |
| connected | the session ends, or ``reconnect`` | pausing; ``on_down`` |
| pausing | the pause is over | connecting |
| pausing | MAX_SHORT_CONNECTIONS short sessions in a row ended, unexplained | pausing; ``on_fatal`` (SharedClientId) |
| connecting, connected, pausing | ``stop`` | stopped, after the farewell |

Pauses double from RETRY_PAUSES_S[0] to RETRY_PAUSES_S[1], and start again after a session that was not short.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from functools import partial

from gateway.config import MqttSettings
from gateway.errors import AnotherGateway, GatewayError, SharedClientId, StartError
from gateway.metrics import Metrics
from gateway.mqtt.transport import backoff
from gateway.mqtt.transport.backoff import Backoff
from gateway.mqtt.transport.connection_spec import ASSUMED_RECEIVE_MAXIMUM, ConnectionSpec
from gateway.mqtt.transport.ledger import Delivery, Ledger
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.protocol_choice import ProtocolChoice
from gateway.mqtt.transport.session import Session

log = logging.getLogger(__name__)

TICK_INTERVAL_S = 0.5
MAX_TICK_AGE_S = 60.0
"""Time without a tick after which the thread counts as stuck.

A failed look-up of a host name takes 30 s (resolv.conf(5): three servers, twice).
"""

_TEMPORARY_REFUSALS = frozenset({"Server unavailable", "Server busy", "Quota exceeded", "Connection rate exceeded"})
"""Refusals that end without anybody doing something (MQTT 5.0, 3.2.2.2)."""


class NotYet(Exception):
    """Raised when it is too early to connect, since the connection needs something that is not there yet."""


class Reconnector:
    """A lasting connection to the broker: a new session begins whenever one ends.

    ``make_spec`` is called before each session. It may raise NotYet, AnotherGateway, and the errors of a connection
    that cannot be opened. ``on_tick`` is called twice a second while a session lasts. ``on_down`` is called after a
    session, and returns whether it is known why it ended. ``on_fatal`` is called with an error that only a person can
    mend.
    """

    # Only the reconnector's own thread opens, uses and closes sessions. A stop that closed a session from another
    # thread could come between its CONNACK and its first messages. Then these were the last ones: `online` for ever.

    def __init__(
        self,
        settings: MqttSettings,
        make_spec: Callable[[], ConnectionSpec],
        metrics: Metrics,
        *,
        on_up: Callable[[Session], None],
        on_message: Callable[[Delivery[Session]], None],
        on_tick: Callable[[Session], None] = lambda _session: None,
        on_down: Callable[[], bool] = lambda: False,
        on_fatal: Callable[[GatewayError], None] = lambda _error: None,
    ) -> None:
        self._settings = settings
        self._make_spec = make_spec
        self._on_tick = on_tick
        self._on_down = on_down
        self._on_fatal = on_fatal
        self._metrics = metrics
        self.ledger: Ledger[Session] = Ledger()
        self._make_session = partial(Session, ledger=self.ledger, metrics=metrics, on_up=on_up, on_message=on_message)
        self._protocol = ProtocolChoice(settings.protocol)
        self._backoff = Backoff()
        self.receive_maximum = ASSUMED_RECEIVE_MAXIMUM
        """Messages in flight that the broker allowed in the last session."""
        self._session: Session | None = None
        self._client_id = self._need = ""
        self._has_named_need = False
        self._start_error: StartError | None = None
        self._farewell: Publication | None = None
        self._first_try_ended = threading.Event()
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._last_tick = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="mqtt")

    @property
    def session(self) -> Session | None:
        """The newest session, which may not be connected yet, or any more."""
        return self._session

    @property
    def connected(self) -> bool:
        return self._session is not None and self._session.connected

    @property
    def alive(self) -> bool:
        """True if the thread works, connected or not, or has not started yet."""
        if self._thread.ident is None:
            return True
        return self._thread.is_alive() and time.monotonic() < self._last_tick + MAX_TICK_AGE_S

    def start(self) -> None:
        """Start to connect, and return after the first try. The reconnector goes on trying if no broker can be reached.

        Raises StartError if the broker refuses the gateway, for then no other try helps.
        """
        self._thread.start()
        self._first_try_ended.wait()
        if self._start_error is not None:
            raise self._start_error

    def reconnect(self, reason: str = "") -> None:
        """Cut the session, so that a new one begins. ``reason``: one that lies in this gateway, in words."""
        if self._session is not None and not self._session.abort(reason):
            self._on_fatal(GatewayError("the thread of an MQTT connection does not end"))

    def wake(self) -> None:
        """Connect now, if the last try came too early (NotYet)."""
        self._woken.set()

    def stop(self, farewell: Publication | None = None) -> None:
        """End the connection. ``farewell`` is its last message, if there is a session that published any."""
        self._farewell = farewell
        self._stopping.set()
        self._woken.set()
        if (session := self._session) is not None:
            session.interrupt()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def _broker(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _run(self) -> None:
        try:
            self._connect_until_stopped()
        finally:
            # If the stop came before the first try, ``start`` is still waiting.
            self._first_try_ended.set()

    def _connect_until_stopped(self) -> None:
        while not self._stopping.is_set():
            self._last_tick = time.monotonic()
            try:
                lasted = self._run_session()
            except NotYet:
                # No CONNECT was sent, so the broker need not be spared.
                self._first_try_ended.set()
                self._woken.wait(backoff.RETRY_PAUSES_S[0])
                self._woken.clear()
                continue
            self._backoff.record_try(lasted, explained=lasted is not None and self._is_end_explained())
            if self._backoff.at_limit and not self._stopping.is_set():
                self._report_shared_client_id()
            self._stopping.wait(self._backoff.pause())

    def _is_end_explained(self) -> bool:
        is_explained = self._on_down()
        return is_explained or (self._session is not None and bool(self._session.cut_reason))

    def _run_session(self) -> float | None:
        """Run one session until it ends. Return the seconds that it lasted, or None if it never was connected.

        Raises NotYet.
        """
        try:
            spec = self._make_spec()
            # ``make_spec`` may have taken seconds, in which the reconnector was stopped.
            if self._stopping.is_set():
                raise NotYet
            self._client_id, self._need = spec.client_id, spec.need and f" {spec.need}"
            self._session = session = self._make_session(self._settings, self._protocol.next, spec)
            session.open()
        except AnotherGateway as error:
            self._handle_another_gateway(error)
            return None
        except (OSError, ValueError) as error:  # ValueError: a host that cannot exist
            self._handle_unreachable(error)
            return None
        except StartError as error:
            self._handle_error(error)
            return None
        if not session.was_connected:
            self._handle_refusal(session)
            return None
        self._protocol.record_connected(session)
        self.receive_maximum = session.receive_maximum
        return self._tick_until_end(session)

    def _tick_until_end(self, session: Session) -> float:
        log.info("connected to the broker at %s, MQTT %s", self._broker, "5.0" if session.is_mqtt5 else "3.1.1")
        began = time.monotonic()
        self._first_try_ended.set()
        # ``_stopping`` is checked first: a stop that came before this session existed could not interrupt its wait.
        while not self._stopping.is_set() and not session.wait_for_end(TICK_INTERVAL_S):
            self._last_tick = time.monotonic()
            try:
                self._on_tick(session)
            except Exception:
                log.exception("a periodic task of an MQTT connection failed")
                self._metrics.count("callback_failures")
        if self._stopping.is_set():
            session.close(self._farewell)
        else:
            session.abort()
            if session.cut_reason:
                log.warning("the connection to the broker is closed: %s", session.cut_reason)
            else:
                log.warning("the connection to the broker is lost (%s); trying again", session.end_reason)
            self._metrics.count("connections_lost")
        return time.monotonic() - began

    def _handle_unreachable(self, error: Exception) -> None:
        # An OSError shows its number and often its arguments too, which say nothing more.
        plain = isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.strerror
        text = (
            f"No broker can be reached at {self._broker}: {plain or error}. Start the broker, or correct mqtt.host,"
            " mqtt.port or mqtt.tls."
        )
        if isinstance(error, ssl.SSLCertVerificationError):
            self._handle_error(StartError(text))
        elif not self._first_try_ended.is_set():
            log.warning("%s The gateway keeps trying.", text)
        self._first_try_ended.set()

    def _handle_refusal(self, session: Session) -> None:
        """Try the other protocol, where the broker does not speak this one; otherwise report the refusal."""
        self._protocol.record_refused(session)
        if self._stopping.is_set():
            # The session is closed, not cut: the broker may have accepted the gateway. After a cut the broker publishes
            # the last will, on a topic where another gateway may be online.
            session.close(self._farewell)
            return
        session.abort()
        if self._protocol.switch(session):
            return
        is_silent, is_temporary = session.refusal is None, session.refusal in _TEMPORARY_REFUSALS
        advice = "The gateway keeps trying" if is_temporary else "Correct mqtt.user and mqtt.password"
        refusal = f"refuses the gateway: {session.refusal}. {advice}"
        silence = "does not answer as an MQTT broker: correct mqtt.host, mqtt.port or mqtt.tls"
        error = StartError(f"The broker at {self._broker} {silence if is_silent else refusal}.{self._need}")
        if not is_silent and not is_temporary:
            self._handle_error(error)
        elif not self._first_try_ended.is_set() or (self._need and not self._has_named_need):
            # A broker without MQTT 5 may be silent. Then only the need tells what is wrong.
            log.warning("%s", error)
            self._has_named_need = True
        self._first_try_ended.set()

    def _handle_another_gateway(self, error: AnotherGateway) -> None:
        # This comes later only if no broker could be reached at the start.
        if self._first_try_ended.is_set():
            self._on_fatal(error)
            self._stopping.set()
        else:
            self._handle_error(error)

    def _handle_error(self, error: StartError) -> None:
        """Log the error. At the first try it ends the start."""
        log.warning("%s", error)
        if not self._first_try_ended.is_set():
            self._start_error = error
            self._stopping.set()
        self._first_try_ended.set()

    def _report_shared_client_id(self) -> None:
        self._on_fatal(
            SharedClientId(
                f"The broker at {self._broker} closed {backoff.MAX_SHORT_CONNECTIONS} connections in a row. Most likely"
                f" another client has the client id {self._client_id} (mqtt.client_id): stop that client,"
                " or set another id."
            )
        )
