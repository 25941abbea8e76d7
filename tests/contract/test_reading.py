from __future__ import annotations

import json

import pytest

from gateway.contract.operations import read_fields
from gateway.contract.reading import read_flag, read_json, read_landmarks
from gateway.errors import BadRequest


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (True, 68),
        (68, 68),
        ("68", 68),
        ("true", 68),
        (5, 5),
        ("5", 5),
        (468, 468),
        ("468", 468),
        (False, 0),
        (0, 0),
        ("false", 0),
        ("0", 0),
    ],
)
def test_landmarks_are_a_number_or_true_for_all(value: object, count: int) -> None:
    assert read_landmarks(value) == count


@pytest.mark.parametrize(
    "value",
    [None, 7, "7", 1, "1", -5, 1.0, 5.0, 68.0, "5.0", "05", " 5", "", "perhaps", "\uff15", b"5", [], [5], {}, 10**30],
)
def test_landmarks_refuse_any_other_value(value: object) -> None:
    with pytest.raises(BadRequest, match=r"^landmarks must be true "):
        read_landmarks(value)


@pytest.mark.parametrize(("value", "flag"), [(True, True), ("true", True), (False, False), ("false", False)])
def test_flag_is_true_or_false(value: object, flag: bool) -> None:
    assert read_flag("annotate", value) is flag


@pytest.mark.parametrize("value", [None, 0, 1, 1.0, "1", "yes", "", b"true", [], [True], {}])
def test_flag_refuses_any_other_value_and_names_the_field(value: object) -> None:
    with pytest.raises(BadRequest, match=r"^annotate must be true or false, not "):
        read_flag("annotate", value)


def test_json_object_is_read() -> None:
    assert read_json(b'{"image": "x", "landmarks": true}') == {"image": "x", "landmarks": True}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"a":1', id="cut off"),
        pytest.param(b'{"a":1} {}', id="two"),
        pytest.param(b"[1]", id="array"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"a":"\xff"}', id="not UTF-8"),
        pytest.param(b'{"a":1,"a":2}', id="doubled key"),
        pytest.param(b'{"a":{"b":1,"b":1}}', id="doubled key inside"),
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b'{"a":-Infinity}', id="-Infinity"),
        pytest.param(b'{"a":1e999}', id="a number beyond all numbers"),
        pytest.param(b'{"a":' + b"[" * 100_000, id="deep array"),
        pytest.param(b'{"a":' * 100_000, id="deep object"),
        pytest.param(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="deep and whole"),
        pytest.param(b'{"a":' + b"9" * 10**6 + b"}", id="million digits"),
    ],
)
def test_hostile_json_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest, match="JSON"):
        read_json(data)


def test_json_of_many_parts_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(BadRequest, match="parts"):
        read_json(b'{"a": [' + b"{}," * 1000 + b"{}]}")


def test_json_with_the_state_of_a_camera_is_read() -> None:
    state = {f"sensor{n}": {"value": n, "unit": "mV"} for n in range(100)}
    assert read_json(json.dumps({"state": state}).encode()) == {"state": state}


@pytest.mark.parametrize("around", [b"\xef\xbb\xbf%b", b"\n%b", b" \r\n%b\r\n", b"%b\0", b"\xef\xbb\xbf\r\n%b\0\0"])
def test_json_is_read_between_white_space_and_byte_order_marks(around: bytes) -> None:
    assert read_json(around % b'{"a": "\xc3\xa4"}') == {"a": "ä"}


def test_error_quotes_only_the_beginning_of_json() -> None:
    """Regression: mosquitto closed the connection for a message over its limit, and paho sent it again for ever."""
    with pytest.raises(BadRequest) as caught:
        read_json(b'{"a": 1e' + b"9" * 1_000_000 + b"}")
    assert len(str(caught.value)) <= 500


@pytest.mark.parametrize(
    ("operation", "fields", "message"),
    [
        ("people/show", {"person": "Ada"}, r"not 'Ada': if this is a name, find the id with `facegate people list`$"),
        (
            "people/show",
            {"person": 7},
            r"^person must be a person's id \(1 to 53 characters of a-z, 0-9 and _\), not 7: ",
        ),
        ("people/list", {"limit": "few"}, r"^limit must be a whole number from 1 on, of up to 9 digits, not 'few'$"),
        ("people/list", {"limit": 10**100}, r"not a number$"),
        ("people/list", {"limit": True}, r"not true$"),
        ("people/list", {"search": "a" * 300}, r"not 300 characters: 'a{64}'$"),
        (
            "people/add",
            {"nam": "Ada"},
            r"^unknown field of people/add: 'nam'; its fields are person, name, images, partial$",
        ),
        ("health", {"x": 1}, r"^unknown field of health: 'x'; it has no fields$"),
        ("people/rename", {"person": "ada"}, r"^people/rename needs name: the request has only person$"),
        ("people/rename", {}, r"^people/rename needs person and name: the request has no fields$"),
        ("people/add", {"images": b"x"}, r"the request has neither$"),
        ("people/add", {"images": b"x", "name": "Ada", "person": "ada"}, r"the request has both$"),
    ],
)
def test_error_about_a_field_names_the_expected_and_the_found_value(
    operation: str, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(BadRequest, match=message):
        read_fields(operation, fields)


def test_error_about_a_doubled_key_names_it() -> None:
    with pytest.raises(BadRequest, match="the key 'b' occurs twice"):
        read_json(b'{"a":1,"b":1,"b":2}')
