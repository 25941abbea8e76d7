"""The names under which the broker and other gateways know this gateway."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import StartError
from gateway.files.small_file import read_or_set_aside, replace_text

MAX_CLIENT_ID_FILE_BYTES = 256
"""The client id itself has up to 64 characters, like the setting mqtt.client_id."""

_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MACHINE_ID = Path("/etc/machine-id")


@dataclass(frozen=True, slots=True)
class Identity:
    """The client id of this installation, and its instance.

    The instance tells this gateway from another that got the same client id by mistake.
    """

    client_id: str
    instance: str
    warnings: tuple[str, ...] = ()


def load_identity(data: Path, client_id: str | None) -> Identity:
    """Return the identity of the data folder on this machine. A copy of the folder has another instance.

    ``client_id``: the setting, which replaces the stored one. Raises StartError.
    """
    kept = read_or_set_aside(
        data / "client_id",
        _parse,
        max_bytes=MAX_CLIENT_ID_FILE_BYTES,
        loss="the gateway has a new client id: requests that wait for the old one at the broker are not answered",
    )
    own = kept.value or _create(data / "client_id")
    place = f"{own} {data.absolute()} {_machine()}"
    return Identity(client_id or own, hashlib.sha256(place.encode()).hexdigest()[:12], kept.warnings)


def _parse(text: str) -> str:
    own = text.strip()
    if not _CLIENT_ID.fullmatch(own):
        raise ValueError("a client id must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -")
    return own


def _create(path: Path) -> str:
    """Create the client id, once: after a restart the gateway is the same client to the broker."""
    own = f"facegate-{secrets.token_hex(6)}"
    try:
        replace_text(path, own)
    except OSError as error:
        raise StartError(f"{path} cannot be written: {error.strerror}.") from None
    return own


def _machine() -> str:
    with contextlib.suppress(OSError, ValueError):
        return _MACHINE_ID.read_text()
    return socket.gethostname()
