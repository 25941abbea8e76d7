"""The uploads of all cameras: pieces of requests that are too large for a device or its broker, on the disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from gateway.config import UploadSettings
from gateway.errors import Busy, Conflict, GatewayError, Incomplete, TooLarge
from gateway.mqtt.codec.topics import Address
from gateway.mqtt.delivery.upload_files import UploadReader, join_pieces, remove_upload, write_piece
from gateway.mqtt.delivery.upload_state import Upload, UploadEvent, UploadState, cost_of
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Session

log = logging.getLogger(__name__)

MAX_ANSWERED_UPLOADS = 10_000
"""Answered uploads that are remembered, so that a late piece of one begins no new upload."""

RETRY_AFTER_S = 10
"""The ``retry_after`` of the error busy."""


class Uploads:
    """Uploads by the key of their request, and the limits for all of them. Safe to use from any thread.

    ``max_bytes``: the limit for all pieces of an upload. ``read_topic`` returns the address of a stored upload, or None
    for a topic of other settings. ``warnings``: sentences about damaged files of an earlier run.

    Raises StartError if a damaged file cannot be set aside.
    """

    # A piece is acknowledged when it is on the disk, and so it has to outlive the gateway. If pieces were acknowledged
    # with their answer, they would fill the window of the connection, and no upload would ever be complete.

    def __init__(
        self, folder: Path, settings: UploadSettings, max_bytes: int, read_topic: Callable[[str], Address | None]
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._uploads: dict[str, Upload] = {}
        self._answered_at: dict[str, float] = {}
        """The uploads that were answered within the last keep_s, by their key."""
        self._reader = UploadReader(folder, read_topic)
        for address, path, sizes in self._reader.read():
            # A stored upload begins again: the gateway may have been away for longer than keep_s.
            self._uploads[f"{path.parent.name}/{path.name}"] = Upload(address, path, sizes=sizes)
        for warning in self.warnings:
            log.warning("%s", warning)

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._reader.warnings

    def add_piece(self, delivery: Delivery[Session], address: Address) -> bytes | None:
        """Store the piece. Return the joined pieces if this delivery is to be answered as a request, else None.

        Raises Conflict, TooLarge, Busy, or GatewayError for a disk that fails.
        """
        assert address.key is not None
        assert address.piece is not None
        with self._lock:
            upload = self._uploads.get(address.key) or self._begin(address)
            _check_same_request(upload.address, address)
            if address.piece[0] not in upload.sizes:
                self._store(upload, delivery.received, address.piece[0])
            # The upload is listed only now: a first piece that is refused must not take a place.
            self._uploads[address.key] = upload
            upload.address = address
            if not upload.hand_on(delivery):
                return None
            try:
                return join_pieces(upload.folder, upload.pieces)
            except OSError as error:
                raise _disk_error(error) from None

    def tick(self) -> list[tuple[Address, Incomplete]]:
        """Remove the uploads that are answered or too old. Return the error for each one that has become incomplete."""
        now, incomplete = time.monotonic(), []
        with self._lock:
            oldest_allowed = now - self._settings.keep_s
            self._answered_at = {key: at for key, at in self._answered_at.items() if at >= oldest_allowed}
            self._remove_answered()
            for key, upload in list(self._uploads.items()):
                if upload.allows(UploadEvent.IDLE) and now > upload.last_piece_at + self._settings.idle_s:
                    upload.apply(UploadEvent.IDLE)
                    if upload.state is UploadState.INCOMPLETE:
                        incomplete.append((upload.address, upload.incomplete_error()))
                if upload.began_at < oldest_allowed:
                    self._remove(key, UploadEvent.EXPIRED)
        return incomplete

    def _remove_answered(self) -> None:
        """Remove the uploads that are answered, and remember that they were."""
        for key in [key for key, upload in self._uploads.items() if upload.answered]:
            self._answered_at[key] = time.monotonic()
            self._remove(key, UploadEvent.ANSWERED)
        while len(self._answered_at) > MAX_ANSWERED_UPLOADS:
            del self._answered_at[next(iter(self._answered_at))]

    def _begin(self, address: Address) -> Upload:
        assert address.key is not None
        assert address.piece is not None
        if address.piece[1] > self._settings.pieces:
            raise TooLarge(
                f"an upload may have {self._settings.pieces} pieces, and this one has {address.piece[1]}: send larger"
                " pieces"
            )
        # Otherwise a quick camera would get ``busy`` because of uploads that have their answer.
        self._remove_answered()
        of_camera = [key for key in self._uploads if key.startswith(f"{address.origin.camera}/")]
        if len(of_camera) >= self._settings.per_camera:
            abandoned = next((key for key in of_camera if self._uploads[key].state is UploadState.ABANDONED), None)
            if abandoned is None:
                raise Busy(
                    f"{self._settings.per_camera} uploads of this camera are not complete: complete one first",
                    RETRY_AFTER_S,
                )
            self._remove(abandoned, UploadEvent.DISPLACED)
        return Upload(address, self._folder / address.key, repeated=address.key in self._answered_at)

    def _store(self, upload: Upload, received: Received, number: int) -> None:
        piece = received.payload
        if upload.size + len(piece) > self._max_bytes:
            raise TooLarge(
                f"all pieces together may have {self._max_bytes} bytes, and they have more: send a smaller picture"
            )
        self._make_room(upload, cost_of(len(piece)))
        try:
            write_piece(upload.folder, received.topic, number, piece)
        except OSError as error:
            if not upload.sizes:
                # The upload is in no list yet. Without this its files would stay for ever.
                remove_upload(upload.folder)
            raise _disk_error(error) from None
        upload.add(number, len(piece))

    def _make_room(self, upload: Upload, cost: int) -> None:
        """Remove idle uploads of any camera until there is room for one more piece. Raises Busy if there is none."""
        settings, others = self._settings, {key: each for key, each in self._uploads.items() if each is not upload}
        count, total = len(others) + 1, upload.cost + cost + sum(each.cost for each in others.values())
        idle = sorted((each.last_piece_at, key) for key, each in others.items() if each.allows(UploadEvent.DISPLACED))
        while count > settings.at_once or total > settings.bytes:
            if not idle:
                limit = (
                    f"{settings.at_once} uploads" if count > settings.at_once else f"uploads of {settings.bytes} bytes"
                )
                raise Busy(f"{limit} are under way: send the piece again later", RETRY_AFTER_S)
            _, key = idle.pop(0)
            count, total = count - 1, total - others[key].cost
            self._remove(key, UploadEvent.DISPLACED)

    def _remove(self, key: str, event: UploadEvent) -> None:
        upload = self._uploads.pop(key)
        upload.apply(event)
        remove_upload(upload.folder)


def _check_same_request(before: Address, now: Address) -> None:
    """Check that the piece belongs to the same request. Raises Conflict if two requests use the same id."""
    assert before.piece is not None
    assert now.piece is not None
    if (before.operation, before.person, before.piece[1]) != (now.operation, now.person, now.piece[1]):
        raise Conflict(
            f"the id of this upload ({now.key}) belongs to an upload with another operation, person or number of"
            " pieces: give every upload an id of its own"
        )


def _disk_error(error: OSError) -> GatewayError:
    return GatewayError(f"the piece cannot be stored on the gateway's disk: {error.strerror}")
