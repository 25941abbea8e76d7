"""The journal of topics: what it writes, when, and for which owner."""

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
    """Return the topics of each owner. The lines of the file add up."""
    topics: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        for owner, added in json.loads(line).items():
            topics.setdefault(owner, []).extend(added)
    return {owner: sorted(each) for owner, each in topics.items()}


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


def test_topic_that_the_disk_took_in_part_is_written_by_the_next_announcement(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retained = RetainedTopics(path)
    retained.add(BRIDGE, *CURRENT)
    with monkeypatch.context() as full:
        full.setattr("gateway.mqtt.retained._write_line", lambda _: refuse(path, ""))
        retained.add("homeassistant", DISCOVERY)
    with path.open("a") as file:
        file.write('{"homeassistant": ["homeass')
    retained.add("homeassistant", DISCOVERY)
    assert written(path) == {"bridge": sorted(CURRENT), "homeassistant": [DISCOVERY]}


def test_torn_last_line_loses_only_its_own_topics(path: Path) -> None:
    """A power cut tears a line before anything is published on its topics."""
    RetainedTopics(path).add(BRIDGE, *OLD)
    with path.open("a") as file:
        file.write('{"live": ["facegate/porch/pres')
    retained = RetainedTopics(path)
    assert retained.warnings == ()
    assert retained.left_behind(BRIDGE, ()) == list(OLD)
    retained.add("live", "facegate/porch/present")
    assert written(path) == {"bridge": list(OLD), "live": ["facegate/porch/present"]}


def test_file_of_the_version_before_is_read_and_extended(path: Path) -> None:
    """Earlier versions wrote one object without a line break."""
    path.write_text(json.dumps({"bridge": list(CURRENT)}))
    retained = RetainedTopics(path)
    retained.add("live", "facegate/porch/present")
    retained.add("live", "facegate/porch/state")
    assert RetainedTopics(path).warnings == ()
    assert written(path) == {"bridge": sorted(CURRENT), "live": ["facegate/porch/present", "facegate/porch/state"]}


def test_topics_of_many_cameras_are_written_once_each(path: Path) -> None:
    """Regression: each new topic rewrote the whole file, and a file of more than a megabyte was taken for damaged."""
    retained = RetainedTopics(path)
    topics = [f"facegate/camera_{n}_{'x' * 50}/{kind}" for n in range(5000) for kind in ("present", "state", "enabled")]
    retained.add("live", "facegate/first")
    (inode, size) = path.stat().st_ino, path.stat().st_size
    for topic in topics:
        before, size = size, path.stat().st_size
        assert size - before < 200
        retained.add("live", topic)
    assert path.stat().st_ino == inode
    assert size > 1_000_000
    assert RetainedTopics(path).left_behind("live", ("facegate/first",)) == sorted(topics)


def test_removed_topics_leave_no_trace_in_the_file(path: Path) -> None:
    """The id of a person who was erased stands in a topic."""
    retained = RetainedTopics(path)
    retained.add(BRIDGE, *CURRENT)
    retained.add("live", "facegate/bridge/person/ada", "facegate/bridge/person/bob")
    retained.remove("live", "facegate/bridge/person/ada", "facegate/bridge/person/bob")
    assert "person" not in path.read_text()
    assert written(path) == {"bridge": sorted(CURRENT)}


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
