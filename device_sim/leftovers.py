"""The retained messages that the demo's gateway leaves at a broker which goes on without the demo."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from device_sim.connection import Broker, Connection
from device_sim.errors import SimError


def clear_leftovers(broker: Broker, data: Path, others: Iterable[str] = ()) -> str | None:
    """Delete all retained messages of the gateway with this data folder, which has ended. Return what went wrong.

    The broker may be that of a household, whose other programs would find cameras and people of the demo for ever.
    ``others``: topics of other retained messages.
    """
    journal = data / "retained.json"
    try:
        topics = sorted({*_read_topics(journal), *others})
        with Connection(broker, f"demo-{secrets.token_hex(4)}") as connection:
            connection.clear(topics)
        journal.unlink(missing_ok=True)
    except (OSError, ValueError, SimError) as error:
        return f"Retained messages of the demo stay at {broker}: {error}"
    return None


def _read_topics(journal: Path) -> Iterator[str]:
    """Give the gateway's journal of topics: each line is a JSON object of owners, each with a list of topics."""
    if not journal.exists():
        return
    for line in journal.read_text().splitlines():
        for topics in json.loads(line).values():
            yield from topics
