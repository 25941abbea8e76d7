"""The note in the people store about the last backups."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from types import NoneType
from typing import NoReturn

_TIME = (float, int, NoneType)
_KINDS = {"at": _TIME, "revision": (int,), "elsewhere": _TIME, "folder": (str,)}


@dataclass(frozen=True, slots=True)
class BackupNote:
    """The last backups. Times are seconds since 1970, None if there was none.

    ``revision``: that of the people in the last backup; ``elsewhere``, ``folder``: the last backup on another disk than
    the store, and its folder.
    """

    at: float | None = None
    revision: int = 0
    elsewhere: float | None = None
    folder: str = ""

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> BackupNote:
        """Return the note that ``to_text`` wrote, of any version. Raise ValueError if it is damaged."""
        found = json.loads(text, parse_constant=_refuse)
        if not isinstance(found, dict):
            raise ValueError("it is no object")
        known = {field.name: found[field.name] for field in fields(cls) if field.name in found}
        for name, value in known.items():
            if type(value) not in _KINDS[name]:
                raise ValueError(f"its {name} is of another type")
        return cls(**known)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
