"""The threads in which Flask answers requests. The clients take turns, so that a flood of one holds up no other."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from gateway.rest.transport.bodies import Disconnected
from gateway.rest.transport.connection import Connection

T = TypeVar("T")


class FairThreads:
    """A number of threads. Only the thread of the event loop uses it."""

    def __init__(self, count: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(count, name)
        self._free = count
        # By client. The first one has the next turn.
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, client: str, connection: Connection) -> AsyncIterator[None]:
        """Wait until a thread is free, and until other clients had their turns. ``client``: the address.

        Raises Disconnected when the connection has ended.
        """
        await self._take_turn(client, connection)
        try:
            yield
        finally:
            self._give_turn()

    async def run(self, function: Callable[[], T]) -> T:
        """Return the result of a function that a thread calls, within a turn."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    def __len__(self) -> int:
        """Return the number of requests that wait for a thread."""
        return sum(len(turns) for turns in self._waiting.values())

    def stop(self) -> None:
        """Start no further function."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _take_turn(self, client: str, connection: Connection) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._take_free():
            turn.set_result(None)
        else:
            self._waiting.setdefault(client, deque()).append(turn)
        try:
            await connection.wait_for(turn)
        except (asyncio.CancelledError, Disconnected):
            # The turn may have come in the same moment.
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._give_turn()
            else:
                self._leave(client, turn)
            raise

    def _leave(self, client: str, turn: asyncio.Future[None]) -> None:
        """Wait no longer for a turn."""
        turns = self._waiting.get(client, deque())
        if turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[client]

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
