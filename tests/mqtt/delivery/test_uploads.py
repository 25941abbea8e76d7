"""Pieces of a picture, acknowledged once they are here: whatever is lost from here on is lost for good."""

from __future__ import annotations

import errno
import os
import random
import time
from pathlib import Path

import pytest

from gateway.config import UploadSettings
from gateway.contract.documents import MOST_TOLD
from gateway.errors import Busy, Conflict, GatewayError, TooLarge
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.delivery.uploads import BLOCK_BYTES, RETRY_AFTER_S, UPLOAD_OVERHEAD_BYTES, Uploads
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Session
from tests.mqtt.offline import OfflineSession

TOPICS = Topics("facegate")
WHOLE = bytes(range(256)) * 4
MAX_BYTES = 200_000


class Table:
    """A spool, and the pieces that are put on it."""

    def __init__(self, folder: Path, **settings: float) -> None:
        self.folder = folder
        self.session = OfflineSession()
        self.uploads = Uploads(folder, UploadSettings.model_validate(settings), MAX_BYTES, TOPICS.read)
        self.last: Delivery[Session] | None = None

    def add(self, number: int, of: int, rest: str = "face_rec/1", payload: bytes | None = None) -> bytes | None:
        topic = f"facegate/porch/part/{number}/{of}/{rest}"
        return self.put(topic, piece(number, of) if payload is None else payload)

    def put(self, topic: str, payload: bytes) -> bytes | None:
        address = TOPICS.read(topic)
        assert address is not None
        assert address.fault is None
        self.last = Delivery(received=Received(topic, payload, retained=False, qos=1), session=self.session, mid=1)
        return self.uploads.add(self.last, address)

    def waits(self) -> None:
        """For longer than a piece may be missing before that is told."""
        for upload in self.uploads._uploads.values():
            upload.last -= 10

    def missing(self) -> list[list[int]]:
        return [error.missing for _, error in self.uploads.due()]

    @property
    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


def piece(number: int, of: int) -> bytes:
    size = -(-len(WHOLE) // of)
    return WHOLE[number * size : (number + 1) * size]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "uploads", idle_s=5)


def test_pieces_make_a_whole_in_whatever_order_they_come(table: Table) -> None:
    for seed in range(10):
        numbers = list(range(12))
        random.Random(seed).shuffle(numbers)
        *others, last = numbers
        assert [table.add(number, 12, f"face_rec/{seed}") for number in others] == [None] * 11
        assert table.add(last, 12, f"face_rec/{seed}") == WHOLE
        assert table.last is not None
        table.last.replies = []
        assert table.missing() == []


def test_a_piece_that_comes_twice_counts_once(table: Table) -> None:
    assert table.add(0, 2) is None
    assert table.add(0, 2, payload=b"something else") is None
    assert table.add(1, 2) == WHOLE


def test_every_further_copy_of_a_piece_gives_the_whole_again(table: Table) -> None:
    """The answer was lost with the connection, and the device repeats: without it, it would be told nothing."""
    table.add(0, 2)
    assert table.add(1, 2) == WHOLE
    table.session = OfflineSession()
    assert table.add(1, 2) == WHOLE
    assert table.last is not None
    table.last.replies = []
    assert table.add(0, 2) == WHOLE


def test_a_copy_of_a_piece_costs_nothing_while_the_answer_is_to_come(table: Table) -> None:
    """One byte made us read the whole again, and hold it until the first was answered."""
    table.add(0, 2)
    assert [table.add(number, 2) for number in (1, 1, 0)] == [WHOLE, None, None]


def test_a_single_piece_is_a_whole(table: Table) -> None:
    assert table.add(0, 1) == WHOLE


def test_missing_pieces_are_told_once_and_again_after_another_piece(table: Table) -> None:
    table.add(3, 5)
    assert table.missing() == []
    table.waits()
    assert table.missing() == [[0, 1, 2, 4]]
    assert table.missing() == []
    table.add(3, 5)  # a copy is no progress
    table.waits()
    assert table.missing() == []
    table.add(1, 5)
    assert table.missing() == []
    table.waits()
    ((address, error),) = table.uploads.due()
    assert error.missing == [0, 2, 4]
    assert str(error) == "3 of 5 pieces are missing"
    assert (address.reply_topic, address.verdict_topic) == (
        "facegate/porch/response/face_rec/1",
        "facegate/porch/verdict/1",
    )


