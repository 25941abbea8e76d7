"""The settings about Frigate servers."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gateway.config import Settings, load
from gateway.config.named_files import check_files
from gateway.errors import ConfigError
from tests.support import ROOT


def read(tmp_path: Path, frigate: str) -> Settings:
    path = tmp_path / "gateway.yaml"
    path.write_text(f"frigate: {frigate}")
    return load(path)


def test_no_server_is_followed_by_default() -> None:
    assert Settings().frigate == {}


def test_server_needs_only_its_address(tmp_path: Path) -> None:
    server = read(tmp_path, "{home: {url: 'http://frigate:5000/'}}").frigate["home"]
    assert server.url == "http://frigate:5000"
    assert (server.topic_prefix, server.attempts, server.write_back) == ("frigate", 8, True)
    assert (server.snapshot, server.main_stream, server.recording) == (True, True, True)


def test_example_of_the_configuration_file_is_valid(tmp_path: Path) -> None:
    lines = (
        (ROOT / "config" / "gateway.yaml").read_text().split("#   home:\n")[1].split("\nfrigate: {}")[0].splitlines()
    )
    example = yaml.safe_load("\n".join(["home:", *(line.removeprefix("#   ") for line in lines)]))
    assert read(tmp_path, yaml.safe_dump(example, default_flow_style=True)).frigate["home"].attempts == 8


def test_password_is_never_printed(tmp_path: Path) -> None:
    settings = read(tmp_path, "{home: {url: 'https://frigate:8971', user: ada, password: geheim}}")
    assert "geheim" not in repr(settings) + str(settings.model_dump(mode="json"))


REFUSED = [
    ("{home: {}}", r"frigate\.home\.url: this key is missing"),
    ("{home: {url: frigate}}", r"frigate\.home\.url: expected an address as http://frigate:5000"),
    ("{home: {url: 'http://ada:geheim@frigate'}}", r"without a user, a password"),
    ("{home: {url: 'http://frigate/?a=b'}}", r"expected an address"),
    ("{home: {url: 'file:///etc/passwd'}}", r"expected an address"),
    ("{home: {url: 'http://a/../b/#c'}}", r"expected an address"),
    ("{home: {url: 'http://f', go2rtc_url: 'f:1984'}}", r"frigate\.home\.go2rtc_url: expected an address"),
    ("{home: {url: 'http://f', topic_prefix: 'a/#'}}", r"frigate\.home\.topic_prefix: expected Frigate's"),
    ("{home: {url: 'http://f', topic_prefix: '$SYS'}}", r"topic_prefix: expected Frigate's"),
    ("{home: {url: 'http://f', topic_prefix: 'a/'}}", r"topic_prefix: expected Frigate's"),
    ("{home: {url: 'http://f', topic_prefix: facegate}}", r"frigate\.home\.topic_prefix: mqtt\.base is facegate too"),
    ("{a: {url: 'http://f'}, b: {url: 'http://g'}}", r"frigate\.b\.topic_prefix: frigate\.a\.topic_prefix is frigate"),
    ("{home: {url: 'http://f', user: ada}}", r"frigate\.home: password or password_file is missing"),
    ("{home: {url: 'http://f', password: geheim}}", r"frigate\.home: user is missing"),
    ("{home: {url: 'http://f', user: a, password: b, password_file: c}}", r"are both given"),
    ("{home: {url: 'http://f', ca: x.pem, verify_tls: false}}", r"no certificate would be checked"),
    ("{home: {url: 'http://f', snapshot: false, recording: false}}", r"no source of pictures is left"),
    ("{home: {url: 'http://f', attempts: 0}}", r"frigate\.home\.attempts: expected at least 1"),
    ("{home: {url: 'http://f', cameras: ['a/b']}}", r"'a/b' is not the name of a camera"),
    ("{home: {url: 'http://f', streams: {porch: 'rtsp://x'}}}", r"'rtsp://x' is not the name of a stream"),
    ("{home: {url: 'http://f'}}\nlive: {enabled: false}", r"frigate needs live\.enabled: true"),
    ("{'my home': {url: 'http://f'}}", r"frigate\.my home: use 1 to 64 characters"),
]


@pytest.mark.parametrize(("frigate", "message"), REFUSED)
def test_bad_setting_is_refused_with_its_name(tmp_path: Path, frigate: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path, frigate)
    assert "geheim" not in str(caught.value)


def test_files_are_checked_at_the_start(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"frigate\.home\.ca: .* expected PEM"):
        check_files(read(tmp_path, f"{{home: {{url: 'https://f', ca: '{ca}'}}}}"))
    with pytest.raises(ConfigError, match=r"frigate\.home\.password_file: .*No such file"):
        check_files(read(tmp_path, "{home: {url: 'https://f', user: a, password_file: absent}}"))
