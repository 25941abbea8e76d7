"""The protocol of the audit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from gateway.model.audit import AuditEvent
from gateway.model.caller import Caller
from gateway.store.audit_records import AuditCheck, AuditHead, AuditLine
from gateway.store.limits import AuditLimits


class Audit(Protocol):
    """The list of all changes and of events that matter. It contains no names of people.

    Each line has a code that depends on all lines before it, so that ``check`` finds a change by another program.
    """

    def record(
        self, caller: Caller, action: str, *, slug: str | None = None, pictures: int = 0, detail: str = ""
    ) -> None:
        """Add a line about something that changes no person, such as an export or a backup."""

    def record_events(self, events: Mapping[AuditEvent, int]) -> bool:
        """Add a line for each event, with its number. Return whether the lines are on the disk."""

    def flush(self) -> None:
        """Move waiting lines to their final place. A problem with the audit is only reported by ``warnings``."""

    def read_lines(self, limit: int, *, before: int | None = None) -> list[AuditLine]:
        """Return the newest lines, the newest first. ``before``: only those with a smaller number."""

    def read_head(self) -> AuditHead | None:
        """Return the end of the audit; None if this store does not have its own."""

    def check(self, heads: Collection[AuditHead] = ()) -> AuditCheck:
        """Check all lines, and that the audit contains these ends of earlier moments."""

    def delete_old_lines(self, limits: AuditLimits) -> None:
        """Delete the lines over the limits. A problem with the audit is only reported by ``warnings``."""

    @property
    def is_writable(self) -> bool:
        """True if the last line could be written. The lines wait in the people store if not."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about problems with the audit that need a person's attention."""
