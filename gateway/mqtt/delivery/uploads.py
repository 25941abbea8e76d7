"""Pieces of uploads that are too large for a device or its broker, on the disk until they make a whole."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config import UploadSettings
from gateway.contract.documents import MOST_TOLD
from gateway.errors import Busy, Conflict, GatewayError, Incomplete, TooLarge
from gateway.mqtt.codec.topics import Address
from gateway.mqtt.delivery.upload_files import UploadReader, read_whole, remove_upload, write_piece
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Session

log = logging.getLogger(__name__)

RETRY_AFTER_S = 10

BLOCK_BYTES = 4096
"""The bytes that the smallest file takes on the disk, and what it counts in the budget: empty pieces are not free."""
UPLOAD_OVERHEAD_BYTES = 2 * BLOCK_BYTES
"""Of an upload's own: its folder, and the file with its topic."""


@dataclass(slots=True, eq=False)
class Upload:
    """``sizes``: bytes of the pieces that are here, by number. ``last``: when a new one came; ``told``: that it is
    incomplete. ``whole``: the piece that made it whole, and is answered for all of them. ``late``: the same has been
    answered; this is the rest of a repetition that the answer came amid, which nobody waits for, and gives way to
    others when it is ``told`` (nobody is). Or it becomes whole: the answer was lost, or not the last word.
    """

    address: Address
    folder: Path
    late: bool
    sizes: dict[int, int] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    told: bool = False
    whole: Delivery[Session] | None = None
    size: int = field(init=False)
    cost: int = field(init=False)
    """Bytes on the disk, in whole blocks."""

    def __post_init__(self) -> None:
        self.size = sum(self.sizes.values())
        self.cost = UPLOAD_OVERHEAD_BYTES + sum(map(cost_of, self.sizes.values()))

    @property
    def of(self) -> int:
        assert self.address.piece is not None
        return self.address.piece[1]

    @property
    def complete(self) -> bool:
        return len(self.sizes) == self.of

    @property
    def missing(self) -> list[int]:
        return [number for number in range(self.of) if number not in self.sizes]

    def awaited(self, link: Session) -> bool:
        """Whether the answer to the whole is to come on that link."""
        return self.whole is not None and self.whole.session is link and not self.whole.settled

    @property
    def answered(self) -> bool:
        return self.whole is not None and self.whole.settled

    def count(self, number: int, size: int) -> None:
        """A new piece is on the disk."""
        self.sizes[number] = size
        self.size += size
        self.cost += cost_of(size)
        self.last, self.told = time.monotonic(), False


