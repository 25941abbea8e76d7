"""The path of a piece: it is stored, and the last piece of an upload turns all pieces into a query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gateway.mqtt.codec.inbound import Ignored, Piece, Reader
from gateway.mqtt.delivery.uploads import Uploads
from gateway.mqtt.intake import Intake
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.queries import Queries
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.session import Session


class Pieces:
    """The handler of pieces, and of uploads whose pieces do not come.

    ``owns``: returns whether this gateway answers a camera's pieces.
    """

    def __init__(
        self,
        uploads: Uploads,
        reader: Reader,
        intake: Intake,
        queries: Queries,
        outbox: Outbox,
        owns: Callable[[str], bool],
    ) -> None:
        self._uploads = uploads
        self._reader = reader
        self._intake = intake
        self._queries = queries
        self._outbox = outbox
        self._owns = owns

    def add(self, delivery: Delivery[Session], piece: Piece) -> None:
        """Acknowledge the piece, or answer the query that it completes. Raises GatewayError."""
        joined = self._uploads.add_piece(delivery, piece.address)
        if joined is None:
            self._outbox.acknowledge(delivery)
            return
        query = self._reader.read_query(replace(piece.received, payload=joined), piece.suspect)
        # The reader ignored none of the pieces, so it does not ignore the whole upload.
        assert not isinstance(query, Ignored)
        self._intake.hand_on(delivery, query, self._queries.ask)

    def tick(self, session: Session) -> None:
        """Report the uploads whose pieces do not come."""
        for address, error in self._uploads.tick():
            # The other pieces may have come to another replica, which answers.
            if self._owns(str(address.origin.camera)):
                self._outbox.fail(Delivery(session=session), address, error)
