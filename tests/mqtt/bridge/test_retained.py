from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.mqtt.bridge.retained import RetainedTopics

NOW = ("facegate/bridge/state", "facegate/bridge/info")
OLD = ("home/bridge/info", "home/bridge/state")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "retained.json"


def test_what_an_earlier_run_left_standing_is_found_and_cleared_once(path: Path) -> None:
    """With another mqtt.base, the old one said `online` for ever."""
    RetainedTopics(path).add(*OLD)
    retained = RetainedTopics(path)
    retained.add(*NOW)
    assert retained.left_behind(NOW) == list(OLD)
    retained.remove(OLD[0])
    assert RetainedTopics(path).left_behind(NOW) == [OLD[1]]
    retained.remove(OLD[1])
    assert RetainedTopics(path).left_behind(NOW) == []
    assert RetainedTopics(path).left_behind(()) == sorted(NOW)


def test_it_is_written_down_before_anything_stands(path: Path) -> None:
    """Killed in between, the next run clears what may never have been there; the other way round it would not know."""
    retained = RetainedTopics(path)
    retained.add(*NOW)
    assert json.loads(path.read_text()) == sorted(NOW)


def test_what_is_known_is_not_written_again(path: Path) -> None:
    retained = RetainedTopics(path)
    retained.add(*NOW)
    path.unlink()
    retained.add(*NOW)
    retained.remove("never there")
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[1, null]", b"{}", b'"x"'[:1]])
def test_a_file_that_cannot_be_read_is_no_reason_not_to_start(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    retained = RetainedTopics(path)
    assert retained.left_behind(()) == []
    retained.add(*NOW)
    assert RetainedTopics(path).left_behind(()) == sorted(NOW)


@pytest.mark.parametrize("content", [b"null", b"5", b"true"])
def test_a_file_that_holds_no_list_is_no_reason_not_to_start(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert RetainedTopics(path).left_behind(()) == []
