"""Topics of other programs that a part of the gateway reads over MQTT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic filter of MQTT outside of ``mqtt.base``, and the function that gets the messages.

    ``receive`` gets the topic and the payload of each message that is not retained. It must not wait, since the thread
    of the connection calls it. Messages before the end of the search for another gateway do not arrive.
    """

    topic_filter: str
    receive: Callable[[str, bytes], None]
