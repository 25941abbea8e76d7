"""The settings: what is accepted, and the messages about what is not."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import yaml
from click.testing import CliRunner, Result

from gateway.cli.main import main
from gateway.config import VARIABLE_PREFIX, Settings, load
from gateway.config.field_types import UserRole
from gateway.config.section import Section
from gateway.config.section_forms import FORMS
from gateway.errors import ConfigError
from gateway.model import ENROLMENT_LIMITS, EngineName, Mounting, Operation, QualityLimits, Search, SizeLimit
from gateway.model.caller import LEVELS
from tests.support import ROOT

CONFIG = ROOT / "config" / "gateway.yaml"

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _remove_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.upper().startswith(VARIABLE_PREFIX)]:
        monkeypatch.delenv(variable)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str) -> Path:
        path = tmp_path / "gateway.yaml"
        path.write_text(content)
        return path

    return write


def check_config(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check-config", *arguments])


def test_config_file_states_every_setting_at_its_default() -> None:
    assert yaml.safe_load(CONFIG.read_text()) == Settings().model_dump(mode="json")


def test_defaults_are_those_of_the_config_file() -> None:
    assert load() == load(CONFIG)


def test_empty_file_means_the_defaults(write: Write) -> None:
    assert load(write("# nothing yet\n")) == load()


def test_file_changes_only_the_settings_it_names(write: Write) -> None:
    settings = load(write("mqtt: {port: 8883}"))
    assert (settings.mqtt.port, settings.mqtt.host) == (8883, "localhost")


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ("mqt: {}", "mqt"),
        ("self: 1", "self"),
        ("mqtt: {prt: 1883}", "mqtt.prt"),
        ("mqtt: {port: 0}", "mqtt.port"),
        ("mqtt: {port: many}", "mqtt.port"),
        ("mqtt: {password: 12345}", "mqtt.password"),
        ("mqtt: {base: a/+}", "mqtt.base"),
        ("mqtt: {base: a/b/c/d/e}", "mqtt.base"),
        ("mqtt: {client_id: a b}", "mqtt.client_id"),
        ("mqtt: {tls: {enabled: perhaps}}", "mqtt.tls.enabled"),
        ("mqtt: null", "mqtt"),
        ("log_level: LOUD", "log_level"),
        ("engine: magic", "engine"),
        ("engine: dlib", "engine"),
        ("engine: Facegate", "engine"),
        ("landmarks_68: perhaps", "landmarks_68"),
        ("detection: {min_face: 5}", "detection.min_face"),
        ("detection: {min_face: 10001}", "detection.min_face"),
        ("detection: {min_face: 56.5}", "detection.min_face"),
        ("detection: {min_face: null}", "detection.min_face"),
        ("detection: {max_face: 19}", "detection.max_face"),
        ("detection: {min_face: 100, max_face: 99}", "detection"),
        ("detection: {max_face: 55}", "detection"),
        ("detection: {smallest: 56}", "detection.smallest"),
        ("precision: {detector: f16}", "precision.detector"),
        ("precision: {descriptor: int4}", "precision.descriptor"),
        ("precision: int8", "precision"),
        ("workers: {picture_s: .inf}", "workers.picture_s"),
        ("workers: {picture_s: .nan}", "workers.picture_s"),
        ("workers: {queue: 0}", "workers.queue"),
        ("limits: {pixels: 1}", "limits.pixels"),
        ("decision: {max_false_match: 0}", "decision.max_false_match"),
        ("people: {rescan_s: -1}", "people.rescan_s"),
        ("operations: [detect, fly]", "operations.1"),
        ("cameras: {porch: {operations: [fly]}}", "cameras.porch.operations.0"),
        ("cameras: {porch: {colour: red}}", "cameras.porch.colour"),
        ("cameras: {porch: {min_face: 5}}", "cameras.porch.min_face"),
        ("cameras: {porch: {max_face: 19}}", "cameras.porch.max_face"),
        ("cameras: {porch: {only: [[[0, 0], [1, 1]]]}}", "cameras.porch.only.0"),
        ("cameras: {porch: {never: [[]]}}", "cameras.porch.never.0"),
        ("cameras: {porch: {never: [[[0, 0], [1.2, 0], [1, 1]]]}}", "cameras.porch.never.0.1.0"),
        ("cameras: {porch: {only: [[[0, 0], [1, -0.1], [1, 1]]]}}", "cameras.porch.only.0.1.1"),
        ("cameras: {porch: {only: [[[0, 0], [1, .nan], [1, 1]]]}}", "cameras.porch.only.0.1.1"),
        ("cameras: {porch: {only: [[[0, 0], [1, 0, 1], [1, 1]]]}}", "cameras.porch.only.0.1"),
        ("cameras: {porch: {only: [[0, 0], [1, 0], [1, 1]]}}", "cameras.porch.only.0.0"),
        ("cameras: {the porch: {}}", "cameras"),
        ("cameras: {bridge: {}}", "cameras"),
    ],
)
def test_wrong_setting_is_refused_with_its_path(write: Write, content: str, path: str) -> None:
    with pytest.raises(ConfigError, match=rf"cannot be used: {path}: "):
        load(write(content))


def test_polygon_with_too_many_corners_is_refused(write: Write) -> None:
    corners = [[n / 100, 0.5] for n in range(65)]
    with pytest.raises(ConfigError, match=r"cameras\.porch\.only\.0: .* 3 to 64 corners"):
        load(write(json.dumps({"cameras": {"porch": {"only": [corners]}}})))


@pytest.mark.parametrize("engine", get_args(EngineName))
def test_every_engine_can_be_chosen(write: Write, engine: str) -> None:
    assert load(write(f"engine: {engine}")).engine == engine


@pytest.mark.parametrize("key", ["_env_file", "_env_prefix", "_cli_prog_name", "__pydantic_self__"])
def test_argument_name_of_pydantic_is_no_setting(write: Write, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        load(write(f"{key}: x"))


@pytest.mark.parametrize("topic", ["", "$SYS/x", "/x", "x/#", "x/+/y", "x\0"])
def test_response_topic_that_cannot_be_published_on_is_refused(write: Write, topic: str) -> None:
    with pytest.raises(ConfigError, match=r"mqtt\.response_topics"):
        load(write(json.dumps({"mqtt": {"response_topics": [topic]}})))


@pytest.mark.parametrize("content", ["- mqtt", "mqtt", "1: 2", "x: [", "\tx: 1"])
def test_file_without_a_map_is_refused_with_its_name(write: Write, content: str) -> None:
    with pytest.raises(ConfigError, match=r"gateway\.yaml"):
        load(write(content))


def test_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.yaml is not YAML"):
        load(path)


@pytest.mark.parametrize(
    ("content", "name", "lines"),
    [
        ("mqtt:\n  user: cam\nrest:\n  port: 5105\nmqtt:\n  keepalive_s: 30\n", "mqtt", (1, 5)),
        ("mqtt:\n  host: a\n  tls: {enabled: true}\n  host: b\n", "mqtt.host", (2, 4)),
        ("cameras:\n  porch: {}\n  'porch': {min_face: 80}\n", "cameras.porch", (2, 3)),
        ("{mqtt: {host: a},\n rest: {}, mqtt: {}}", "mqtt", (1, 2)),
        (
            "cameras:\n  a: {operations: [detect]}\n  b:\n    min_face: 60\n    min_face: 80",
            "cameras.b.min_face",
            (4, 5),
        ),
    ],
)
def test_repeated_name_is_refused_with_both_lines(
    write: Write, content: str, name: str, lines: tuple[int, int]
) -> None:
    """Regression: the second one silently replaced the first."""
    with pytest.raises(ConfigError, match=rf": {name} occurs twice, in line {lines[0]} and in line {lines[1]}:"):
        load(write(content))


def test_anchors_and_merged_maps_are_read(write: Write) -> None:
    content = (
        "cameras:\n  porch: &near {min_face: 90, max_face: 400}\n  yard: {<<: *near, max_face: 500}\n  hall: *near\n"
    )
    settings = load(write(content))
    assert settings.search_of("yard") == Search(90, 500)
    assert settings.search_of("hall") == settings.search_of("porch") == Search(90, 400)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("on", "true or false"),
        ("off", "true or false"),
        ("yes", "true or false"),
        ("No", "true or false"),
        ("12", "a number"),
        ("007", "a number"),
        ("1e3", None),
        ("1.5", "a number"),
        ("2024-01-31", "a date"),
        ("null", "nothing"),
        ("~", "nothing"),
    ],
)
def test_name_that_yaml_reads_as_another_type_must_be_quoted(write: Write, word: str, kind: str | None) -> None:
    if kind is None:
        assert word in load(write(f"cameras:\n  {word}: {{}}")).cameras
        return
    with pytest.raises(ConfigError, match=rf"cameras\.{word}: YAML reads {word} in line 2 as {kind}: .*\"{word}\""):
        load(write(f"cameras:\n  {word}: {{min_face: 80}}"))


def test_quoted_names_of_other_types_are_cameras(write: Write) -> None:
    assert set(load(write("cameras: {'on': {}, \"off\": {}, '12': {}}")).cameras) == {"on", "off", "12"}


def test_list_as_a_name_is_refused_with_its_line(write: Write) -> None:
    with pytest.raises(ConfigError, match="line 2: expected the name of a setting, found a list or a map"):
        load(write("mqtt: {}\n? [a, b]\n: 1"))


BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("cameras: " + "[" * 10_000 + "]" * 10_000, "more than 50 nested levels, in line 1", id="lists"),
        pytest.param("[" * 10_000, "more than 50 nested levels", id="lists without an end"),
        pytest.param("{a: " * 10_000, "more than 50 nested levels", id="maps"),
        pytest.param("\n".join(" " * n + "- " for n in range(700)), "more than 50 nested levels", id="indented lists"),
        pytest.param(BOMB, "expand to more than 100,000 values", id="aliases of aliases"),
        pytest.param(MERGED_BOMB, "expand to more than 100,000 values", id="merged maps of merged maps"),
        pytest.param("a: &a [*a]", "the anchor in line 1 contains itself", id="a list in itself"),
        pytest.param("a: &a {b: *a}", "the anchor in line 1 contains itself", id="a map in itself"),
        pytest.param("x: " + "y" * 1_000_001, "larger than 1,000,000 bytes", id="a large file"),
        pytest.param("data: 2024-13-45", "a value in it cannot be read", id="a 13th month"),
        pytest.param("rest: {port: " + "9" * 5000 + "}", "a value in it cannot be read", id="5,000 digits"),
        pytest.param("landmarks_68: !!bool x", "a value in it cannot be read", id="a wrong tag"),
        pytest.param("data: !!timestamp x", "a value in it cannot be read", id="no time"),
        pytest.param("data: !!python/object:os.system x", "could not determine a constructor", id="an object"),
        pytest.param("data: a\n---\ndata: b", "found another document.*line 2", id="two documents"),
        pytest.param("mqtt:\n\thost: a", "indent with spaces, line 2, column 1", id="a tab"),
        pytest.param("mqtt: {user: %a}", "put quotes around the value, line 1, column 14", id="a sign"),
        pytest.param("mqtt:\n  user: @a", "put quotes around the value, line 2", id="another sign"),
        pytest.param("data: a\0b", r"does not allow \(U\+0000\)", id="NUL"),
    ],
)
def test_unusable_file_is_reported_in_one_sentence(write: Write, content: str, message: str) -> None:
    """Regression: deep levels ended in a traceback and exit code 1, which systemd repeats for ever."""
    path = write(content)
    with pytest.raises(ConfigError, match=rf"gateway\.yaml.*{message}"):
        load(path)
    assert check_config("--config", str(path)).exit_code == os.EX_CONFIG


def test_file_that_is_not_utf_8_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("mqtt:\n  user: Jürgen\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.yaml is not YAML: line 2 is not UTF-8\. Save"):
        load(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_mark_of_windows_editors_is_accepted(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes("mqtt:\r\n  user: Jürgen\r\n".encode(encoding))
    assert load(path).mqtt.user == "Jürgen"


def test_tilde_is_the_home_folder_in_every_path(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a tilde became a folder of that name."""
    monkeypatch.setenv("HOME", str(tmp_path))
    tls = "tls: {enabled: true, ca: ~/ca, cert: ~/cert, key: ~/key}"
    settings = load(write(f"{{data: ~/facegate, people: {{folder: ~/faces, key_file: ~/k}}, mqtt: {{{tls}}}}}"))
    found = settings.mqtt.tls
    paths = (settings.data, settings.people.folder, settings.people.key_file, found.ca, found.cert, found.key)
    assert paths == tuple(tmp_path / name for name in ("facegate", "faces", "k", "ca", "cert", "key"))
    monkeypatch.setenv("FACEGATE_DATA", "~/elsewhere")
    monkeypatch.setenv("FACEGATE_PEOPLE", '{"folder": "~"}')
    settings = load()
    assert (settings.data, settings.people.folder) == (tmp_path / "elsewhere", tmp_path)
    monkeypatch.delenv("FACEGATE_PEOPLE")
    assert load(write("people: {folder: ./~}")).people.folder == Path("~")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("data: ~nobody-of-that-name/x", "data: ~nobody-of-that-name is the home folder of a user who does not exist"),
        ("data: ''", "data: the path is empty"),
        ("data: ~", "data: expected a path .*~/folder"),
        ('data: "a\\0b"', "data: the path contains a NUL character"),
    ],
)
def test_path_that_names_nothing_is_refused(write: Write, content: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(write(content))


@pytest.mark.parametrize("file", ["ca", "cert", "key", "server_name"])
@pytest.mark.parametrize("enabled", ["", "enabled: false, "])
def test_tls_file_without_tls_is_refused(write: Write, file: str, enabled: str) -> None:
    """Regression: the password was sent in plain text, although the CA showed the intention."""
    done = check_config("--config", str(write(f"mqtt: {{password: x, tls: {{{enabled}{file}: ca.pem}}}}")))
    assert (done.exit_code, done.stdout) == (os.EX_CONFIG, "")
    assert f"mqtt.tls: {file} given, but TLS is not enabled" in done.stderr
    assert "plain text" in done.stderr


def test_server_name_of_tls_is_a_host_name(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"mqtt\.tls\.server_name: .* is not a host name"):
        load(write("mqtt: {tls: {enabled: true, server_name: 'mqtts://broker:8883'}}"))


def test_users_at_the_broker_have_roles(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(write("mqtt: {users: {home: keeper, ann@example.org: admin}}")).mqtt.users["home"] == "keeper"
    monkeypatch.setenv("FACEGATE_MQTT__USERS", '{"home": "viewer"}')
    assert load(None).mqtt.users == {"home": "viewer"}


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ("{bridge: keeper}", "'bridge' is not the login of a user"),
        ("{a/b: keeper}", "'a/b' is not the login of a user"),
        ("{'': keeper}", "'' is not the login of a user"),
        ("{home: camera}", "mqtt.users.home: expected 'client', 'viewer', 'keeper', 'privacy' or 'admin'"),
        ("[home]", r"write it as mqtt: {users: {home: keeper}}"),
    ],
)
def test_user_without_a_valid_login_and_role_is_refused(write: Write, users: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        load(write(f"mqtt: {{users: {users}}}"))


def test_roles_of_users_are_the_levels_of_callers() -> None:
    assert get_args(UserRole) == LEVELS


def test_tls_can_be_enabled_by_the_environment(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_MQTT__TLS__ENABLED", "true")
    assert load(write("mqtt: {tls: {ca: /etc/ca.pem}}")).mqtt.tls.enabled


def test_key_without_its_certificate_is_refused(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"mqtt\.tls: key is given without cert"):
        load(write("mqtt: {tls: {enabled: true, key: /etc/key.pem}}"))


@pytest.mark.parametrize(("given", "missing"), [("cert", "key"), ("key", "cert")])
def test_rest_needs_certificate_and_key(write: Write, given: str, missing: str) -> None:
    with pytest.raises(ConfigError, match=rf"rest\.tls: {given} is given without {missing}"):
        load(write(f"rest: {{tls: {{{given}: /etc/x.pem}}}}"))


@pytest.mark.parametrize(
    ("setting", "content"),
    [
        ("mqtt.tls.ca", "mqtt: {tls: {enabled: true, ca: FILE}}"),
        ("mqtt.tls.cert", "mqtt: {tls: {enabled: true, cert: FILE}}"),
        ("rest.tls.cert", "rest: {tls: {cert: FILE, key: FILE}}"),
        ("people.key_file", "people: {key_file: FILE}"),
    ],
)
@pytest.mark.parametrize(
    ("made", "reason"),
    [("absent", "No such file"), ("folder", "Is a directory"), ("empty", "is empty"), ("text", "cannot be used")],
)
def test_check_config_reads_the_files_that_settings_name(
    write: Write, tmp_path: Path, setting: str, content: str, made: str, reason: str
) -> None:
    file = tmp_path / "a file"
    if made == "folder":
        file.mkdir()
    elif made != "absent":
        file.write_text("" if made == "empty" else "no certificate")
    done = check_config("--config", str(write(content.replace("FILE", f"'{file}'"))))
    assert (done.exit_code, done.stdout) == (os.EX_CONFIG, "")
    assert done.stderr.startswith(f"facegate: {setting}: {file} ")
    assert reason in done.stderr


REFUSED_SETTINGS = [
    pytest.param("people: {key: abc}", "people.key must be 32 bytes in base64", id="key"),
    pytest.param("data: FILE", "data: FILE cannot be used: FILE is not a folder", id="file as data"),
    pytest.param("data: FILE/below/it", "data: FILE/below/it cannot be used: FILE is not a folder", id="below a file"),
    pytest.param("mqtt:\n  # host: a\n", "mqtt: the section is empty: add a setting below it", id="no settings"),
    pytest.param("rest: {hosts: a}", "rest.hosts: expected a list, as [a, b]", id="no list"),
    pytest.param("rest: {anonymous: true}", "(write it as rest: {anonymous: {role: client, from: [192.168.0.0/16]}})"),
    pytest.param("rest: {anonymous: {role: client}}", "rest.anonymous.from: this key is missing: add it"),
    pytest.param("rest: {anonymous: {from: [5]}}", "rest.anonymous.from.0: '5' is not a network: write it as 192.168."),
    pytest.param("rest: {anonymous: {from: [pi.local]}}", "'pi.local' is not a network: write it as 192.168.0.0/16"),
    pytest.param(
        "rest: {anonymous: {role: admin, from: []}}", "rest.anonymous.role: expected 'client', 'viewer' or 'keeper'"
    ),
    pytest.param("cameras: [a]", "cameras: expected a map, as name: value", id="no map"),
    pytest.param(
        "homeassistant: false",
        "homeassistant: expected a map of settings, found false (write it as homeassistant: {enabled: false})",
        id="switched off",
    ),
    pytest.param(
        "homeassistant: true", "found true (write it as homeassistant: {enabled: true}", id="section switched on"
    ),
    pytest.param("live: off", "live: expected a map of settings, found false (write it as live: {enabled: false}"),
    pytest.param(
        "frigate: {url: http://f}",
        "frigate.url: expected a map of settings, found text"
        " (write it as frigate: {home: {url: 'http://frigate:5000'}})",
        id="frigate without a name",
    ),
    pytest.param("frigate: false", "found false (write it as frigate: {home: {url:", id="no frigate"),
    pytest.param("inputs: [a]", "found a list (write it as inputs: {pull: {porch: {url:", id="list as inputs"),
    pytest.param(
        "inputs: {porch: {url: http://p}}",
        "inputs.porch: unknown setting: check its spelling (write it as inputs: {pull: {porch: {url:",
        id="inputs without pull",
    ),
    pytest.param(
        "inputs: {pull: {url: http://p}}", "inputs.pull.url: expected a map of settings, found text (write it as inputs"
    ),
    pytest.param(
        "inputs: {topics: {topic: a}}", "inputs.topics: expected a list, as [a, b] (write it as inputs: {topics: [{"
    ),
    pytest.param("mqtt: {tls: true}", "found true (write it as mqtt: {tls: {enabled: true}}", id="tls"),
    pytest.param("cameras: {a: {only: [[]]}}", "each with 3 to 64 corners", id="no corners"),
    pytest.param("cameras: {front door: {}}", "use 1 to 64 characters of A-Z a-z 0-9 _ -", id="camera"),
    pytest.param("mqtt: {base: a b}", "mqtt.base: expected one to four levels of A-Z", id="base"),
    pytest.param(
        "homeassistant: {prefix: 'home/#'}", "homeassistant.prefix: expected one to four levels of A-Z", id="prefix"
    ),
    pytest.param("mqtt: {client_id: a b}", "mqtt.client_id: expected 1 to 64 characters of A-Z", id="client id"),
    *(
        pytest.param(f"mqtt: {{host: '{host}'}}", "write the host name alone; the port is mqtt.port", id=host)
        for host in (
            "mqtt://localhost",
            "mqtt://localhost:1883",
            "localhost:1883",
            "10.0.0.1:1883",
            "[::1]",
            "a b",
            "a/",
        )
    ),
]


@pytest.mark.parametrize(("content", "message"), REFUSED_SETTINGS)
def test_check_config_refuses_settings_that_run_cannot_use(
    write: Write, tmp_path: Path, content: str, message: str
) -> None:
    """Regression: check-config accepted them, and run refused them or waited for ever for a broker."""
    file = tmp_path / "file"
    file.touch()
    done = check_config("--config", str(write(content.replace("FILE", str(file)))))
    assert (done.exit_code, done.stdout) == (os.EX_CONFIG, "")
    assert message.replace("FILE", str(file)) in done.stderr


@pytest.mark.parametrize("form", FORMS.values())
def test_form_of_a_section_in_a_message_can_be_used(write: Write, form: str) -> None:
    assert load(write(form))


def test_each_section_has_a_form() -> None:
    sections = {name for name, field in Settings.model_fields.items() if isinstance(field.default, Section | dict)}
    assert sections == {setting for setting in FORMS if "." not in setting}


@pytest.mark.parametrize("content", ["frigate: {password: 271828}", "frigate: {password: geheim}", "mqtt: [geheim]"])
def test_message_about_a_section_quotes_no_password(write: Write, content: str) -> None:
    with pytest.raises(ConfigError, match="write it as") as caught:
        load(write(content))
    assert "271828" not in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["localhost", "pi.local", "10.0.0.1", "::1", "fe80::1%eth0", "my_broker", "bücher.example"]
)
def test_host_may_be_a_name_or_an_address(write: Write, host: str) -> None:
    assert load(write(f"mqtt: {{host: '{host}'}}")).mqtt.host == host


def test_check_config_makes_no_data_folder(write: Write, tmp_path: Path) -> None:
    assert check_config("--config", str(write(f"data: {tmp_path}/new/data"))).exit_code == 0
    assert not (tmp_path / "new").exists()


def test_json_of_the_environment_is_read_strictly(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, message in (('{"a": {}, "a": {}}', "a occurs twice"), ("[" * 100_000, "too many nested levels")):
        monkeypatch.setenv("FACEGATE_CAMERAS", value)
        with pytest.raises(ConfigError, match=rf"cameras.*{message}"):
            load()


def test_two_variables_for_one_setting_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_DATA", "a")
    monkeypatch.setenv("facegate_data", "b")
    with pytest.raises(ConfigError, match="which name the same setting"):
        load()


def test_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml cannot be read: No such file"):
        load(tmp_path / "absent.yaml")


def test_environment_overrides_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_MQTT__HOST", "broker.local")
    settings = load(write("mqtt: {host: other, port: 8883}"))
    assert (settings.mqtt.host, settings.mqtt.port) == ("broker.local", 8883)


def test_null_in_the_environment_is_no_value(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: it was the text null, a valid name of a cluster."""
    for variable in ("CLUSTER__NAME", "MQTT__USER", "PEOPLE__KEY_FILE", "PEOPLE__KEEP_DAYS", "RECOGNISER"):
        monkeypatch.setenv(f"FACEGATE_{variable}", "null")
    settings = load(write("mqtt: {user: gateway}\npeople: {keep_days: 5}"))
    assert (settings.cluster.name, settings.mqtt.user, settings.recogniser) == (None, None, None)
    assert (settings.people.key_file, settings.people.keep_days) == (None, None)


def test_lists_and_maps_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_OPERATIONS", '["detect"]')
    monkeypatch.setenv("FACEGATE_CAMERAS", '{"porch": {"operations": ["verify"]}}')
    settings = load()
    assert settings.operations_of("yard") == (Operation.DETECT,)
    assert settings.operations_of("porch") == (Operation.VERIFY,)


def test_nested_settings_come_from_single_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_LANDMARKS_68", "false")
    monkeypatch.setenv("FACEGATE_DETECTION__MAX_FACE", "300")
    monkeypatch.setenv("FACEGATE_PRECISION__DETECTOR", "f32")
    settings = load()
    assert settings.landmarks_68 == "off"
    assert settings.search_of("porch") == Search(56, 300)
    assert (settings.precision.detector, settings.precision.descriptor) == ("f32", "auto")


@pytest.mark.parametrize(
    ("value", "origin"),
    [("true", "mesh"), ("false", "off"), ("off", "off"), ('"off"', "off"), ("mesh", "mesh"), ("dlib", "dlib")],
)
def test_landmarks_68_is_a_word_or_a_truth_value_of_older_versions(
    write: Write, monkeypatch: pytest.MonkeyPatch, value: str, origin: str
) -> None:
    assert load(write(f"landmarks_68: {value}")).landmarks_68 == origin
    monkeypatch.setenv("FACEGATE_LANDMARKS_68", value.strip('"'))
    assert load().landmarks_68 == origin


def test_regions_of_a_camera_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_CAMERAS", '{"porch": {"never": [[[0, 0], [1, 0], [1, 0.5]]]}}')
    assert load().search_of("porch").never == (((0, 0), (1, 0), (1, 0.5)),)


@pytest.mark.parametrize(
    "variable",
    [
        "FACEGATE_MQTT__HOTS",
        "FACEGATE_MQQT__HOST",
        "FACEGATE_DATA__X",
        "FACEGATE_DETECTION__MINFACE",
        "FACEGATE_CAMERAS__PORCH__ONLY",
        "FACEGATE_",
        "facegate_prot",
    ],
)
def test_mistyped_variable_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "x")
    with pytest.raises(ConfigError, match=rf"Unknown environment variable: {variable}\."):
        load()


@pytest.mark.parametrize(
    ("variable", "key"),
    [
        ("FACEGATE_MQTT__PORT", r"mqtt\.port"),
        ("FACEGATE_OPERATIONS", "operations"),
        ("FACEGATE_DETECTION__MIN_FACE", r"detection\.min_face"),
        ("FACEGATE_PRECISION__DETECTOR", r"precision\.detector"),
        ("FACEGATE_MQTT__RESPONSE_TOPICS", "mqtt"),
    ],
)
def test_wrong_value_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, key: str) -> None:
    monkeypatch.setenv(variable, "x")
    with pytest.raises(ConfigError, match=key):
        load()


@pytest.mark.parametrize(
    ("variable", "value", "place"),
    [
        ("FACEGATE_WORKERS__PROCESSES", "-1", "workers.processes: expected at least 0, found '-1'"),
        ("facegate_mqtt__port", "0", "mqtt.port: expected at least 1, found '0'"),
        ("FACEGATE_MQTT", '{"hots": "x"}', "mqtt.hots: unknown setting"),
        ("FACEGATE_OPERATIONS", '["detect", "fly"]', "operations.1: expected 'face_rec'"),
        ("FACEGATE_OPERATIONS", "detect", "operations: expected a list or a map as JSON"),
        ("FACEGATE_CAMERAS", '{"porch": {"rotate": 45}}', "cameras.porch.rotate: expected 0, 90, 180 or 270, found 45"),
    ],
)
def test_bad_variable_is_named_and_not_the_file(
    write: Write, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, place: str
) -> None:
    """Regression: the message named the configuration file, in which the setting was right or missing."""
    monkeypatch.setenv(variable, value)
    path = write("mqtt: {host: pi}")
    message = check_config("--config", str(path)).stderr
    assert message.startswith(f"facegate: the environment cannot be used: {variable}: {place}")
    assert str(path) not in message


def test_bad_settings_of_the_file_and_the_environment_are_told_apart(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGATE_MQTT", '{"host": "pi"}')
    monkeypatch.setenv("FACEGATE_WORKERS__QUEUE", "0")
    path = write("{mqtt: {port: 0}, workers: {queue: -1}}")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == (
        "The environment cannot be used: FACEGATE_WORKERS__QUEUE: workers.queue: expected at least 1, found '0'."
        f" The configuration ({path}) cannot be used: mqtt.port: expected at least 1, found 0."
    )


def test_variable_that_contradicts_the_file_is_named_with_it(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_DETECTION__MAX_FACE", "50")
    with pytest.raises(ConfigError, match=r"yaml\) .*\(with FACEGATE_DETECTION__MAX_FACE from the environment\)"):
        load(write("detection: {min_face: 60}"))


@pytest.mark.parametrize(
    ("regions", "place"),
    [
        ("[[0, 0.2], [0.6, 0.2]]", "only.0.0"),
        ("[[[0, 0.2], [0.6, 0.2]]]", "only.0"),
        ("[[[[0, 0.2], [0.6, 0.2], [0.6, 1]]]]", "only.0.0"),
        ("[[[0, 0.2, 1], [0.6], [0.6, 1]]]", "only.0.0"),
        ("[[0, 0.2, 0.6, 0.2, 0.6, 1]]", "only.0.0"),
        ("0.5", "only"),
    ],
)
def test_region_of_the_wrong_form_is_refused_with_the_right_form(write: Write, regions: str, place: str) -> None:
    """Regression: a missing bracket gave six messages, and none showed the right form."""
    path = write(f"cameras: {{porch: {{only: {regions}}}}}")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == (
        f"The configuration ({path}) cannot be used: cameras.porch.{place}: expected a list of regions, each with"
        " 3 to 64 corners [x, y] from 0 to 1, as [[[0, 0.2], [0.6, 0.2], [0.6, 1]]]."
    )


def test_operations_of_a_camera_are_its_own_or_those_of_all_cameras(write: Write) -> None:
    settings = load(write("{operations: [face_rec, detect], cameras: {porch: {operations: []}, yard: {}}}"))
    assert settings.operations_of("hall") == (Operation.FACE_REC, Operation.DETECT)
    assert settings.operations_of("porch") == ()
    assert settings.operations_of("yard") == (Operation.FACE_REC, Operation.DETECT)


def test_camera_with_only_regions_has_the_operations_of_all_cameras(write: Write) -> None:
    settings = load(write("{operations: [detect], cameras: {porch: {only: [[[0, 0], [1, 0], [1, 1]]]}}}"))
    assert settings.operations_of("porch") == (Operation.DETECT,)


def test_search_of_a_camera_has_its_own_settings_or_those_of_all_cameras(write: Write) -> None:
    settings = load(
        write(
            "{detection: {min_face: 40, max_face: 400}, cameras: {"
            "far: {min_face: 20, max_face: 50}, near: {min_face: 90}, "
            "yard: {only: [[[0, 0.2], [0.6, 0.2], [0.6, 1]]], never: [[[0, 0], [1, 0], [1, 1]]]}}}"
        )
    )
    assert settings.search_of("far") == Search(20, 50)
    assert settings.search_of("near") == Search(90, 400)
    assert settings.search_of("yard") == Search(
        40, 400, only=(((0, 0.2), (0.6, 0.2), (0.6, 1)),), never=(((0, 0), (1, 0), (1, 1)),)
    )
    assert settings.search_of("porch") == Search(40, 400)


def test_mounting_is_set_for_single_cameras(write: Write) -> None:
    settings = load(write("cameras: {hall: {rotate: 270, mirror: true}, porch: {min_face: 40}}"))
    assert settings.search_of("hall") == Search(mounting=Mounting(270, mirror=True))
    assert [settings.search_of(camera).mounting for camera in ("porch", "yard")] == [Mounting(), Mounting()]
    assert settings.search_of(None).mounting == Mounting()


@pytest.mark.parametrize("degrees", ["45", "-90", "360", "left", "true"])
def test_rotation_must_be_a_quarter_turn(write: Write, degrees: str) -> None:
    with pytest.raises(ConfigError, match=r"cameras\.hall\.rotate: .*0, 90, 180 or 270"):
        load(write(f"cameras: {{hall: {{rotate: {degrees}}}}}"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("sightings: {again_s: 4}", r"sightings\.again_s \(4\) is shorter than live\.gone_s \(5\)"),
        ("live: {camera_lost_s: 1}", r"live\.camera_lost_s \(1\) is shorter than live\.gone_s \(5\)"),
        ("cluster: {name: a/b}", r"cluster\.name: 'a/b' is no name of a cluster"),
        ("cluster: {lease_s: 5, offline_names_s: 4}", r"offline_names_s \(4\) is shorter than lease_s \(5\)"),
        ("homeassistant: {prefix: facegate}", r"homeassistant\.prefix \(facegate\) is mqtt\.base"),
        (
            "{mqtt: {base: a/b}, homeassistant: {prefix: a/b/c}}",
            r"homeassistant\.prefix \(a/b/c\) is mqtt\.base \(a/b\)",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(write: Write, content: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(write(content))


@pytest.mark.parametrize(
    "content",
    [
        "{live: {gone_s: 1}, sightings: {again_s: 1}}",
        "{mqtt: {base: homeassistant/facegate}}",
        "{mqtt: {base: facegate}, homeassistant: {prefix: facegate2}}",
        "{mqtt: {base: homeassistant}, homeassistant: {enabled: false}}",
    ],
)
def test_settings_that_only_look_alike_are_accepted(write: Write, content: str) -> None:
    load(write(content))


def test_camera_with_contradicting_face_sizes_is_refused(write: Write) -> None:
    path = write("cameras: {porch: {max_face: 50}}")
    with pytest.raises(ConfigError, match=r"cameras\.porch: max_face \(50\) is smaller than min_face \(56\)"):
        load(path)


def test_pictures_over_rest_have_the_search_of_no_camera(write: Write) -> None:
    settings = load(write("{detection: {min_face: 80}, cameras: {far: {min_face: 20}}}"))
    assert settings.search_of(None) == Search(80)


def test_default_search_is_that_of_the_model() -> None:
    assert Settings().search_of(None) == Settings().search_of("porch") == Search()


def test_number_of_workers_is_that_of_cores_unless_set(write: Write) -> None:
    assert load().workers.count >= 1
    assert load(write("workers: {processes: 3}")).workers.count == 3


def test_default_keepalive_notices_a_dead_connection_before_requests_expire() -> None:
    settings = Settings()
    assert 2 * settings.mqtt.keepalive_s + 15 < settings.limits.request_s  # as config/gateway.yaml explains it


def test_message_has_room_for_two_pictures_in_base64() -> None:
    limits = Settings().limits
    assert limits.message_bytes > 2 * limits.bytes * 4 / 3
    assert limits.body_bytes > 2 * limits.file_bytes * 4 / 3


def test_files_and_cameras_have_limits_of_their_own() -> None:
    settings = Settings()
    assert settings.size_limit_of("porch") == SizeLimit(10_000_000, "limits.bytes")
    assert settings.size_limit_of(None) == SizeLimit(25_000_000, "limits.file_bytes")


def test_limit_of_files_is_never_below_that_of_cameras(write: Write) -> None:
    """Otherwise a higher ``limits.bytes`` of an older configuration would no longer hold for REST."""
    assert load(write("limits: {bytes: 40000000}")).limits.file == SizeLimit(40_000_000, "limits.bytes")


def test_check_config_prints_the_settings_in_effect(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_REST__PORT", "5002")
    path = write("mqtt: {base: home/door}")
    printed = check_config("--config", str(path))
    assert printed.exit_code == 0
    assert yaml.safe_load(printed.stdout) == load(path).model_dump(mode="json")


def test_check_config_hides_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_MQTT__PASSWORD", "correct horse")
    printed = check_config()
    assert yaml.safe_load(printed.stdout)["mqtt"]["password"] == "*" * 10
    assert "correct horse" not in printed.output


def test_check_config_reports_a_wrong_setting_in_one_line(write: Write) -> None:
    printed = check_config("--config", str(write("mqtt: {port: 0}")))
    assert (printed.exit_code, printed.stdout) == (os.EX_CONFIG, "")
    assert printed.stderr.startswith("facegate: the configuration (")
    assert printed.stderr.count("\n") == 1


def test_refusal_does_not_repeat_the_password(write: Write) -> None:
    """YAML reads these digits as a number, which is the likeliest mistake with a password."""
    printed = check_config("--config", str(write("mqtt: {password: 20251984}")))
    assert printed.exit_code == os.EX_CONFIG
    assert "20251984" not in printed.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("mqtt: {port: many}", "mqtt.port: expected a whole number, found 'many'"),
        ("mqtt: {port: 0}", "mqtt.port: expected at least 1, found 0"),
        ("mqtt: {port: {password: geheim}}", "mqtt.port: expected a whole number, found an object"),
        ("engine: magic", "engine: expected 'facegate', 'dlib-hog' or 'dlib-cnn', found 'magic'"),
        ("landmarks_68: null", "landmarks_68: expected 'mesh', 'dlib' or 'off', found null"),
        ("log_level: off", "log_level: expected 'DEBUG', 'INFO', 'WARNING' or 'ERROR', found false"),
        ("mqtt: {tls: {enabled: null}}", "mqtt.tls.enabled: expected true or false, found null"),
        ("workers: {picture_s: .inf}", "workers.picture_s: expected a finite number, found .inf"),
    ],
)
def test_message_says_what_was_expected_and_found(write: Write, content: str, message: str) -> None:
    printed = check_config("--config", str(write(content)))
    assert message in printed.stderr
    assert "geheim" not in printed.output


def test_message_about_invalid_yaml_shows_no_line_of_the_file(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"is not YAML: .*line 3, column 1") as caught:
        load(write('mqtt:\n  password: "geheim\n'))
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config_two_mqtt_sections", "mqtt occurs twice, in line 1 and in line 6"),
        ("config_camera_on", 'cameras.on: YAML reads on in line 2 as true or false: put quotes around it, "on"'),
        ("config_ca_without_enabled", "mqtt.tls: ca given, but TLS is not enabled"),
    ],
)
def test_shared_cases_are_refused(shared: Path, name: str, message: str) -> None:
    done = check_config("--config", str(shared / "cases" / f"{name}.yaml"))
    assert (done.exit_code, done.stdout) == (os.EX_CONFIG, "")
    assert message in done.stderr


def test_shared_case_of_a_tilde_is_the_home_folder(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    done = CliRunner().invoke(main, ["people", "list", "--config", str(shared / "cases" / "config_tilde.yaml")])
    assert f"people store: {tmp_path}/facegate/people.sqlite" in done.stderr


def test_default_quality_limits_are_those_of_the_model() -> None:
    assert QualityLimits(**Settings().quality.model_dump()) == QualityLimits()
    assert QualityLimits(**Settings().enrolment.model_dump()) == ENROLMENT_LIMITS
