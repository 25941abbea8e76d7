"""The values of the audit: its lines, its end, and the result of a check."""

from __future__ import annotations

from dataclasses import dataclass

MAX_LINE_DIGITS = 18
"""The digits of the largest number of a line that every database can store."""

AUDIT_CODE_BYTES = 32
"""The length of the code of each line of the audit: an HMAC with SHA-256."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """A line of the audit. ``at``: seconds since 1970.

    ``door``: the interface with the name of the caller, such as ``mqtt:porch``. ``person``: a random id of the person,
    from which nobody can tell a name. ``detail``: such as the name of a backup. ``actor``: the caller's name, or the
    operating system's user of a command. ``role``: of the caller, empty in lines of older versions. ``outcome``:
    ``done``, ``refused`` or ``failed``. ``times``: the number of equal events. ``line``: its number in the audit.
    ``name``: the present name of the person; the audit does not contain it.
    """

    at: float
    door: str
    action: str
    person: str
    pictures: int
    detail: str = ""
    actor: str = ""
    role: str = ""
    outcome: str = "done"
    times: int = 1
    line: int = 0
    name: str | None = None


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The end of the audit: the number of the last line, and its code, which depends on all lines before it."""

    line: int
    code: bytes

    def text(self) -> str:
        """Return the form for logs and for people, which ``parse_head`` reads."""
        return f"{self.line}:{self.code.hex()}"


def parse_head(text: str) -> AuditHead:
    """Return the head that ``AuditHead.text`` wrote. Raise ValueError for other text."""
    line, _, code = text.partition(":")
    if not (line.isascii() and line.isdecimal() and len(line) <= MAX_LINE_DIGITS and len(code) == 2 * AUDIT_CODE_BYTES):
        raise ValueError("a head of the audit is the number of a line, a colon, and 64 hexadecimal digits")
    return AuditHead(int(line), bytes.fromhex(code))


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """The result of a check of the audit.

    ``head``: None for an empty audit. ``lines``: the number of lines that were checked. ``problems``: sentences; empty
    if nothing was changed, removed or inserted.
    """

    head: AuditHead | None
    lines: int
    problems: tuple[str, ...]
