"""The parties that ask the gateway for something."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Interface = Literal["mqtt", "rest", "cli", "known_faces", "retention", "upgrade", "gateway"]
"""The origin of a request or of a change. ``known_faces``: the folder of known people. ``retention``: the time after
which people are erased. ``upgrade``: the first start of a newer version on an older store. ``gateway``: the gateway
itself, for its start and for lines of the audit about the audit."""

Role = Literal["nobody", "camera", "client", "viewer", "keeper", "privacy", "admin", "system"]
"""The rights of a caller.

``nobody``: none, for a wrong token, and for a login of the broker that the settings do not name. ``camera``: the
operations that the settings allow it, for itself only. ``system``: the gateway itself. The others are those of people
and programs: see LEVELS.
"""

LEVELS: Final[tuple[Role, ...]] = ("client", "viewer", "keeper", "privacy", "admin")
"""The roles of people and programs. Each may do all that the roles before it may do.

``client`` recognises and compares faces. ``viewer`` also sees names, sightings and pictures. ``keeper`` also changes
people. ``privacy`` also erases, exports, and reads the audit. ``admin`` may do everything.
"""


MAX_TOKEN_NAME_LENGTH = 64
TOKEN_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_TOKEN_NAME_LENGTH}}}")
"""The name of a token, which is the name of the callers that use it."""
MAX_TOKEN_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Party:
    """A party that gets its share of what is limited.

    ``rank``: the higher one comes first if there are more parties than shares. A token or a login has 2, an address 1,
    and a camera 0.
    """

    # Anybody may make up names of cameras on a broker without an ACL, and somebody may have many addresses.
    name: str
    rank: int


@dataclass(frozen=True, slots=True)
class Caller:
    """The party that asks for something. ``name``: the name of a camera or a user, if the interface has such names."""

    interface: Interface
    name: str | None
    role: Role

    def may(self, least: Role) -> bool:
        """Return whether the caller's role is this one of LEVELS, or one after it."""
        if self.role == "system":
            return True
        return self.role in LEVELS and LEVELS.index(self.role) >= LEVELS.index(least)

    def audit_text(self) -> str:
        """Return the text for the audit and for a picture's source, such as ``mqtt:porch`` or ``rest``."""
        # Stores of every version hold these texts: they must not change.
        if self.name is None:
            return self.interface
        # A camera and a user may have the same name. No camera has a slash in its name.
        return f"mqtt:user/{self.name}" if self.is_mqtt_user else f"{self.interface}:{self.name}"

    def party(self, sender: str) -> Party:
        """Return the party of a request. ``sender``: the token and the address of a program that uses REST."""
        if self.name is None:
            return Party(f"{self.interface} {sender}".strip(), rank=1)
        # One token may be used from many addresses.
        return Party(self.audit_text(), rank=0 if self.role == "camera" else 2)

    @property
    def is_mqtt_user(self) -> bool:
        """True for a login of the broker that sends commands under its own name."""
        return self.interface == "mqtt" and self.name is not None and self.role != "camera"


UNKNOWN_REST_CALLER = Caller("rest", None, "nobody")
"""A sender of a REST request whose log-in failed."""
REST_CALLER = Caller("rest", None, "admin")
"""A program on this machine, where no token is needed."""
CLI_CALLER = Caller("cli", None, "admin")
"""A user who may read and write the data folder."""
BRIDGE_CALLER = Caller("mqtt", None, "admin")
"""The sender of a command to the topics of the bridge that name no login. Only the broker knows who it is."""
SWITCH_CALLER = Caller("mqtt", None, "keeper")
"""The sender of a message that switches a camera on or off. Only the broker knows who it is."""
FOLDER_CALLER = Caller("known_faces", None, "system")
"""The import of the folder of known people."""
GATEWAY_CALLER = Caller("gateway", None, "system")
UPGRADE_CALLER = Caller("upgrade", None, "system")
RETENTION_CALLER = Caller("retention", None, "system")
"""The erasure of people after ``people.keep_days``."""


def home_assistant_login(text: str) -> str:
    """Return the login of a user as Home Assistant stores it: in lower case, without spaces around it."""
    return text.strip().lower()


def camera_caller(name: str) -> Caller:
    """Return the caller for a camera, which always uses MQTT."""
    return Caller("mqtt", name, "camera")