def test_of_many_that_are_missing_the_first_are_told(table: Table) -> None:
    """A list of thousands does not fit into the buffer of the device that is to read it."""
    table.add(0, 250)
    table.waits()
    ((_, error),) = table.uploads.due()
    assert error.missing == list(range(1, MOST_TOLD + 1))
    assert str(error).startswith("249 of 250")


def test_a_whole_is_not_told_to_be_incomplete(table: Table) -> None:
    table.add(0, 1)
    table.waits()
    assert table.missing() == []


def test_an_upload_of_too_many_pieces_is_refused(tmp_path: Path) -> None:
    table = Table(tmp_path / "uploads", pieces=4)
    with pytest.raises(TooLarge, match="may have 4 pieces"):
        table.add(0, 5)
    assert table.add(0, 4) is None
    assert table.files == ["porch/1/0", "porch/1/topic"]


def test_a_camera_has_so_many_uploads_under_way_and_others_have_theirs(tmp_path: Path) -> None:
    table = Table(tmp_path / "uploads", per_camera=2)
    for request in "ab":
        table.add(0, 2, f"face_rec/{request}")
    with pytest.raises(Busy, match="2 uploads of this camera") as refused:
        table.add(0, 2, "face_rec/c")
    assert refused.value.retry_after == RETRY_AFTER_S
    assert table.put("facegate/porch2/part/0/2/face_rec/c", b"x") is None
    assert table.add(1, 2, "face_rec/a") == WHOLE
    assert table.last is not None
    table.last.replies = []
    table.uploads.due()
    assert table.add(0, 2, "face_rec/c") is None


def test_all_uploads_together_have_so_many_bytes(tmp_path: Path) -> None:
    table = Table(tmp_path / "uploads", bytes=100_000)
    table.add(0, 2, "face_rec/a", bytes(50_000))
    with pytest.raises(Busy, match="100000 bytes are under way"):
        table.put("facegate/yard/part/0/2/face_rec/b", bytes(50_000))
    assert table.put("facegate/yard/part/1/2/face_rec/b", bytes(20_000)) is None


def test_empty_pieces_and_empty_uploads_count_in_the_budget(tmp_path: Path) -> None:
    """Regression: 8,000 empty pieces counted for nothing, and raised the latency of others to 21 s."""
    table = Table(tmp_path / "uploads", bytes=100_000, at_once=1000)
    taken = 100_000 // (UPLOAD_OVERHEAD_BYTES + BLOCK_BYTES)
    for n in range(taken):
        table.put(f"facegate/cam{n}/part/0/2/face_rec/a", b"")
    with pytest.raises(Busy, match="100000 bytes are under way"):
        table.put("facegate/yard/part/0/2/face_rec/a", b"")
    assert len(list(table.folder.iterdir())) == taken


def test_empty_piece_at_the_end_is_a_piece(table: Table) -> None:
    """A device that cuts a picture in equal pieces may have one left with nothing in it."""
    table.add(0, 2, payload=WHOLE)
    assert table.add(1, 2, payload=b"") == WHOLE


def test_all_cameras_together_have_so_many_uploads(tmp_path: Path) -> None:
    table = Table(tmp_path / "uploads", at_once=3)
    for camera in "abc":
        table.put(f"facegate/{camera}/part/0/2/face_rec/1", b"x")
    with pytest.raises(Busy, match="3 uploads are under way"):
        table.put("facegate/d/part/0/2/face_rec/1", b"x")
    assert not (table.folder / "d").exists()
    assert table.put("facegate/a/part/1/2/face_rec/1", b"x") == b"xx"


def test_upload_that_nothing_comes_for_gives_way_to_another(tmp_path: Path) -> None:
    """Or the names of somebody who begins uploads and never ends one keep everybody out for a minute."""
    table = Table(tmp_path / "uploads", at_once=2, idle_s=5)
    table.put("facegate/a/part/0/2/face_rec/1", b"x")
    table.put("facegate/b/part/0/2/face_rec/1", b"x")
    table.waits()
    assert len(table.missing()) == 2
    table.put("facegate/b/part/1/3/face_rec/2", b"x")
    assert not (table.folder / "a").exists()
    assert (table.folder / "b" / "1").exists()