def cost_of(size: int) -> int:
    """Return the bytes that a file of that size takes, in whole blocks."""
    return max(1, -(-size // BLOCK_BYTES)) * BLOCK_BYTES


class Uploads:
    """Safe to use from any thread. A piece is acknowledged to its broker once it is here, since the window would
    fill with pieces otherwise, and no picture ever be whole; so they must outlive us. ``max_bytes``: of a whole.

    ``warnings``: sentences about what an earlier run left and this one cannot read. Raises StartError.
    """

    def __init__(
        self, folder: Path, settings: UploadSettings, max_bytes: int, read_topic: Callable[[str], Address | None]
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._uploads: dict[str, Upload] = {}
        self._answered: dict[str, float] = {}
        """When they were, of the last keep_s."""
        self._reader = UploadReader(folder, read_topic)
        for address, path, sizes in self._reader.read():
            # For as long again: the gateway may have been away.
            self._uploads[f"{path.parent.name}/{path.name}"] = Upload(address, path, late=False, sizes=sizes)
        for warning in self.warnings:
            log.warning("%s", warning)

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._reader.warnings

    def add(self, delivery: Delivery[Session], address: Address) -> bytes | None:
        """The whole, if it is one by now; a further copy of a piece gives it again, if that has been answered or cannot
        be any more. Raises GatewayError.
        """
        assert address.key is not None
        assert address.piece is not None
        with self._lock:
            upload = self._uploads.get(address.key) or self._begin(address)
            before = upload.address
            if (before.operation, before.person, upload.of) != (address.operation, address.person, address.piece[1]):
                raise Conflict(f"pieces of something else came as {address.key}: every upload needs an id of its own")
            if address.piece[0] not in upload.sizes:
                self._keep(upload, delivery.received, address.piece[0])
            self._uploads[address.key] = upload  # no sooner: what is refused takes nobody's place
            upload.address = address
            if not upload.complete or upload.awaited(delivery.session):
                return None
            upload.whole = delivery
            try:
                return read_whole(upload.folder, upload.of)
            except OSError as error:
                raise _not_kept(error) from None

    def due(self) -> list[tuple[Address, Incomplete]]:
        """Uploads that nothing was added to for a while, each told once. Those that are answered, or too old, go."""
        now, told = time.monotonic(), []
        with self._lock:
            self._answered = {key: at for key, at in self._answered.items() if now <= at + self._settings.keep_s}
            for key, upload in list(self._uploads.items()):
                if not upload.complete and not upload.told and now > upload.last + self._settings.idle_s:
                    upload.told = True
                    if not upload.late:
                        told.append((upload.address, _incomplete(upload)))
                if upload.answered:
                    self._answered[key] = now
                if upload.answered or now > upload.began + self._settings.keep_s:
                    self._drop(key)
        return told

    def _begin(self, address: Address) -> Upload:
        assert address.key is not None
        assert address.piece is not None
        if address.piece[1] > self._settings.pieces:
            raise TooLarge(f"an upload may have {self._settings.pieces} pieces")
        of_camera = [key for key in self._uploads if key.startswith(f"{address.origin.camera}/")]
        if len(of_camera) >= self._settings.per_camera:
            late = next((key for key in of_camera if self._uploads[key].late and self._uploads[key].told), None)
            if late is None:
                raise Busy(f"{self._settings.per_camera} uploads of this camera are under way", RETRY_AFTER_S)
            self._drop(late)
        return Upload(address, self._folder / address.key, late=address.key in self._answered)

    def _keep(self, upload: Upload, received: Received, number: int) -> None:
        piece = received.payload
        if upload.size + len(piece) > self._max_bytes:
            raise TooLarge(f"the whole has more than {self._max_bytes} bytes")
        self._make_room(upload, cost_of(len(piece)))
        try:
            write_piece(upload.folder, received.topic, number, piece)
        except OSError as error:
            if not upload.sizes:  # nobody knows of it yet, or would delete it
                remove_upload(upload.folder)
            raise _not_kept(error) from None
        upload.count(number, len(piece))

    def _make_room(self, upload: Upload, cost: int) -> None:
        """For one more piece. An upload that nothing was added to for a while gives way. Raises Busy."""
        settings, others = self._settings, {key: each for key, each in self._uploads.items() if each is not upload}
        count, total = len(others) + 1, upload.cost + cost + sum(each.cost for each in others.values())
        idle = sorted((each.last, key) for key, each in others.items() if each.told)
        while count > settings.at_once or total > settings.bytes:
            if not idle:
                many = (
                    f"{settings.at_once} uploads" if count > settings.at_once else f"uploads of {settings.bytes} bytes"
                )
                raise Busy(f"{many} are under way", RETRY_AFTER_S)
            _, key = idle.pop(0)
            count, total = count - 1, total - others[key].cost
            self._drop(key)

    def _drop(self, key: str) -> None:
        remove_upload(self._uploads.pop(key).folder)


def _incomplete(upload: Upload) -> Incomplete:
    missing = upload.missing
    return Incomplete(f"{len(missing)} of {upload.of} pieces are missing", missing[:MOST_TOLD])


def _not_kept(error: OSError) -> GatewayError:
    return GatewayError(f"the piece cannot be kept: {error.strerror}")
