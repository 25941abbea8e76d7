"""An upload and the table of its states.

A device may be too small to send a whole picture in one message. Then it sends the picture in pieces. Each piece is
acknowledged when it is on the disk. The piece that completes the upload is acknowledged like any other request: when
the broker has the answer.

A device that is not sure about a piece sends it again. So pieces may come after the answer, too. They begin a second
upload, of a request that is already answered. Most such uploads stay incomplete, and nobody waits for them: no error is
sent, and other uploads of the camera take their place. But the answer may have been lost. If all pieces come again, the
request is answered again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Final

from gateway.contract.base import MAX_LISTED
from gateway.errors import Incomplete
from gateway.mqtt.codec.topics import Address
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.session import Session

BLOCK_BYTES = 4096
"""The bytes that the smallest file takes on the disk. An empty piece counts as much in the budget."""
UPLOAD_OVERHEAD_BYTES = 2 * BLOCK_BYTES
"""The bytes of an upload without its pieces: its folder, and the file with its topic."""


class UploadState(Enum):
    COLLECTING = "pieces are missing"
    INCOMPLETE = "pieces are missing, and the device got the error incomplete"
    REPEATED = "pieces are missing, of a request that is already answered"
    ABANDONED = "pieces are missing, of an answered request, and none has come for a while"
    COMPLETE = "all pieces are on the disk"
    HANDED_ON = "the joined pieces are a request now, whose answer the broker does not have yet"
    REMOVED = "the upload is removed from the disk"


class UploadEvent(Enum):
    PIECE = "a new piece is on the disk, and others are missing"
    LAST_PIECE = "the last missing piece is on the disk"
    IDLE = "no new piece has come for uploads.idle_s"
    HAND_ON = "the pieces are joined and handed on as a request"
    ANSWERED = "the broker has the answer"
    DISPLACED = "another upload needs the room"
    EXPIRED = "the upload began uploads.keep_s ago"


# The actions, which Uploads carries out:
# - IDLE in COLLECTING: the device gets the error incomplete, with the missing numbers. In REPEATED nobody does.
# - HAND_ON comes with the piece that completes the upload. After a restart a stored COMPLETE upload waits for another
#   copy: its last piece was not acknowledged, and the broker delivers that piece again.
# - HAND_ON in HANDED_ON: a copy of any piece has come, and the answer is confirmed, or its connection is lost. So the
#   device may have missed the answer. While the answer is still to come on the same connection, a copy does nothing.
# - ANSWERED: the request id is remembered for uploads.keep_s. Until then further pieces begin in REPEATED.
# - DISPLACED in INCOMPLETE: only for the limits of all cameras together. In ABANDONED also for those of the camera.
TRANSITIONS: Final[Mapping[UploadState, Mapping[UploadEvent, UploadState]]] = {
    UploadState.COLLECTING: {
        UploadEvent.PIECE: UploadState.COLLECTING,
        UploadEvent.LAST_PIECE: UploadState.COMPLETE,
        UploadEvent.IDLE: UploadState.INCOMPLETE,
        UploadEvent.EXPIRED: UploadState.REMOVED,
    },
    UploadState.INCOMPLETE: {
        UploadEvent.PIECE: UploadState.COLLECTING,
        UploadEvent.LAST_PIECE: UploadState.COMPLETE,
        UploadEvent.DISPLACED: UploadState.REMOVED,
        UploadEvent.EXPIRED: UploadState.REMOVED,
    },
    UploadState.REPEATED: {
        UploadEvent.PIECE: UploadState.REPEATED,
        UploadEvent.LAST_PIECE: UploadState.COMPLETE,
        UploadEvent.IDLE: UploadState.ABANDONED,
        UploadEvent.EXPIRED: UploadState.REMOVED,
    },
    UploadState.ABANDONED: {
        UploadEvent.PIECE: UploadState.REPEATED,
        UploadEvent.LAST_PIECE: UploadState.COMPLETE,
        UploadEvent.DISPLACED: UploadState.REMOVED,
        UploadEvent.EXPIRED: UploadState.REMOVED,
    },
    UploadState.COMPLETE: {
        UploadEvent.HAND_ON: UploadState.HANDED_ON,
        UploadEvent.EXPIRED: UploadState.REMOVED,
    },
    UploadState.HANDED_ON: {
        UploadEvent.HAND_ON: UploadState.HANDED_ON,
        UploadEvent.ANSWERED: UploadState.REMOVED,
        UploadEvent.EXPIRED: UploadState.REMOVED,
    },
    UploadState.REMOVED: {},
}


class Upload:
    """The pieces of one request on the disk, and the upload's state.

    ``sizes``: the bytes of each piece, by its number from 0. ``cost``: bytes on the disk, in whole blocks.
    ``delivery``: the piece with which the upload was handed on last. Its answer is the answer to the upload.
    """

    def __init__(
        self, address: Address, folder: Path, *, repeated: bool = False, sizes: Mapping[int, int] | None = None
    ) -> None:
        self.address = address
        self.folder = folder
        self.sizes = dict(sizes or {})
        self.size = sum(self.sizes.values())
        self.cost = UPLOAD_OVERHEAD_BYTES + sum(map(cost_of, self.sizes.values()))
        self.began_at = self.last_piece_at = time.monotonic()
        self.delivery: Delivery[Session] | None = None
        self._state = UploadState.REPEATED if repeated else UploadState.COLLECTING
        if not self.missing:
            self.apply(UploadEvent.LAST_PIECE)

    @property
    def state(self) -> UploadState:
        return self._state

    def apply(self, event: UploadEvent) -> None:
        """Go to the next state. Raises KeyError for an event that the table does not have for the present state."""
        self._state = TRANSITIONS[self._state][event]

    def allows(self, event: UploadEvent) -> bool:
        return event in TRANSITIONS[self._state]

    @property
    def pieces(self) -> int:
        """The number of pieces of the complete upload."""
        assert self.address.piece is not None
        return self.address.piece[1]

    @property
    def missing(self) -> list[int]:
        return [number for number in range(self.pieces) if number not in self.sizes]

    def add(self, number: int, size: int) -> None:
        """Count a new piece, which is on the disk."""
        self.sizes[number] = size
        self.size += size
        self.cost += cost_of(size)
        self.last_piece_at = time.monotonic()
        self.apply(UploadEvent.PIECE if self.missing else UploadEvent.LAST_PIECE)

    def hand_on(self, delivery: Delivery[Session]) -> bool:
        """Go to HANDED_ON with the delivery of this piece. Return False if the upload must not be handed on now."""
        if not self.allows(UploadEvent.HAND_ON) or self._is_pending_on(delivery.session):
            return False
        self.apply(UploadEvent.HAND_ON)
        self.delivery = delivery
        return True

    @property
    def answered(self) -> bool:
        """True if the broker has the answer to the upload."""
        return self.delivery is not None and self.delivery.settled

    def incomplete_error(self) -> Incomplete:
        """Return the error for the device, with the numbers of the first missing pieces."""
        missing = self.missing
        return Incomplete(f"{len(missing)} of {self.pieces} pieces are missing", missing[:MAX_LISTED])

    def _is_pending_on(self, session: Session) -> bool:
        """Return whether this session still has to send the answer."""
        return self.delivery is not None and self.delivery.session is session and not self.delivery.settled


def cost_of(size: int) -> int:
    """Return the bytes that a file of that size takes on the disk, in whole blocks."""
    return max(1, -(-size // BLOCK_BYTES)) * BLOCK_BYTES
