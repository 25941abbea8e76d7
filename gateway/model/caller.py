"""The parties that ask the gateway for something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Interface = Literal["mqtt", "rest", "cli", "known_faces", "retention", "upgrade"]
"""The origin of a request or of a change. ``known_faces``: the folder of known people. ``retention``: the time after
which people are erased. ``upgrade``: the first start of a newer version on an older store."""

Role = Literal["camera", "administrator", "system"]
"""The rights of a caller. ``camera``: the operations that the settings allow it. ``administrator``: all operations.
``system``: the gateway itself."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The party that asks for something. ``name``: the name of a camera or a user, if the interface has such names."""

    interface: Interface
    name: str | None
    role: Role

    def audit_text(self) -> str:
        """Return the text for the audit and for a picture's source, such as ``mqtt:porch`` or ``rest``."""
        # Stores of every version hold these texts: they must not change.
        return self.interface if self.name is None else f"{self.interface}:{self.name}"


# REST and the command line have no users yet: a caller that reaches them may do everything.
REST_CALLER = Caller("rest", None, "administrator")
CLI_CALLER = Caller("cli", None, "administrator")
BRIDGE_CALLER = Caller("mqtt", "bridge", "administrator")
"""An administrator that sends commands to the topics of the bridge."""
FOLDER_CALLER = Caller("known_faces", None, "system")
"""The import of the folder of known people."""
UPGRADE_CALLER = Caller("upgrade", None, "system")
RETENTION_CALLER = Caller("retention", None, "system")
"""The erasure of people after ``people.keep_days``."""


def camera_caller(name: str) -> Caller:
    """Return the caller for a camera, which always uses MQTT."""
    return Caller("mqtt", name, "camera")
