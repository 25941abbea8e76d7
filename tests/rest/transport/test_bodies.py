"""The limits on bodies: their size, their time, and the memory for all of them."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Sequence

import pytest

from gateway.errors import BadRequest, Busy, TooLarge
from gateway.rest.transport.bodies import GRACE_S, MIN_BYTES_PER_S, Bodies, Disconnected, discard
from gateway.rest.transport.environ import Message, Receive


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Sender:
    """A client that sends chunks, each after some seconds on a clock, and waits or leaves after the last one."""

    def __init__(self, chunks: Sequence[bytes], clock: Clock, seconds: float = 0.0, *, ends: bool = True) -> None:
        self._chunks = list(chunks)
        self._clock = clock
        self._seconds = seconds
        self._ends = ends
        self.sent = 0

    async def receive(self) -> Message:
        self._clock.now += self._seconds
        if self.sent == len(self._chunks):
            return {"type": "http.disconnect"}
        self.sent += 1
        more = self.sent < len(self._chunks) or not self._ends
        return {"type": "http.request", "body": self._chunks[self.sent - 1], "more_body": more}


async def read(bodies: Bodies, receive: Receive) -> bytes:
    with bodies.room() as body:
        return await bodies.read(body, receive)


def test_chunks_of_a_body_are_joined() -> None:
    clock = Clock()
    assert asyncio.run(read(Bodies(100, clock), Sender([b"one ", b"", b"two"], clock).receive)) == b"one two"


@pytest.mark.parametrize(("chunks", "size"), [(100, 100_000), (10_000, 100)])
def test_body_takes_the_memory_that_is_counted(chunks: int, size: int) -> None:
    """Regression: the chunks of a body stayed in memory beside the joined body."""
    numbers = iter(range(chunks))

    async def receive() -> Message:
        # As with a real connection, the event loop runs between two chunks. It removes its old timers then.
        await asyncio.sleep(0)
        number = next(numbers)
        return {"type": "http.request", "body": bytes([number % 256]) * size, "more_body": number < chunks - 1}

    async def scenario() -> int:
        bodies = Bodies(chunks * size, Clock())
        with bodies.room() as body:
            tracemalloc.start()
            try:
                content = await bodies.read(body, receive)
                assert len(content) == chunks * size
                return tracemalloc.get_traced_memory()[0]
            finally:
                tracemalloc.stop()

    assert asyncio.run(scenario()) < 1.5 * chunks * size


def test_body_over_the_limit_is_not_read_to_its_end() -> None:
    clock = Clock()
    sender = Sender([bytes(60)] * 10, clock)
    with pytest.raises(TooLarge, match="more than 100 bytes"):
        asyncio.run(read(Bodies(100, clock), sender.receive))
    assert sender.sent == 2


def test_client_that_leaves_ends_its_request() -> None:
    clock = Clock()
    with pytest.raises(Disconnected):
        asyncio.run(read(Bodies(100, clock), Sender([b"x"], clock, ends=False).receive))


@pytest.mark.parametrize(("seconds", "accepted"), [(0.9, True), (5.0, False)])
def test_body_needs_a_least_speed(seconds: float, accepted: bool) -> None:
    clock = Clock()
    sender = Sender([bytes(MIN_BYTES_PER_S)] * 60, clock, seconds)
    bodies = Bodies(10_000_000, clock)
    if accepted:
        assert len(asyncio.run(read(bodies, sender.receive))) == 60 * MIN_BYTES_PER_S
        return
    with pytest.raises(BadRequest, match="too slowly"):
        asyncio.run(read(bodies, sender.receive))
    assert GRACE_S < clock.now < 2 * GRACE_S


def test_body_that_never_continues_is_refused() -> None:
    async def receive() -> Message:
        await asyncio.sleep(3600)
        raise AssertionError

    times = iter([0.0, GRACE_S - 0.01])
    with pytest.raises(BadRequest, match="0 bytes so far"):
        asyncio.run(read(Bodies(100, lambda: next(times)), receive))


def test_largest_unfinished_body_is_displaced_when_the_memory_is_used_up() -> None:
    async def scenario() -> None:
        clock = Clock()
        bodies = Bodies(100, clock)
        with bodies.room() as finished, bodies.room() as large, bodies.room() as small:
            await bodies.read(finished, Sender([bytes(100)], clock).receive)
            for body, size in ((large, 60), (small, 30)):
                with pytest.raises(Disconnected):
                    await bodies.read(body, Sender([bytes(size)], clock, ends=False).receive)
            with bodies.room() as newcomer:
                assert await bodies.read(newcomer, Sender([bytes(20)], clock).receive) == bytes(20)
            with pytest.raises(Busy):
                await bodies.read(large, Sender([b"x"], clock).receive)
            assert await bodies.read(small, Sender([b"x"], clock).receive) == bytes(30) + b"x"

    asyncio.run(scenario())


def test_body_of_an_unknown_sender_is_displaced_before_larger_ones() -> None:
    async def scenario() -> None:
        clock = Clock()
        bodies = Bodies(100, clock)
        with bodies.room() as large, bodies.room(sender_known=False) as unknown:
            for body, size in ((large, 90), (unknown, 60)):
                with pytest.raises(Disconnected):
                    await bodies.read(body, Sender([bytes(size)], clock, ends=False).receive)
            for _ in range(2):
                assert await read(bodies, Sender([bytes(60)], clock).receive) == bytes(60)
            with pytest.raises(Busy):
                await bodies.read(unknown, Sender([b"x"], clock).receive)
            assert await bodies.read(large, Sender([b"x"], clock).receive) == bytes(90) + b"x"

    asyncio.run(scenario())


def test_body_without_room_beside_finished_ones_is_refused() -> None:
    async def scenario() -> None:
        clock = Clock()
        bodies = Bodies(100, clock)
        with bodies.room() as one, bodies.room() as two:
            for body in (one, two):
                await bodies.read(body, Sender([bytes(100)], clock).receive)
            with pytest.raises(Busy):
                await read(bodies, Sender([b"x"], clock).receive)
        assert await read(bodies, Sender([b"x"], clock).receive) == b"x"

    asyncio.run(scenario())


def test_only_a_part_of_a_refused_body_is_discarded() -> None:
    clock = Clock()
    endless, short = Sender([bytes(60)] * 10, clock), Sender([b"x"] * 3, clock)
    asyncio.run(discard(endless.receive, 100))
    asyncio.run(discard(short.receive, 100))
    assert (endless.sent, short.sent) == (2, 3)
