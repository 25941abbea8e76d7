"""Writing the names of people into events of Frigate, where no other name stands."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from gateway.integrations.frigate.refusals import Refusal, RefusalLog
from gateway.integrations.frigate.server import MAX_NAME_CHARACTERS, FrigateServer
from gateway.metrics import Metrics

log = logging.getLogger(__name__)

MIN_SCORE = 0.001
"""The lowest score that is written: Frigate refuses 0."""


@dataclass(frozen=True, slots=True)
class NameChange:
    """A change of the name of an event.

    ``name``: None removes it. ``score``: from 0 to 1. ``known``: the name in Frigate's last message. ``own``: the name
    that this gateway wrote last, or None.
    """

    event: str
    name: str | None
    score: float = 0.0
    known: str | None = None
    own: str | None = None


class NameWriter:
    """The writer of names of one Frigate server. Its methods wait for Frigate."""

    def __init__(self, server: FrigateServer, refusals: RefusalLog, metrics: Metrics) -> None:
        self._server = server
        self._refusals = refusals
        self._metrics = metrics

    def write(self, change: NameChange) -> bool:
        """Write or remove a name. Return whether it was done: never where another name stands."""
        try:
            present = self._present_name(change)
            if present not in (None, change.own):
                log.debug("event %s has another name already: nothing is written", change.event)
                return False
            if change.name is None:
                self._server.remove_sub_label(change.event)
            else:
                score = min(max(change.score, MIN_SCORE), 1.0)
                self._server.set_sub_label(change.event, change.name[:MAX_NAME_CHARACTERS], round(score, 3))
                self._metrics.count("frigate_names")
        except Refusal as refusal:
            self._refusals.report(refusal)
            return False
        except Exception:
            # The event waits for the end of this write. Without one, no later name would be written.
            log.exception("a bug in the gateway: the name of an event at Frigate cannot be written")
            return False
        self._refusals.report_success("write a name")
        return True

    def _present_name(self, change: NameChange) -> str | None:
        """Return the name that the event has now. Raise Refusal."""
        # Frigate sends no message when its own face recognition or a user writes a name: its last message may be old.
        try:
            return self._server.get_sub_label(change.event)
        except Refusal as refusal:
            # Frigate stores an event only once it has a picture or a recording of it.
            if refusal.kind != "gone":
                raise
            return change.known
