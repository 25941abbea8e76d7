"""MicroPython's module ``machine``, as far as the script uses it."""

from __future__ import annotations


class WDT:
    fed = 0

    def __init__(self, *, timeout: int) -> None:
        assert timeout > 0

    def feed(self) -> None:
        WDT.fed += 1
