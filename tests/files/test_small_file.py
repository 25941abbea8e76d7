"""Small files that the gateway can replace: damaged ones are set aside."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.files.small_file import read_or_set_aside, read_text, replace_text, set_aside
from gateway.mqtt.delivery.downtime import Downtime
from gateway.mqtt.retained import BRIDGE, RetainedTopics
from gateway.mqtt.transport.identity import load_identity


def unreadable(path: Path) -> None:
    # Root can read the file nevertheless, but its content is not a valid client id.
    path.write_bytes(b"?")
    path.chmod(0)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "binary": lambda path: path.write_bytes(bytes(range(256))),
    "zeros": lambda path: path.write_bytes(bytes(100)),
    "large": lambda path: path.write_bytes(b"a" * 2_000_000),
    "several lines": lambda path: path.write_bytes(b"face\ngate\n\n"),
    "deep JSON": lambda path: path.write_bytes(b"[" * 200_000),
    "folder": lambda path: path.mkdir(),
    "full folder": lambda path: (path / "a").mkdir(parents=True),
    "pipe": lambda path: os.mkfifo(path),
    "unreadable": lambda path: unreadable(path),
}


def client_id(data: Path) -> tuple[str, ...]:
    return load_identity(data, None).warnings


def retained(data: Path) -> tuple[str, ...]:
    return RetainedTopics(data / "retained.json").warnings


def alive(data: Path) -> tuple[str, ...]:
    downtime = Downtime(data / "alive")
    downtime.mark_alive()
    return downtime.warnings


READERS = {"client_id": client_id, "retained.json": retained, "alive": alive}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_set_aside_and_named(
    tmp_path: Path, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: some damaged files ended the gateway with a traceback, others were used in spite of the damage."""
    DAMAGES[damage](tmp_path / name)
    (warning,) = READERS[name](tmp_path)
    (aside,) = tmp_path.glob(f"{name}.damaged-*")
    assert str(tmp_path / name) in warning
    assert aside.name in warning
    assert warning in caplog.text
    assert READERS[name](tmp_path) == ()


@pytest.mark.parametrize("name", READERS)
def test_missing_file_is_no_damage(tmp_path: Path, name: str) -> None:
    assert [READERS[name](tmp_path) for _ in range(2)] == [(), ()]
    assert list(tmp_path.glob("*damaged*")) == []


@pytest.mark.parametrize(
    "content",
    [
        *("null", "5", '"a"', "[1]", "[null]", '["a/#"]', '["a/+/b"]', '[""]', "[", "[[", "[[]]"),
        *('{"bridge": null}', '{"bridge": "a"}', '{"bridge": {}}', '{"bridge": [1]}', '{"bridge": ["a/#"]}', "{"),
    ],
)
def test_retained_json_without_topics_of_owners_is_damaged(tmp_path: Path, content: str) -> None:
    """Regression: a topic with a wildcard ended each connection."""
    (tmp_path / "retained.json").write_text(content)
    topics = RetainedTopics(tmp_path / "retained.json")
    assert len(topics.warnings) == 1
    assert topics.left_behind(BRIDGE, ()) == []


@pytest.mark.parametrize("own", ["facegate-0123456789ab", "a", "A_b-c" * 12])
def test_client_id_is_stored(tmp_path: Path, own: str) -> None:
    (tmp_path / "client_id").write_text(f"{own}\n")
    identity = load_identity(tmp_path, None)
    assert (identity.client_id, identity.warnings) == (own, ())
    other = load_identity(tmp_path, "other")
    assert (other.client_id, other.instance) == ("other", identity.instance)


def test_new_client_id_is_the_same_at_the_next_start(tmp_path: Path) -> None:
    assert load_identity(tmp_path, None) == load_identity(tmp_path, None)


def test_folder_with_the_name_of_the_new_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "client_id.new").mkdir()
    replace_text(tmp_path / "client_id", "a")
    assert (tmp_path / "client_id").read_text() == "a"


def test_two_damaged_files_of_the_same_second_have_two_names(tmp_path: Path) -> None:
    path, names = tmp_path / "a", set()
    for _ in range(3):
        path.write_text("x")
        names.add(set_aside(path))
    assert len(names) == 3


def test_damaged_file_that_cannot_be_renamed_is_a_start_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_path: Path, _target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a").write_text("x")
    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(StartError, match="move it away") as refused:
        read_or_set_aside(tmp_path / "a", json.loads, max_bytes=100, loss="nothing is lost")
    assert refused.value.exit_code == 78


def test_text_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("12345")
    assert read_text(tmp_path / "a", 5) == "12345"
    with pytest.raises(ValueError, match="more than 4 bytes"):
        read_text(tmp_path / "a", 4)
