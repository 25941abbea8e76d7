"""The table of the states of a delivery: a message that the broker has delivered, until it is acknowledged.

An MQTT message at QoS 1 is the broker's until the receiver acknowledges it. The gateway acknowledges a request when the
broker has all replies to it. So a request is not lost if the gateway or the connection ends before: the broker delivers
it again. Acknowledgements go out in the order of receipt (MQTT 5.0, 4.6), and only on the session that brought the
message.

A delivery at QoS 0 has the same states, but the broker does not wait for it: it is never acknowledged.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class DeliveryState(Enum):
    RECEIVED = "the message is here, and has no reply yet"
    ANSWERED = "replies are published, and the broker has not confirmed all of them"
    SETTLED = "nothing is left to do but to acknowledge the message in its turn"
    ACKNOWLEDGED = "the message is acknowledged"
    ORPHANED = "the broker has lost the session, and only the gateway can still answer"
    FORGOTTEN = "the gateway does not answer this delivery any more"


class DeliveryEvent(Enum):
    REPLY = "replies are published"
    NO_REPLY = "the message needs no reply"
    CONFIRMED = "the broker has confirmed the last reply"
    TURN = "all earlier deliveries of the session are settled"
    SESSION_RESUMED = "a new connection continues the session"
    SESSION_LOST = "the broker has no session for a new connection"
    EXPIRED = "the replies have expired, or were published on too many sessions"


# The reasons for a REPLY:
# - The request is computed, and has its result or its error. `busy` is published at QoS 0.
# - It may have waited too long while the gateway was not connected: the error expired (delivery/downtime.py).
# - It was handed on to be computed, and is not answered within mqtt.answer_s: the error timeout, unless its effect has
#   begun (delivery/watchdog.py). The result that comes later is not published.
# - Its answer has ended three connections: the error internal instead (delivery/poison_guard.py).
# The reasons for NO_REPLY: a loopback message, a stored piece of an upload, an invalid camera name, a retained message,
# or a request whose short error has ended a connection, too.
#
# In FORGOTTEN after SESSION_RESUMED the broker delivers the message again, as a new delivery. A reply to the old one
# goes to its ended session, and is lost. SETTLED has no event for the end of a session: the broker delivers the message
# again, and the repeated request gets its reply from the cache.
TRANSITIONS: Final[Mapping[DeliveryState, Mapping[DeliveryEvent, DeliveryState]]] = {
    DeliveryState.RECEIVED: {
        DeliveryEvent.REPLY: DeliveryState.ANSWERED,
        DeliveryEvent.NO_REPLY: DeliveryState.SETTLED,
        DeliveryEvent.SESSION_RESUMED: DeliveryState.FORGOTTEN,
        DeliveryEvent.SESSION_LOST: DeliveryState.ORPHANED,
    },
    DeliveryState.ANSWERED: {
        DeliveryEvent.CONFIRMED: DeliveryState.SETTLED,
        DeliveryEvent.SESSION_RESUMED: DeliveryState.FORGOTTEN,
        DeliveryEvent.SESSION_LOST: DeliveryState.ORPHANED,
    },
    DeliveryState.SETTLED: {
        DeliveryEvent.TURN: DeliveryState.ACKNOWLEDGED,
    },
    DeliveryState.ACKNOWLEDGED: {},
    DeliveryState.ORPHANED: {
        DeliveryEvent.REPLY: DeliveryState.ORPHANED,
        DeliveryEvent.NO_REPLY: DeliveryState.SETTLED,
        DeliveryEvent.CONFIRMED: DeliveryState.SETTLED,
        DeliveryEvent.EXPIRED: DeliveryState.FORGOTTEN,
    },
    DeliveryState.FORGOTTEN: {
        DeliveryEvent.REPLY: DeliveryState.FORGOTTEN,
        DeliveryEvent.NO_REPLY: DeliveryState.FORGOTTEN,
    },
}
