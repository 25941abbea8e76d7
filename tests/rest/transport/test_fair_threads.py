"""The threads in which requests are answered: the clients take turns."""

from __future__ import annotations

import asyncio
import threading

from gateway.rest.transport.fair_threads import FairThreads
from tests.support import WAIT_S


class Clients:
    """Clients of one thread, which is taken until ``release``. ``done``: the clients in the order of their answers."""

    def __init__(self) -> None:
        self.threads = FairThreads(1, "rest")
        self.done: list[str] = []
        self._go = threading.Event()

    def ask(self, client: str) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self._ask(client))

    async def _ask(self, client: str) -> None:
        async with self.threads.turn(client):
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


def test_error_frees_the_thread() -> None:
    async def check() -> list[str]:
        site, _ = await begin()
        site.release()
        for _ in range(3):
            try:
                async with site.threads.turn("phone"):
                    await site.threads.run(lambda: 1 // 0)
            except ZeroDivisionError:
                site.done.append("error")
        await site.ask("phone")
        site.threads.stop()
        return site.done

    assert asyncio.run(check()) == ["error"] * 3 + ["phone"]
