"""The pieces of a picture that is too large for one message."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from device_sim.model import Publication


def split(topic: str, payload: bytes, size: int | None, only: Collection[int] = ()) -> Sequence[Publication]:
    """Return the messages for ``request/…``: one, or pieces ``part/<n>/<of>/…`` of at most ``size`` bytes.

    ``only``: the numbers of the pieces to return, those that the gateway misses. Invalid numbers are ignored.
    """
    if size is None or len(payload) <= size:
        return [Publication(topic, payload)]
    below = topic.removeprefix("request/")
    pieces = [payload[start : start + size] for start in range(0, len(payload), size)]
    wanted = set(only) & set(range(len(pieces))) or range(len(pieces))
    return [Publication(f"part/{number}/{len(pieces)}/{below}", pieces[number]) for number in sorted(wanted)]
