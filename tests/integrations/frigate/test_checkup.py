"""The check of a Frigate server, as `facegate frigate check` prints it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.frigate_stand_in import FrigateStandIn, Go2rtcStandIn, User, Version
from gateway.cli.main import main
from gateway.integrations.frigate.checkup import Finding, check_server
from tests.integrations.frigate.conftest import StartFrigate, client_of, settings_for
from tests.integrations.frigate.test_server import ADMIN, LIVE, LOGIN, PHRASE, event
from tests.support import free_port


def check(stand_in: FrigateStandIn, **changes: Any) -> list[Finding]:
    return list(check_server(client_of(stand_in, **changes), settings_for(stand_in, **changes)))


def problems(stand_in: FrigateStandIn, **changes: Any) -> list[str]:
    return [each.text for each in check(stand_in, **changes) if not each.good]


def test_check_of_a_good_server_names_each_step(
    start_frigate: StartFrigate, go2rtc: Go2rtcStandIn, version: Version
) -> None:
    frigate = start_frigate(version, ADMIN)
    frigate.add(event())
    frigate.recordings = {"porch": lambda _: LIVE, "yard": lambda _: LIVE}
    go2rtc.frames = {"porch": lambda: LIVE, "yard": lambda: LIVE}
    found = check(frigate, go2rtc_url=go2rtc.url, **LOGIN)
    assert all(each.good for each in found)
    text = "\n".join(each.text for each in found)
    for part in (
        f"version: {version}.0",
        "login: user facegate, role admin",
        "names can be written",
        "Frigate publishes on frigate/events",
        "camera porch: detect stream 640x360",
        f"snapshot: {len(LIVE)} bytes",
        f"go2rtc: camera yard, {len(LIVE)} bytes",
    ):
        assert part in text
    assert frigate.events[event().id].sub_label is None


def test_check_says_what_to_do(start_frigate: StartFrigate, go2rtc: Go2rtcStandIn) -> None:
    frigate = start_frigate(users={"facegate": User(PHRASE, role="viewer")})
    frigate.topic_prefix, frigate.recognises_faces = "nvr", True
    found = problems(frigate, go2rtc_url=go2rtc.url, cameras=["porch", "prch"], **LOGIN)
    assert [each.split(":")[0] for each in found] == [
        "names cannot be written",
        "MQTT",
        "Frigate's own face recognition is on",
        "camera prch",
        "frigate.home (http",
    ]
    assert "set frigate.home.streams" in found[-1]


def test_small_detect_stream_is_said_where_no_main_stream_is_used(start_frigate: StartFrigate) -> None:
    assert all("set go2rtc_url" in each for each in problems(start_frigate()))


def test_check_ends_at_a_server_that_does_not_answer(start_frigate: StartFrigate) -> None:
    (found,) = check(start_frigate(), url=f"http://127.0.0.1:{free_port()}")
    assert not found.good
    assert "start it, or correct the address" in found.text


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    return tmp_path / "gateway.yaml"


def run(configuration: Path, **frigate: Any) -> Any:
    configuration.write_text(json.dumps({"data": str(configuration.parent / "data"), "frigate": frigate}))
    return CliRunner().invoke(main, ["frigate", "check", "--config", str(configuration)])


def test_command_prints_a_line_for_each_finding(
    configuration: Path, start_frigate: StartFrigate, go2rtc: Go2rtcStandIn
) -> None:
    frigate = start_frigate()
    go2rtc.frames = {"porch": lambda: LIVE, "yard": lambda: LIVE}
    good = run(configuration, home={"url": frigate.url, "go2rtc_url": go2rtc.url})
    assert (good.exit_code, good.output.splitlines()[0]) == (0, f"frigate.home ({frigate.url})")
    assert "  ok: version: 0.18.0-abcdef1\n" in good.output
    bad = run(configuration, home={"url": frigate.url, "topic_prefix": "other", "go2rtc_url": go2rtc.url})
    assert bad.exit_code == 1
    assert "  to do: MQTT: Frigate's topic_prefix is frigate" in bad.output


def test_command_needs_a_server_to_check(configuration: Path) -> None:
    done = run(configuration)
    assert done.exit_code == 1
    assert "no Frigate server is configured" in done.output
