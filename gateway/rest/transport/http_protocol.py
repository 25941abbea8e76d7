"""The HTTP/1.1 protocol of a connection: that of uvicorn, which can also be ended in the middle of a response."""

from __future__ import annotations

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class HttpProtocol(H11Protocol):
    """The protocol of a connection."""

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are not HTTP, and close the connection.

        They can be a part of a request that is already answered, such as the rest of a body that was too large.
        """
        # In the middle of a response uvicorn would try to send a second one, which h11 does not allow.
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        # The application must send nothing more. Bytes that were sent before still leave.
        self.connection_lost(None)
