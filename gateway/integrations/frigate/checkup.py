"""A check of one Frigate server: the things that work, and the things that do not, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.config.frigate_section import FrigateSettings
from gateway.contract.frigate import FrigateCamera, FrigateConfig
from gateway.integrations.frigate.refusals import Refusal
from gateway.integrations.frigate.server import FrigateServer
from gateway.model import CAMERA_NAME

TESTED_VERSIONS = ("0.16", "0.17", "0.18")
"""The versions of Frigate whose interface this gateway knows."""

MAX_CAMERAS = 50
"""Cameras whose main stream is tried."""

GOOD_HEIGHT = 720
"""The height of a ``detect`` stream in which faces are usually large enough."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of the check. ``good``: False if a person has to act."""

    good: bool
    text: str


def check_server(server: FrigateServer, settings: FrigateSettings) -> Iterator[Finding]:
    """Try what the gateway will ask of the server, and give a finding for each step. Nothing is changed at Frigate."""
    try:
        yield _check_version(server.get_version())
        profile = server.get_profile()
        yield Finding(True, f"login: user {profile.username}, role {profile.role}")
        yield _check_role(profile.role, settings)
        config = server.get_config()
        yield from _check_config(config, settings)
        yield from _check_cameras(config, settings)
        yield from _check_snapshot(server, settings)
    except Refusal as refusal:
        yield Finding(False, str(refusal))
    else:
        yield from _check_main_streams(server, settings, config)


def _check_version(version: str) -> Finding:
    known = version.startswith(TESTED_VERSIONS)
    note = "" if known else f" (this gateway was tested with {', '.join(TESTED_VERSIONS)})"
    return Finding(True, f"version: {version}{note}")


def _check_role(role: str, settings: FrigateSettings) -> Finding:
    if role == "admin":
        return Finding(True, "names can be written: the role is admin")
    if not settings.write_back:
        return Finding(True, "names are not written: write_back is false")
    return Finding(
        False, "names cannot be written: give the user the role admin in Frigate, or set write_back to false"
    )


def _check_config(config: FrigateConfig, settings: FrigateSettings) -> Iterator[Finding]:
    mqtt = config.mqtt
    if not mqtt.enabled:
        yield Finding(False, "MQTT: Frigate's mqtt.enabled is false, so its events do not arrive: set it to true")
    elif mqtt.topic_prefix != settings.topic_prefix:
        yield Finding(False, f"MQTT: Frigate's topic_prefix is {mqtt.topic_prefix}: set topic_prefix to the same word")
    else:
        yield Finding(True, f"MQTT: Frigate publishes on {mqtt.topic_prefix}/events; its broker must be this gateway's")
    if config.face_recognition.enabled and settings.write_back:
        yield Finding(
            False,
            "Frigate's own face recognition is on: two programs write names. Set face_recognition.enabled to false in"
            " Frigate, or write_back to false here",
        )


def _check_cameras(config: FrigateConfig, settings: FrigateSettings) -> Iterator[Finding]:
    for name in settings.cameras:
        if name not in config.cameras:
            yield Finding(False, f"camera {name}: Frigate has no camera of that name: correct cameras")
    for name, camera in _followed(config, settings).items():
        size = camera.detect
        small = size.height is not None and size.height < GOOD_HEIGHT and not settings.go2rtc_url
        advice = ": faces are often too small in it: set go2rtc_url, for pictures of the main stream" if small else ""
        yield Finding(not small, f"camera {name}: detect stream {size.width}x{size.height}{advice}")
        if settings.recording and not camera.record.enabled:
            yield Finding(
                True, f"camera {name}: no recordings, so the last step finds nothing (record.enabled is false)"
            )


def _check_snapshot(server: FrigateServer, settings: FrigateSettings) -> Iterator[Finding]:
    if settings.snapshot and (event := server.find_last_event()) is None:
        yield Finding(True, "snapshot: not tried, since Frigate has no event about a person yet")
    elif settings.snapshot and event is not None:
        yield Finding(True, f"snapshot: {len(server.get_snapshot(event).content)} bytes, of the event {event}")


def _check_main_streams(server: FrigateServer, settings: FrigateSettings, config: FrigateConfig) -> Iterator[Finding]:
    if settings.go2rtc_url is None or not settings.main_stream:
        yield Finding(True, "go2rtc: not used (go2rtc_url is not set, or main_stream is false)")
        return
    for name in list(_followed(config, settings))[:MAX_CAMERAS]:
        try:
            yield Finding(True, f"go2rtc: camera {name}, {len(server.get_main_frame(name).content)} bytes")
        except Refusal as refusal:
            yield Finding(False, str(refusal))


def _followed(config: FrigateConfig, settings: FrigateSettings) -> dict[str, FrigateCamera]:
    """Return the cameras of Frigate that the gateway follows."""
    return {
        name: camera
        for name, camera in config.cameras.items()
        if camera.enabled and CAMERA_NAME.fullmatch(name) and (not settings.cameras or name in settings.cameras)
    }
