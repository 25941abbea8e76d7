"""The headers of a connection that passed their check, so that a repetition is not checked twice.

A program that sends one picture after the other over a connection repeats its headers. The check before the body only
saves the memory of a body that will be refused. Flask checks the whole request again, so nobody gets in by this memory.
"""

from __future__ import annotations

from gateway.rest.transport.environ import HeaderCheck, Scope


class HeadMemory:
    """The last first line and headers of one connection that passed, and the largest body that they stated."""

    def __init__(self) -> None:
        # Only the hash: headers may have 64 kB, and there may be hundreds of connections.
        self._head = 0
        self._largest = -1
        self._check = HeaderCheck()

    def find(self, scope: Scope) -> HeaderCheck | None:
        """Return the result of the check of the same headers with a body that is not larger, else None."""
        head, size = _read(scope)
        return self._check if head == self._head and 0 <= size <= self._largest else None

    def remember(self, scope: Scope, check: HeaderCheck) -> None:
        """Remember headers that passed their check."""
        head, size = _read(scope)
        self._largest = max(size, self._largest) if head == self._head else size
        self._head, self._check = head, check


def _read(scope: Scope) -> tuple[int, int]:
    """Return a hash of the first line and the headers without the size of the body, and that size or -1."""
    headers = tuple(each for each in scope["headers"] if each[0] != b"content-length")
    sizes = [int(value) for name, value in scope["headers"] if name == b"content-length"]
    head = hash((scope["method"], scope["path"], scope["query_string"], headers))
    return head, sizes[0] if len(sizes) == 1 else -1
