"""The choice between MQTT 5.0 and 3.1.1, for a broker that may not speak both."""

from __future__ import annotations

from typing import Literal

from paho.mqtt.enums import MQTTProtocolVersion

from gateway.mqtt.transport.session import Session

_PROTOCOLS = {
    "auto": (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311),
    "5": (MQTTProtocolVersion.MQTTv5,),
    "3.1.1": (MQTTProtocolVersion.MQTTv311,),
}
_WRONG_PROTOCOL = "Unsupported protocol version"


class ProtocolChoice:
    """Tries MQTT 5 first, and then the other version, until a session was connected."""

    def __init__(self, setting: Literal["auto", "5", "3.1.1"]) -> None:
        self._protocols = list(_PROTOCOLS[setting])
        # True if the broker refused MQTT 5, or did not answer to it twice. A broker that only closed the connection may
        # have been about to start. One that was silent once may have been stopped for a moment.
        self._refuses_mqtt5 = False
        self._was_silent_to_mqtt5 = False

    @property
    def next(self) -> MQTTProtocolVersion:
        return self._protocols[0]

    def record_connected(self, session: Session) -> None:
        """Keep this session's version. Try MQTT 5 first again if the broker may only have been starting."""
        if session.is_mqtt5 or self._refuses_mqtt5:
            self._protocols = [self.next]
        else:
            self._protocols.sort(reverse=True)

    def record_refused(self, session: Session) -> None:
        # Some brokers close the connection at a CONNECT of MQTT 5, and amqtt does not answer at all.
        if session.is_mqtt5:
            silent = not session.broker_answered
            self._refuses_mqtt5 = session.refusal is not None or (silent and self._was_silent_to_mqtt5)
            self._was_silent_to_mqtt5 = silent

    def switch(self, session: Session) -> bool:
        """Choose the other version, if that may help. Return whether the refusal is explained by MQTT 5."""
        if len(self._protocols) == 1 or session.refusal not in (None, _WRONG_PROTOCOL):
            return False
        self._protocols.append(self._protocols.pop(0))
        return session.is_mqtt5
