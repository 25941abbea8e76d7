"""Pieces of uploads that are too large for a device or its broker, on the disk until they make a whole."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config import UploadSettings
from gateway.documents import MOST_TOLD
from gateway.errors import Busy, Conflict, GatewayError, Incomplete, TooLarge
from gateway.mqtt.ledger import Delivery
from gateway.mqtt.link import Link
from gateway.mqtt.messages import Received
from gateway.mqtt.topics import Address

RETRY_S = 10


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
    whole: Delivery[Link] | None = None

    @property
    def of(self) -> int:
        assert self.address.piece is not None
        return self.address.piece[1]

    @property
    def missing(self) -> list[int]:
        return [number for number in range(self.of) if number not in self.sizes]

    @property
    def size(self) -> int:
        return sum(self.sizes.values())

    def awaited(self, link: Link) -> bool:
        """Whether the answer to the whole is to come on that link."""
        return self.whole is not None and self.whole.link is link and not self.whole.settled

    @property
    def answered(self) -> bool:
        return self.whole is not None and self.whole.settled

    def read(self) -> bytes:
        return b"".join((self.folder / str(number)).read_bytes() for number in range(self.of))


class Spool:
    """Safe to use from any thread. A piece is acknowledged to its broker once it is here, since the window would
    fill with pieces otherwise, and no picture ever be whole; so they must outlive us. ``max_bytes``: of a whole.
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
        for path in folder.glob("*/*/topic"):
            self._find(path.parent, read_topic(path.read_text()))

    def add(self, delivery: Delivery[Link], address: Address) -> bytes | None:
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
            if upload.missing or upload.awaited(delivery.link):
                return None
            upload.whole = delivery
            try:
                return upload.read()
            except OSError as error:
                raise _not_kept(error) from None

    def due(self) -> list[tuple[Address, Incomplete]]:
        """Uploads that nothing was added to for a while, each told once. Those that are answered, or too old, go."""
        now, told = time.monotonic(), []
        with self._lock:
            self._answered = {key: at for key, at in self._answered.items() if now <= at + self._settings.keep_s}
            for key, upload in list(self._uploads.items()):
                if upload.missing and not upload.told and now > upload.last + self._settings.idle_s:
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
                raise Busy(f"{self._settings.per_camera} uploads of this camera are under way", RETRY_S)
            self._drop(late)
        return Upload(address, self._folder / address.key, late=address.key in self._answered)

    def _keep(self, upload: Upload, received: Received, number: int) -> None:
        piece = received.payload
        if upload.size + len(piece) > self._max_bytes:
            raise TooLarge(f"the whole has more than {self._max_bytes} bytes")
        if sum(each.size for each in self._uploads.values()) + len(piece) > self._settings.bytes:
            raise Busy(f"uploads of {self._settings.bytes} bytes are under way", RETRY_S)
        try:
            self._write(upload, received, number)
        except OSError as error:
            if not upload.sizes:  # nobody knows of it yet, or would delete it
                shutil.rmtree(upload.folder, ignore_errors=True)
            raise _not_kept(error) from None
        upload.sizes[number] = len(piece)
        upload.last, upload.told = time.monotonic(), False

    def _write(self, upload: Upload, received: Received, number: int) -> None:
        if not upload.sizes:
            upload.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (upload.folder / "topic").write_text(received.topic)
        path = upload.folder / str(number)
        new = path.with_suffix(".new")
        new.write_bytes(received.payload)
        new.replace(path)

    def _drop(self, key: str) -> None:
        shutil.rmtree(self._uploads.pop(key).folder, ignore_errors=True)

    def _find(self, folder: Path, address: Address | None) -> None:
        """What an earlier run has left, for as long again."""
        if address is None or address.key is None or address.piece is None:  # the settings have changed
            shutil.rmtree(folder, ignore_errors=True)
            return
        sizes = {int(path.name): path.stat().st_size for path in folder.iterdir() if path.name.isdigit()}
        self._uploads[address.key] = Upload(address, folder, late=False, sizes=sizes)


def _incomplete(upload: Upload) -> Incomplete:
    missing = upload.missing
    return Incomplete(f"{len(missing)} of {upload.of} pieces are missing", missing[:MOST_TOLD])


def _not_kept(error: OSError) -> GatewayError:
    return GatewayError(f"the piece cannot be kept: {error.strerror}")
