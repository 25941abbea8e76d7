"""The functions of the gateway that the MQTT interface calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.model.health import Health
from gateway.service.service import Submit


@dataclass(frozen=True, slots=True)
class Services:
    """The functions of the service, the workers and the gateway itself.

    ``check_capacity`` raises Busy if no more requests of that camera may wait.
    """

    submit: Submit
    check_capacity: Callable[[str], None]
    health: Callable[[], Health]
