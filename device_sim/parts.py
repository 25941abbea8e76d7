"""A picture that is too large for one message, sent in pieces."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from device_sim.model import Parcel


def split(topic: str, payload: bytes, size: int | None, only: Collection[int] = ()) -> Sequence[Parcel]:
    """What to publish for ``request/…``: the payload as it is, or ``part/<n>/<of>/…`` of at most ``size`` bytes.

    ``only``: no other pieces than these, those that the gateway misses; numbers that there are not are left out.
    """
    if size is None or len(payload) <= size:
        return [Parcel(topic, payload)]
    below = topic.removeprefix("request/")
    pieces = [payload[start : start + size] for start in range(0, len(payload), size)]
    wanted = set(only) & set(range(len(pieces))) or range(len(pieces))
    return [Parcel(f"part/{number}/{len(pieces)}/{below}", pieces[number]) for number in sorted(wanted)]
