"""Uploads of one camera in a folder of the test."""

from __future__ import annotations

from pathlib import Path

from gateway.config import UploadSettings
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.delivery.uploads import Uploads
from gateway.mqtt.transport.ledger import Delivery, Ledger
from gateway.mqtt.transport.packets import Publication, Received
from gateway.mqtt.transport.session import Session
from tests.mqtt.offline import OfflineSession

TOPICS = Topics("facegate")
WHOLE = bytes(range(256)) * 4
MAX_BYTES = 200_000
ANSWER = Publication("facegate/porch/response/face_rec/1", b"{}", qos=1)


class UploadHarness:
    """The uploads, and a camera that sends pieces to them."""

    def __init__(self, folder: Path, **settings: float) -> None:
        self.folder = folder
        self.settings = UploadSettings.model_validate(settings)
        self.last: Delivery[Session] | None = None
        self.restart()

    def restart(self) -> None:
        """Read the uploads again, as a new gateway does, with a new session."""
        self.connect()
        self.uploads = Uploads(self.folder, self.settings, MAX_BYTES, TOPICS.read)

    def connect(self) -> None:
        """Begin a new session, without the deliveries of the previous session."""
        self.session = OfflineSession()
        self.ledger: Ledger[Session] = Ledger()
        self.ledger.begin(self.session, resumed=False)

    def send_piece(self, number: int, of: int, rest: str = "face_rec/1", payload: bytes | None = None) -> bytes | None:
        topic = f"facegate/porch/part/{number}/{of}/{rest}"
        return self.send_piece_on(topic, piece(number, of) if payload is None else payload)

    def send_piece_on(self, topic: str, payload: bytes) -> bytes | None:
        address = TOPICS.read(topic)
        assert address is not None
        assert address.fault is None
        self.last = Delivery(received=Received(topic, payload, retained=False, qos=1), session=self.session, mid=1)
        return self.uploads.add_piece(self.last, address)

    def answer_last(self, *, confirmed: bool = True) -> None:
        """Answer the last piece. ``confirmed``: whether the broker has the answer."""
        assert self.last is not None
        self.ledger.answer(self.last, [ANSWER])
        self.ledger.record_sending(self.session, 1, self.last)
        if confirmed:
            self.confirm_answer()

    def confirm_answer(self) -> None:
        self.ledger.record_confirmed(self.session, 1)

    def wait_until_idle(self) -> None:
        """Let so much time pass that all uploads are idle."""
        for upload in self.uploads._uploads.values():
            upload.last_piece_at -= 10

    def reported_missing(self) -> list[list[int]]:
        return [error.missing for _, error in self.uploads.tick()]

    @property
    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


def piece(number: int, of: int) -> bytes:
    size = -(-len(WHOLE) // of)
    return WHOLE[number * size : (number + 1) * size]


def upload_and_answer(harness: UploadHarness, request: str, pieces: int = 2) -> None:
    """Send a complete upload and confirm its answer."""
    *first, last = [harness.send_piece(number, pieces, f"face_rec/{request}") for number in range(pieces)]
    assert (first, last) == ([None] * (pieces - 1), WHOLE)
    harness.answer_last()
    harness.uploads.tick()