@pytest.mark.parametrize("end", ["answered", "too old", "at the next start"])
def test_no_folder_of_an_upload_is_left(tmp_path: Path, end: str) -> None:
    """Regression: each camera name that anybody had sent left an empty folder for ever."""
    table = Table(tmp_path / "uploads", keep_s=1000)
    table.add(0, 2)
    if end == "answered":
        table.add(1, 2)
        assert table.last is not None
        table.last.replies = []
    for upload in table.uploads._uploads.values():
        upload.began -= 2000
    if end == "at the next start":
        (table.folder / "porch" / "1" / "0").unlink()
        (table.folder / "yard").mkdir()
        Table(table.folder)
    else:
        table.uploads.due()
    assert list(table.folder.iterdir()) == []


def test_a_whole_that_is_too_large_is_refused_at_the_piece_that_makes_it_so(table: Table) -> None:
    table.add(0, 3, payload=bytes(MAX_BYTES - 1))
    with pytest.raises(TooLarge, match=f"more than {MAX_BYTES} bytes"):
        table.add(1, 3, payload=b"xx")
    assert table.add(1, 3, payload=b"x") is None


@pytest.mark.parametrize("other", ["1/3/face_rec/1", "1/2/detect/1", "1/2/face_rec/1/bob"])
def test_pieces_of_something_else_by_the_same_id_are_a_conflict(table: Table, other: str) -> None:
    """Two pictures made into one: at best it cannot be read, at worst somebody is enrolled by half of it."""
    table.add(0, 2, "face_rec/1")
    with pytest.raises(Conflict, match="porch/1"):
        table.put(f"facegate/porch/part/{other}", b"x")
    assert table.add(1, 2, "face_rec/1") == WHOLE


def test_the_same_id_of_another_camera_is_another_upload(table: Table) -> None:
    table.add(0, 2)
    assert table.put("facegate/yard/part/1/2/face_rec/1", b"x") is None
    assert table.add(1, 2) == WHOLE


def test_what_an_earlier_run_took_is_still_there(table: Table) -> None:
    """It was acknowledged: the broker will not deliver it again."""
    table.add(2, 3, "verify/1/bob")
    table.add(0, 3, "verify/1/bob")
    later = Table(table.folder, idle_s=5)
    later.waits()
    assert later.missing() == [[1]]
    with pytest.raises(Conflict):
        later.add(1, 3, "verify/1/alice")
    assert later.add(1, 3, "verify/1/bob") == WHOLE


def test_the_piece_that_makes_it_whole_makes_it_whole_after_a_crash_too(table: Table) -> None:
    """Killed before the answer: that piece was not acknowledged, and comes again."""
    table.add(0, 2)
    assert table.add(1, 2) == WHOLE
    later = Table(table.folder)
    assert later.missing() == []
    assert later.add(1, 2) == WHOLE


def test_a_piece_that_was_not_written_to_its_end_is_none(table: Table) -> None:
    """Killed while it was written: it was not acknowledged, and comes again."""
    table.add(0, 2)
    (table.folder / "porch" / "1" / "1.new").write_bytes(b"half")
    later = Table(table.folder)
    assert later.add(1, 2) == WHOLE


@pytest.mark.parametrize("topic", ["elsewhere/porch/part/0/2/face_rec/1", "facegate/porch/request/face_rec/1"])
def test_what_is_left_of_other_settings_is_deleted(table: Table, topic: str) -> None:
    table.add(0, 2)
    (table.folder / "porch" / "1" / "topic").write_text(topic)
    later = Table(table.folder)
    assert later.files == []
    assert later.add(1, 2) is None


def test_it_is_dropped_when_it_is_answered(table: Table) -> None:
    table.add(0, 2)
    table.add(1, 2)
    table.uploads.due()
    assert table.files == ["porch/1/0", "porch/1/1", "porch/1/topic"]
    assert table.last is not None
    table.last.replies, table.last.unconfirmed_replies = [], 1
    table.uploads.due()  # the broker does not have it yet
    assert table.files != []
    table.last.unconfirmed_replies = 0
    table.uploads.due()
    assert table.files == []


