"""The way of a response to its client: whole responses, and streams, which have no end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from werkzeug.wrappers import Response

from gateway.rest.transport.environ import Message, Receive, Send, Stream, StreamSlot

SEND_BYTES = 65_536
"""The most bytes of a response that are handed over in one step."""

SEND_S = 30.0
"""The longest time in which a client may read nothing of its response."""


SERVER_HEADERS = frozenset({"date", "server"})
"""The headers that uvicorn adds to each response. Flask adds a date of its own to some."""


class BridgeResponse(Response):
    """A response of Flask. ``endless``: its body, if that is a stream."""

    endless: Stream | None = None

    def take_stream(self, slot: StreamSlot) -> None:
        """Send the stream that Flask put into the slot, if there is one."""
        self.endless = slot.stream


async def send_response(response: Response, send: Send) -> None:
    """Send a response, but not its end. Raise asyncio.TimeoutError if the client reads nothing for SEND_S."""
    await send(_start(response))
    content = response.get_data()
    for start in range(0, len(content), SEND_BYTES):
        await _send_piece(content[start : start + SEND_BYTES], send)


async def send_stream(response: Response, stream: Stream, receive: Receive, send: Send) -> None:
    """Send a response whose body is a stream, but not its end, until the stream ends or the client leaves.

    Raise asyncio.TimeoutError if the client reads nothing for SEND_S.
    """
    # Flask has seen an empty body.
    response.headers.remove("Content-Length")
    await send(_start(response))
    sending = asyncio.ensure_future(_send_pieces(stream, send))
    leaving = asyncio.ensure_future(wait_for_disconnect(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        # A task that is in wait_for may miss its cancellation before Python 3.12. The stream ends by itself instead.
        stream.end_now()
        leaving.cancel()
    await sending


def _start(response: Response) -> Message:
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in response.headers
        if name.lower() not in SERVER_HEADERS
    ]
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


async def _send_piece(piece: bytes, send: Send) -> None:
    # The server waits here while the client has not read the pieces before.
    await asyncio.wait_for(send({"type": "http.response.body", "body": piece, "more_body": True}), SEND_S)


async def _send_pieces(stream: Stream, send: Send) -> None:
    async with aclosing(stream.pieces()) as pieces:
        async for piece in pieces:
            await _send_piece(piece, send)


async def wait_for_disconnect(receive: Receive) -> None:
    """Wait until the connection has ended."""
    while (await receive())["type"] != "http.disconnect":
        pass
