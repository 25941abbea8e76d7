"""The journal of retained topics: what it writes, when, and for which owner."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.mqtt.retained import BRIDGE, RetainedTopics

CURRENT = ("facegate/bridge/state", "facegate/bridge/info")
OLD = ("home/bridge/info", "home/bridge/state")
DISCOVERY = "homeassistant/device/facegate_porch/config"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "retained.json"


def written(path: Path) -> object:
    return json.loads(path.read_text())


def test_topics_of_an_earlier_run_are_left_behind_until_they_are_removed(path: Path) -> None:
    """Regression: after a change of mqtt.base, the old bridge/state said `online` for ever."""
    RetainedTopics(path).add(BRIDGE, *OLD)
    retained = RetainedTopics(path)
    retained.add(BRIDGE, *CURRENT)
    assert retained.left_behind(BRIDGE, CURRENT) == list(OLD)
    retained.remove(BRIDGE, OLD[0])
    assert RetainedTopics(path).left_behind(BRIDGE, CURRENT) == [OLD[1]]
    retained.remove(BRIDGE, OLD[1])
    assert RetainedTopics(path).left_behind(BRIDGE, CURRENT) == []
    assert RetainedTopics(path).left_behind(BRIDGE, ()) == sorted(CURRENT)


def test_topics_of_one_owner_are_not_left_behind_for_another(path: Path) -> None:
    """A new kind of retained topic must not be cleared by an owner that does not know it."""
    earlier = RetainedTopics(path)
    earlier.add(BRIDGE, *OLD)
    earlier.add("homeassistant", DISCOVERY)
    retained = RetainedTopics(path)
    assert retained.left_behind(BRIDGE, CURRENT) == list(OLD)
    assert retained.left_behind("homeassistant", ()) == [DISCOVERY]
    assert retained.left_behind("homeassistant", (DISCOVERY,)) == []
    assert retained.left_behind("sightings", ()) == []


def test_owner_removes_no_topic_of_another(path: Path) -> None:
    retained = RetainedTopics(path)
    retained.add("homeassistant", DISCOVERY)
    retained.remove(BRIDGE, DISCOVERY)
    assert RetainedTopics(path).left_behind("homeassistant", ()) == [DISCOVERY]


def test_topic_belongs_to_the_owner_that_published_last(path: Path) -> None:
    """Otherwise its earlier owner would clear the message of the new one."""
    retained = RetainedTopics(path)
    retained.add(BRIDGE, DISCOVERY)
    retained.add("homeassistant", DISCOVERY)
    assert retained.left_behind(BRIDGE, ()) == []
    retained.remove(BRIDGE, DISCOVERY)
    assert RetainedTopics(path).left_behind("homeassistant", ()) == [DISCOVERY]


def test_file_that_names_no_owners_holds_topics_of_the_bridge(path: Path) -> None:
    """Earlier versions wrote a list."""
    path.write_text(json.dumps([*OLD, CURRENT[0]]))
    retained = RetainedTopics(path)
    assert retained.warnings == ()
    assert retained.left_behind(BRIDGE, CURRENT) == list(OLD)
    assert retained.left_behind("homeassistant", ()) == []
    retained.remove(BRIDGE, OLD[0])
    assert written(path) == {"bridge": [CURRENT[0], OLD[1]]}


def test_topic_is_in_the_file_when_add_returns(path: Path) -> None:
    """An announcement is published after that: a kill between the two steps leaves no unknown message."""
    retained = RetainedTopics(path)
    retained.add(BRIDGE, *CURRENT)
    retained.add("homeassistant", DISCOVERY)
    assert written(path) == {"bridge": sorted(CURRENT), "homeassistant": [DISCOVERY]}


def test_known_topic_is_not_written_again(path: Path) -> None:
    """Each repeated announcement would wear out the memory card."""
    retained = RetainedTopics(path)
    retained.add(BRIDGE, *CURRENT)
    path.unlink()
    retained.add(BRIDGE, *CURRENT)
    retained.add(BRIDGE, CURRENT[0])
    retained.remove(BRIDGE, "never/there")
    assert not path.exists()


def test_topic_that_a_full_disk_refused_is_written_by_the_next_announcement(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a second try the next run would not know of the message, and it would stay for ever."""
    retained = RetainedTopics(path)
    with monkeypatch.context() as full:
        full.setattr("gateway.mqtt.retained.replace_text", refuse)
        retained.add("homeassistant", DISCOVERY)
    assert not path.exists()
    assert retained.left_behind("homeassistant", ()) == [DISCOVERY]
    retained.add("homeassistant", DISCOVERY)
    assert written(path) == {"homeassistant": [DISCOVERY]}


def refuse(_path: Path, _text: str) -> None:
    raise OSError("no space left on the device")


def test_cleared_topic_is_announced_and_recorded_again(path: Path) -> None:
    retained = RetainedTopics(path)
    retained.add("homeassistant", DISCOVERY)
    retained.remove("homeassistant", DISCOVERY)
    assert written(path) == {}
    retained.add("homeassistant", DISCOVERY)
    assert written(path) == {"homeassistant": [DISCOVERY]}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[1, null]", b"{}", b'"x"'[:1]])
def test_damaged_file_does_not_prevent_the_start(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    retained = RetainedTopics(path)
    assert retained.left_behind(BRIDGE, ()) == []
    retained.add(BRIDGE, *CURRENT)
    assert RetainedTopics(path).left_behind(BRIDGE, ()) == sorted(CURRENT)


@pytest.mark.parametrize("content", [b"null", b"5", b"true"])
def test_file_with_another_kind_of_value_does_not_prevent_the_start(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert RetainedTopics(path).left_behind(BRIDGE, ()) == []