def answered(table: Table, request: str) -> None:
    assert table.add(0, 2, f"face_rec/{request}") is None
    assert table.add(1, 2, f"face_rec/{request}") == WHOLE
    assert table.last is not None
    table.last.replies = []
    table.uploads.due()


def test_the_rest_of_a_repetition_that_the_answer_came_amid_is_in_nobody_s_way(tmp_path: Path) -> None:
    """It was told to be incomplete, after its answer; and of two such the camera was kept out for a minute."""
    table = Table(tmp_path / "uploads", idle_s=5, per_camera=2)
    for request in "ab":
        answered(table, request)
        assert table.add(1, 2, f"face_rec/{request}") is None
    table.waits()
    assert table.missing() == []
    assert [table.add(0, 2, f"face_rec/{request}") for request in "cd"] == [None, None]
    assert table.files == ["porch/c/0", "porch/c/topic", "porch/d/0", "porch/d/topic"]
    with pytest.raises(Busy):
        table.add(1, 2, "face_rec/a")


def test_repetitions_do_not_throw_each_other_out(tmp_path: Path) -> None:
    """Of three that had been told `busy` none became whole ever, and nobody was told why."""
    table = Table(tmp_path / "uploads", idle_s=10, per_camera=2)
    for request in "abc":
        answered(table, request)
    assert [table.add(0, 2, f"face_rec/{request}") for request in "ab"] == [None, None]
    with pytest.raises(Busy):
        table.add(0, 2, "face_rec/c")
    assert [table.add(1, 2, f"face_rec/{request}") for request in "ab"] == [WHOLE, WHOLE]


def test_who_repeats_after_the_answer_since_it_was_lost_gets_it_again(table: Table) -> None:
    answered(table, "a")
    assert table.add(0, 2, "face_rec/a") is None
    assert table.add(1, 2, "face_rec/a") == WHOLE


def test_it_is_dropped_when_it_is_too_old(tmp_path: Path) -> None:
    """Whoever breaks off and begins anew with another id would never be let in again."""
    table = Table(tmp_path / "uploads", idle_s=10, keep_s=0.1, per_camera=1)
    table.add(0, 2, "face_rec/a")
    time.sleep(0.15)
    assert table.missing() == []
    assert table.files == []
    assert table.add(0, 2, "face_rec/b") is None


def test_a_disk_that_takes_no_piece_is_a_gateway_error_and_it_may_come_again(table: Table) -> None:
    table.folder.write_text("in the way")
    with pytest.raises(GatewayError, match="cannot be kept"):
        table.add(0, 2)
    table.folder.unlink()
    table.add(0, 2)
    (table.folder / "porch" / "1" / "1.new").mkdir()
    with pytest.raises(GatewayError, match="cannot be kept"):
        table.add(1, 2)
    (table.folder / "porch" / "1" / "1.new").rmdir()
    assert table.add(1, 2) == WHOLE


def test_of_a_first_piece_that_cannot_be_kept_nothing_is_left(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk took its topic and a part of it, which nobody counted, and nobody deleted."""

    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(GatewayError, match="No space left"):
            table.add(0, 2)
    assert not (table.folder / "porch" / "1").exists()
    table.add(0, 2)
    assert table.add(1, 2) == WHOLE


def test_a_disk_that_gives_a_piece_no_more_is_a_gateway_error(table: Table) -> None:
    """Raised as it was, nobody answered: the request was stuck, the connection was begun anew, and then the gateway
    ended.
    """
    table.add(0, 2)
    (table.folder / "porch" / "1" / "0").unlink()
    with pytest.raises(GatewayError):
        table.add(1, 2)


def test_a_first_piece_that_is_refused_takes_no_place_of_its_camera(tmp_path: Path) -> None:
    table = Table(tmp_path / "uploads", per_camera=1)
    with pytest.raises(TooLarge):
        table.add(0, 2, "face_rec/a", bytes(MAX_BYTES + 1))
    assert table.add(0, 2, "face_rec/b") is None
