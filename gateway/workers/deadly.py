"""Pictures that worker processes die of."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

from gateway.errors import BadImage

DEATHS = 2
"""The first may have been bad luck: the machine had no memory left, or somebody killed the process."""

MOST = 1000


class DeadlyPictures:
    """Safe to use from any thread. In memory: after a restart each of them has as many tries again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deaths: OrderedDict[bytes, int] = OrderedDict()

    def died(self, pictures: Sequence[bytes]) -> None:
        """A worker did, which had these."""
        with self._lock:
            for digest in map(_digest, pictures):
                self._deaths[digest] = self._deaths.get(digest, 0) + 1
                self._deaths.move_to_end(digest)
            while len(self._deaths) > MOST:
                self._deaths.popitem(last=False)

    def check(self, pictures: Sequence[bytes]) -> None:
        """Raises BadImage."""
        if self._deaths and any(self._deaths.get(_digest(picture), 0) >= DEATHS for picture in pictures):
            raise BadImage(f"{DEATHS} worker processes died of this picture: it is not looked at any more")


def _digest(picture: bytes) -> bytes:
    return hashlib.sha256(picture).digest()
