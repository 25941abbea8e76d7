"""The threads in which Flask answers requests. The clients take turns, so that a flood of one holds up no other."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


class FairThreads:
    """A number of threads. Only the thread of the event loop uses it."""

    def __init__(self, count: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(count, name)
        self._free = count
        # By client. The first one has the next turn.
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait until a thread is free, and until other clients had their turns. ``client``: the address."""
        await self._take_turn(client)
        try:
            yield
        finally:
            self._give_turn()

    async def run(self, function: Callable[[], T]) -> T:
        """Return the result of a function that a thread calls, within a turn."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    def stop(self) -> None:
        """Start no further function."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _take_turn(self, client: str) -> None:
        if self._take_free():
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # The turn may have come in the same moment.
            if turn.done() and not turn.cancelled():
                self._give_turn()
            raise

    def _take_free(self) -> bool:
        """Take a thread that is free. Return False if there is none."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    def _give_turn(self) -> None:
        """Let the next client begin that waits."""
        while self._waiting:
            client, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[client] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
