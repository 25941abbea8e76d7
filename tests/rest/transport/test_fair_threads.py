"""The threads in which requests are answered: the clients take turns."""

from __future__ import annotations

import asyncio
import threading
from itertools import count

import pytest

from gateway.rest.transport.bodies import Disconnected
from gateway.rest.transport.connections import Connections
from gateway.rest.transport.fair_threads import FairThreads
from tests.support import WAIT_S


class Clients:
    """Clients of one thread, which is taken until ``release``. ``done``: the clients in the order of their answers."""

    def __init__(self) -> None:
        self.threads = FairThreads(1, "rest")
        self.connections = Connections(1_000)
        self.ports = count()
        self.done: list[str] = []
        self._go = threading.Event()

    def ask(self, client: str) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self._ask(client))

    async def _ask(self, client: str) -> None:
        connection = self.connections.add((client, next(self.ports)), lambda: None)
        async with self.threads.turn(client, connection):
            await self.threads.run(lambda: self._go.wait(WAIT_S))
            self.done.append(client)

    def release(self) -> None:
        self._go.set()


async def begin(*clients: str) -> tuple[Clients, list[asyncio.Task[None]]]:
    """Return clients whose requests wait in this order."""
    site, tasks = Clients(), list[asyncio.Task[None]]()
    for client in clients:
        tasks.append(site.ask(client))
        # The task runs until it waits.
        await asyncio.sleep(0)
    return site, tasks


def test_client_with_many_requests_holds_up_no_other() -> None:
    """Regression: the request of another client waited for all those that came before it."""

    async def check() -> list[str]:
        site, tasks = await begin(*["flood"] * 100, "phone", "phone", "wall")
        site.release()
        await asyncio.gather(*tasks)
        site.threads.stop()
        return site.done

    done = asyncio.run(check())
    assert done[:6] == ["flood", "flood", "phone", "wall", "flood", "phone"]
    assert done[6:] == ["flood"] * 97


def test_request_that_is_cancelled_while_it_waits_takes_no_turn() -> None:
    async def check() -> list[str]:
        site, tasks = await begin("flood", "flood", "phone", "wall")
        for task in tasks[1:3]:
            task.cancel()
        site.release()
        await asyncio.gather(*tasks, return_exceptions=True)
        # The thread is free again.
        await site.ask("later")
        site.threads.stop()
        return site.done

    assert asyncio.run(check()) == ["flood", "wall", "later"]


def test_request_that_waits_is_forgotten_with_its_connection() -> None:
    """Regression: the requests of clients that had left kept their places, so that any number could wait."""

    async def check() -> tuple[list[str], list[int]]:
        site, tasks = await begin("flood", "flood", "flood", "phone")
        peers = [("flood", 1), ("flood", 2)]
        connections = []
        for peer in peers:
            with site.connections.request(peer) as connection:
                connections.append(connection)
        lengths = [len(site.threads)]
        # The client has left. The other connection is shut because there are too many.
        site.connections.remove(peers[0], connections[0])
        connections[1].shut()
        for task in tasks[1:3]:
            with pytest.raises(Disconnected):
                await task
        lengths.append(len(site.threads))
        site.release()
        await asyncio.gather(tasks[0], tasks[3])
        site.threads.stop()
        return site.done, lengths

    assert asyncio.run(check()) == (["flood", "phone"], [3, 1])


def test_connection_that_ends_with_its_turn_gives_it_to_the_next() -> None:
    async def check() -> list[str]:
        site, _ = await begin()
        site.release()
        async with site.threads.turn("phone", site.connections.add(("phone", 7), lambda: None)):
            tasks = [site.ask("flood"), site.ask("wall")]
            while len(site.threads) < len(tasks):
                await asyncio.sleep(0)
        # The turn has come, and the task has not run since.
        with site.connections.request(("flood", 0)) as connection:
            connection.shut()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in done] == [Disconnected, type(None)]
        with pytest.raises(Disconnected):
            async with site.threads.turn("flood", connection):
                pass
        await site.ask("later")
        site.threads.stop()
        return site.done

    assert asyncio.run(check()) == ["wall", "later"]


def test_error_frees_the_thread() -> None:
    async def check() -> list[str]:
        site, _ = await begin()
        site.release()
        for _ in range(3):
            try:
                connection = site.connections.add(("phone", 0), lambda: None)
                async with site.threads.turn("phone", connection):
                    await site.threads.run(lambda: 1 // 0)
            except ZeroDivisionError:
                site.done.append("error")
        await site.ask("phone")
        site.threads.stop()
        return site.done

    assert asyncio.run(check()) == ["error"] * 3 + ["phone"]
