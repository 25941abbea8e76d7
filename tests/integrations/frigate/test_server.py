"""The requests to Frigate and go2rtc, and one clear sentence for each refusal."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import trustme

from benchmarks.frigate_stand_in import Answer, Event, FrigateStandIn, Go2rtcStandIn, User, Version
from gateway.errors import ConfigError
from gateway.integrations.frigate.refusals import Refusal, RefusalKind, Task
from gateway.integrations.frigate.sentences import advice
from gateway.integrations.frigate.server import FrigateServer
from tests.integrations.frigate.conftest import StartFrigate, client_of
from tests.support import frame, free_port

ID = "1607123955.475377-mxklsc"
START, FRAME_TIME = 1607123955.475377, 1607123961.837752
LIVE, STORED, RECORDED = frame("obama_1"), frame("biden_1"), frame("hopper_1")
PHRASE = "a long secret"
ADMIN = {"facegate": User(PHRASE)}
LOGIN: dict[str, Any] = {"user": "facegate", "password": PHRASE}


def event(**changes: object) -> Event:
    found = Event(id=ID, camera="porch", start=START, frame=LIVE, frame_time=FRAME_TIME, annotated=STORED)
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def refusal(call: Callable[[], object]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value


def test_snapshot_of_an_event_that_lasts_is_the_whole_frame_without_drawings(frigate: FrigateStandIn) -> None:
    frigate.add(event())
    picture = client_of(frigate).get_snapshot(ID)
    assert picture.content == LIVE
    assert picture.frame_time == (FRAME_TIME if frigate.version == "0.18" else None)


def test_snapshot_of_a_finished_event_has_drawings_up_to_version_017(frigate: FrigateStandIn) -> None:
    frigate.add(event(end=START + 10))
    assert client_of(frigate).get_snapshot(ID).content == (LIVE if frigate.version == "0.18" else STORED)


def test_recording_is_asked_for_its_moment(frigate: FrigateStandIn) -> None:
    moments: list[float] = []

    def record(moment: float) -> bytes:
        moments.append(moment)
        return RECORDED

    frigate.recordings["porch"] = record
    assert client_of(frigate).get_recording("porch", 1607123957.1234).content == RECORDED
    assert moments == [1607123957.123]


def test_name_is_written_read_and_removed(frigate: FrigateStandIn) -> None:
    frigate.add(event())
    client = client_of(frigate)
    assert client.get_sub_label(ID) is None
    client.set_sub_label(ID, "Ada Lovelace", 0.83)
    assert (frigate.events[ID].sub_label, frigate.events[ID].score) == ("Ada Lovelace", 0.83)
    assert client.get_sub_label(ID) == "Ada Lovelace"
    client.remove_sub_label(ID)
    assert client.get_sub_label(ID) is None


def test_version_and_role_are_read(frigate: FrigateStandIn) -> None:
    client = client_of(frigate)
    assert client.get_version().startswith(frigate.version)
    profile = client.get_profile()
    assert (profile.username, profile.role) == ("anonymous", "admin")


@pytest.mark.parametrize("score", [0.0, -1.0, 1.1])
def test_score_that_frigate_refuses_is_never_sent(start_frigate: StartFrigate, score: float) -> None:
    frigate = start_frigate()
    frigate.add(event())
    with pytest.raises(ValueError, match="score"):
        client_of(frigate).set_sub_label(ID, "Ada", score)
    assert frigate.requests == []


@pytest.mark.parametrize("hostile", ["../../api/config", "1-a/../x", "1607123955.4-A", "", "1?x=1", "1-a%2f", "1-a\n"])
def test_id_of_another_form_never_enters_an_address(start_frigate: StartFrigate, hostile: str) -> None:
    frigate = start_frigate()
    client = client_of(frigate)
    for call in (client.get_snapshot, client.get_sub_label, client.remove_sub_label):
        with pytest.raises(ValueError, match="may not become a part of an address"):
            call(hostile)
    assert frigate.requests == []


def test_frame_of_go2rtc_comes_from_the_stream_of_the_camera(
    start_frigate: StartFrigate, go2rtc: Go2rtcStandIn
) -> None:
    go2rtc.frames = {"porch": lambda: LIVE, "yard_main": lambda: RECORDED}
    client = client_of(start_frigate(), go2rtc_url=go2rtc.url, streams={"yard": "yard_main"})
    assert client.get_main_frame("porch").content == LIVE
    assert client.get_main_frame("yard").content == RECORDED
    assert go2rtc.requests == ["GET /api/frame.jpeg?src=porch", "GET /api/frame.jpeg?src=yard_main"]


def test_camera_named_as_an_address_is_not_opened_by_go2rtc(start_frigate: StartFrigate, go2rtc: Go2rtcStandIn) -> None:
    """go2rtc opens any address that it is given as a stream."""
    client = client_of(start_frigate(), go2rtc_url=go2rtc.url)
    with pytest.raises(ValueError, match="may not become a part of an address"):
        client.get_main_frame("rtsp://inside/1")
    assert go2rtc.requests == []


def test_login_gives_a_token_that_is_used_until_it_is_refused(start_frigate: StartFrigate, version: Version) -> None:
    frigate = start_frigate(version, ADMIN)
    frigate.add(event())
    client = client_of(frigate, **LOGIN)
    client.set_sub_label(ID, "Ada", 0.5)
    client.get_snapshot(ID)
    assert [each for each in frigate.requests if "login" in each] == ["POST /api/login"]
    frigate.expire_tokens()
    client.set_sub_label(ID, "Bo", 0.5)
    assert frigate.events[ID].sub_label == "Bo"
    assert sum("login" in each for each in frigate.requests) == 2


def test_password_may_be_in_a_file(start_frigate: StartFrigate, tmp_path: Path) -> None:
    frigate = start_frigate(users=ADMIN)
    (tmp_path / "password").write_text(f"{PHRASE}\n")
    client = client_of(frigate, user="facegate", password_file=str(tmp_path / "password"))
    assert client.get_profile().username == "facegate"
    with pytest.raises(ConfigError, match="cannot be read as the password"):
        client_of(frigate, user="facegate", password_file=str(tmp_path / "absent"))


def test_wrong_password_is_tried_once_a_minute(start_frigate: StartFrigate) -> None:
    """Frigate can be set to lock out an address after a few failures."""
    frigate = start_frigate(users=ADMIN)
    client = client_of(frigate, **{**LOGIN, "password": "wrong"})
    for _ in range(3):
        found = refusal(client.get_profile)
        assert (found.task, found.kind) == ("log in", "login")
    assert frigate.requests == ["POST /api/login"]
    assert "correct frigate.home.user and frigate.home.password" in str(found)
    assert "wrong" not in str(found)


def test_port_with_login_asks_for_one(start_frigate: StartFrigate) -> None:
    found = refusal(lambda: client_of(start_frigate(users=ADMIN)).get_snapshot(ID))
    assert found.kind == "login"
    assert "set frigate.home.user and frigate.home.password, or use the port 5000" in str(found)


def test_viewer_may_not_write_names(start_frigate: StartFrigate, version: Version) -> None:
    frigate = start_frigate(version, {"facegate": User(PHRASE, role="viewer")})
    frigate.add(event())
    client = client_of(frigate, **LOGIN)
    assert client.get_snapshot(ID).content == LIVE
    found = refusal(lambda: client.set_sub_label(ID, "Ada", 0.5))
    assert (found.task, found.kind) == ("write a name", "role")
    assert "give the user facegate the role admin in Frigate" in str(found)
    assert frigate.events[ID].sub_label is None


def test_event_that_is_gone_is_said(frigate: FrigateStandIn) -> None:
    client = client_of(frigate)
    calls: dict[Task, Callable[[], object]] = {
        "get the snapshot": lambda: client.get_snapshot(ID),
        "read the event": lambda: client.get_sub_label(ID),
        "write a name": lambda: client.set_sub_label(ID, "Ada", 0.5),
        "get the recording": lambda: client.get_recording("porch", START),
    }
    for task, call in calls.items():
        found = refusal(call)
        assert (found.task, found.kind) == (task, "gone")
        assert "To do: " in str(found)


def test_name_that_frigate_finds_invalid_is_said(frigate: FrigateStandIn) -> None:
    frigate.add(event())
    frigate.fail_next("sub_label", Answer(422, b"{}"), Answer(400, b"{}"))
    for _ in range(2):
        assert refusal(lambda: client_of(frigate).set_sub_label(ID, "Ada", 0.5)).kind == "invalid"


FAULTS: list[tuple[Answer, RefusalKind, str]] = [
    (Answer(200, b"<html>log in here</html>"), "no_jpeg", "must be the address of the program itself"),
    (Answer(200, b""), "no_jpeg", "its answer is not a JPEG"),
    (Answer(302, b"", {"Location": "http://127.0.0.1:9/secret"}), "redirect", "not of a proxy with a login page"),
    (Answer(200, b"\xff\xd8\xff" + bytes(2000)), "too_large", "limits.bytes"),
    (Answer(500, b"fault"), "fault", "status 500: look into its log"),
    (Answer(429, b"slow down"), "too_many", "wait a minute"),
    (
        Answer(400, b"<center>The plain HTTP request was sent to HTTPS port</center>"),
        "https",
        "write https:// in frigate.home.url",
    ),
]


@pytest.mark.parametrize(("answer", "kind", "advice"), FAULTS, ids=[kind for _, kind, _ in FAULTS[1:]] + ["https"])
def test_each_fault_has_one_sentence_that_says_what_to_do(
    start_frigate: StartFrigate, answer: Answer, kind: RefusalKind, advice: str
) -> None:
    frigate = start_frigate()
    frigate.add(event())
    frigate.fail_next("snapshot", answer)
    client = client_of(frigate, max_bytes=1000)
    found = refusal(lambda: client.get_snapshot(ID))
    assert found.kind == kind
    assert advice.replace("status 500: look", "status 500. To do: look") in str(found)
    assert frigate.url in str(found)


def test_fault_of_go2rtc_names_its_own_setting(start_frigate: StartFrigate, go2rtc: Go2rtcStandIn) -> None:
    client = client_of(start_frigate(), go2rtc_url=go2rtc.url)
    found = refusal(lambda: client.get_main_frame("porch"))
    assert found.kind == "gone"
    assert go2rtc.url in str(found)
    assert "set frigate.home.streams, or add the stream to go2rtc" in str(found)


def test_absent_frigate_is_said(start_frigate: StartFrigate) -> None:
    client = client_of(start_frigate(), url=f"http://127.0.0.1:{free_port()}")
    found = refusal(client.get_version)
    assert found.kind == "refused"
    assert "start it, or correct the address in frigate.home.url" in str(found)


def test_certificate_of_frigate_is_accepted_as_the_settings_say(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    stand_in = FrigateStandIn("0.17", ADMIN, tls)
    with stand_in.running():
        found = refusal(client_of(stand_in, **LOGIN).get_profile)
        assert found.kind == "tls"
        assert "set frigate.home.ca" in str(found)
        trusted: list[dict[str, Any]] = [{"ca": str(tmp_path / "ca.pem")}, {"verify_tls": False}]
        for settings in trusted:
            assert client_of(stand_in, **LOGIN, **settings).get_profile().role == "admin"


def test_every_kind_of_refusal_has_advice() -> None:
    kinds = [kind for literal in get_args(RefusalKind) for kind in get_args(literal)]
    assert {"refused", "role", "gone"} <= set(kinds)
    for kind in kinds:
        for task in get_args(Task):
            assert "{" not in advice(task, kind, "frigate.home", "frigate.home.url", "ada")


def test_client_is_made_without_a_request(start_frigate: StartFrigate) -> None:
    frigate = start_frigate(users=ADMIN)
    assert isinstance(client_of(frigate, **LOGIN), FrigateServer)
    assert frigate.requests == []
