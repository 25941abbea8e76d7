"""The functions of the gateway that the MQTT interface calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.model.health import Health
from gateway.service.service import Submit

SetEnabled = Callable[["str | None", bool], None]


@dataclass(frozen=True, slots=True)
class Services:
    """The functions of the service, the workers and the gateway itself.

    ``check_capacity`` raises Busy if no more requests of that camera may wait. ``set_enabled`` switches a camera, or
    with None all cameras, on or off; it is None if live cameras are not followed (the setting live.enabled).
    ``count_removals`` returns a number that grows when a person was removed.
    """

    submit: Submit
    check_capacity: Callable[[str], None]
    health: Callable[[], Health]
    set_enabled: SetEnabled | None = None
    count_removals: Callable[[], int] = lambda: 0
