"""The rules about commands over MQTT that the settings add to the roles of the callers."""

from __future__ import annotations

from typing import Final

from gateway.errors import Forbidden
from gateway.model.caller import Caller

EXPORTS: Final = frozenset({"people/export", "unknowns/export"})
"""The operations whose replies contain descriptors and pictures of people."""


class CommandAccess:
    """The rules. ``export``: the setting mqtt.export."""

    def __init__(self, *, export: bool) -> None:
        self._export = export

    def check(self, operation: str) -> None:
        """Raise Forbidden for an operation that is switched off over MQTT."""
        # Every login that the broker lets read the topic of the reply receives the export too.
        if operation in EXPORTS and not self._export:
            raise Forbidden(
                f"{operation} is off over MQTT: set mqtt.export to true, use REST, or use facegate"
                f" {operation.replace('/', ' ')}"
            )

    def explain(self, caller: Caller, error: Forbidden) -> Forbidden:
        """Return the refusal of a command, with the setting that it follows from."""
        if caller.role == "nobody":
            return Forbidden(f"{error}: give the login a role in mqtt.users")
        return error
