"""The HTTP/1.1 protocol of the port for Home Assistant's supervisor: it refuses names of users that a browser sent."""

from __future__ import annotations

from collections import Counter
from typing import Any

import h11

from gateway.rest.transport.bridge import MAX_HEADER_BYTES
from gateway.rest.transport.http_protocol import HttpProtocol

USER_HEADERS = (b"X-Remote-User-Id", b"X-Remote-User-Name", b"X-Remote-User-Display-Name")
"""The headers about a user, as the supervisor spells them."""

USER_PREFIX = b"x-remote-user"


class IngressProtocol(HttpProtocol):
    """The protocol of a connection of the supervisor."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn: IngressConnection = IngressConnection(h11.SERVER, MAX_HEADER_BYTES)

    def send_400_response(self, msg: str) -> None:
        """Refuse a request, with the fault of its headers if they have one, and close the connection."""
        super().send_400_response(self.conn.fault or msg)


class IngressConnection(h11.Connection):
    """A connection that shows headers as they were spelled, which the application does not see.

    ``fault``: a sentence about the headers of a request that was refused.
    """

    def __init__(self, our_role: type[h11.SERVER], max_incomplete_event_size: int) -> None:
        super().__init__(our_role, max_incomplete_event_size)
        self.fault = ""

    def next_event(self) -> Any:
        """Return the next event of h11. Raise RemoteProtocolError for a request that may name another user."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self.fault = find_fault([name for name, _ in event.headers.raw_items()])
            if self.fault:
                raise h11.RemoteProtocolError(self.fault)
        return event


def find_fault(names: list[bytes]) -> str:
    """Return a sentence about headers that the supervisor cannot have written, or an empty text.

    ``names``: the names of all headers of a request, as they were spelled.
    """
    # The supervisor removes such a header of a browser only if it has the same spelling. In another spelling it comes
    # in place of the supervisor's own one. Then the spelling is the only difference.
    about_user = [name for name in names if name.lower().replace(b"_", b"-").startswith(USER_PREFIX)]
    if strange := [name for name in about_user if name not in USER_HEADERS]:
        return (
            f"The header {strange[0].decode('latin-1')[:64]} is refused: expected only"
            f" {b', '.join(USER_HEADERS).decode()}, in this spelling, from Home Assistant's supervisor."
        )
    if twice := [name for name, count in Counter(about_user).items() if count > 1]:
        return f"The header {twice[0].decode()} came twice: expected one, from Home Assistant's supervisor."
    return ""
