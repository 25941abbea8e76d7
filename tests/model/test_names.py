# ruff: noqa: RUF001 (look-alike letters are what is tested)
from __future__ import annotations

import base64
import io
import unicodedata
import zipfile
from collections.abc import Callable

import pytest

from gateway.config import LimitSettings
from gateway.contract.base import dump
from gateway.contract.operations import read_fields
from gateway.errors import BadRequest
from gateway.model import PERSON_ID
from gateway.model.names import MAX_ID, MAX_NAME, RESERVED_IDS, check_new_name, checked_name, means_nobody, name_key
from gateway.mqtt.codec.inbound import Query, Reader
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.transport.packets import Received
from gateway.people.archive import read_archive
from gateway.rest.api_v1 import ROUTES
from tests.support import frame


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Eileen Collins", "eileen collins"),
        ("Eileen Collins", "eileen_collins"),
        ("Eileen Collins", "_EILEEN--COLLINS_"),
        ("Eileen Collins", "Eileen\u00a0\u2003Collins"),
        ("Eileen Collins", "Ｅｉｌｅｅｎ　Ｃｏｌｌｉｎｓ"),
        ("Anne-Marie", "Anne–Marie"),
        ("José Núñez", "Jose Nunez"),
        ("Jose\u0301", "José"),
        ("Łukasz Søndergård", "Lukasz Sondergard"),
        ("Straße", "STRASSE"),
        ("İpek", "ipek"),
        ("IŞIL", "ışıl"),
        ("Шишкин Ёж", "шишкин еж"),
        ("ﬁona", "Fiona"),
        ("O’Brien", "O'Brien"),
        ("O´Brien", "O'Brien"),
        ("Σίσυφος", "ΣΙΣΥΦΟΣ"),
        ("❤️", "❤"),
    ],
)
def test_spellings_of_one_name_have_one_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other) == name_key(name_key(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann", "Anne"),
        ("Li Na", "Lina"),
        ("たかし", "たがし"),
        ("कुमार", "कमार"),
        ("王芳", "王方"),
        ("Jo", "Jo 2"),
        ("😀", "🎈"),
        ("O'Brien", "OBrien"),
    ],
)
def test_different_names_have_different_keys(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


@pytest.mark.parametrize("name", ["...", "___", "\u202e", "\ud800", "", "x" * 10_000])
def test_any_text_has_a_key(name: str) -> None:
    assert isinstance(name_key(name), str)


LONG_NAMES = ["a" + "\u0300\u0327" * 500_000, "a" * 401, "Anna" + " " * 397]
"""The first one would take hours to normalise."""


@pytest.mark.parametrize("name", LONG_NAMES, ids=["marks", "letters", "spaces"])
@pytest.mark.parametrize(
    "read",
    [
        checked_name,
        lambda name: read_fields("people/rename", {"person": "anna", "name": name}),
        lambda name: read_fields("people/add", {"images": b"", "name": name}),
        lambda name: read_fields("unknowns/name", {"unknown": 1, "name": name}),
        lambda name: _read_enrolment(name, {}),
        lambda name: _read_enrolment(None, {"name": name}),
        lambda name: read_archive(_archive(name)),
    ],
    ids=["name", "rename", "add", "stranger", "MQTT", "MQTT 5 property", "archive"],
)
def test_long_name_is_refused_before_it_is_normalised(
    read: Callable[[str], object], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: a name of 160 kB stopped the whole gateway for 20 s."""
    monkeypatch.setattr("gateway.model.names.unicodedata", None)
    with pytest.raises(BadRequest, match=f"the name has {len(name)} characters: at most 100 are allowed"):
        read(name)


def _read_enrolment(name: str | None, properties: dict[str, str]) -> object:
    picture = {"image": base64.b64encode(frame("obama_1")).decode()}
    payload = dump(picture if name is None else {**picture, "name": name})
    reader = Reader(Topics("facegate"), LimitSettings())
    message = Received("facegate/porch/request/enroll/1", payload, retained=False, properties=properties)
    query = reader.read_query(message, False)
    assert isinstance(query, Query)
    return reader.read_request(query, 60.0)


def _archive(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(
            "people.json", dump({"facegate": 1, "people": [{"person": "a", "name": name, "pictures": []}]})
        )
    return out.getvalue()


@pytest.mark.parametrize("letter", ["\u1f82", "\u1ed8", "각", "\u0390"])
def test_longest_name_is_accepted_with_its_letters_taken_apart(letter: str) -> None:
    name = letter * MAX_NAME
    assert checked_name(unicodedata.normalize("NFD", name)) == name


LATIN_1 = "Jürgen".encode("latin-1")


@pytest.mark.parametrize(
    "name", [LATIN_1.decode(errors="replace"), LATIN_1.decode(errors="surrogateescape"), "a\ufffd"]
)
def test_name_that_was_not_utf_8_is_refused_with_that_reason(name: str) -> None:
    """Regression: the replacement character was stored as a part of the name."""
    with pytest.raises(BadRequest, match="not UTF-8: character 2"):
        checked_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "a\ue000",
        "a\u202eb",
        "a\u2066b",
        "a\u200fb",
        "a\u0378",
        "a\uffff",
        "a\U0010ffff",
        "a\u0007b",
        "\u3164",
        "\u2800\u2800",
        "a\ufffc",
        "...",
        "-_-",
        "' '",
        "/",
        "\u0301",
        "$",
    ],
)
def test_name_that_shows_no_person_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match=r"the name (is empty|has \d+ char|.* has a char|.* is only punct)"):
        checked_name(name)


@pytest.mark.parametrize("name", ["Jürgen", "O'Brien", "J. R. R.", "½", "😀", "7", "علي", "김철수", "Ng"])
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name", ["Unknown", "UNKNOWN", "ünknown", "un\u212anown", "Unknown-Person", "Nobody", "no one"]
)
def test_words_for_an_unknown_face_are_refused_as_a_new_name(name: str) -> None:
    assert means_nobody(name)
    with pytest.raises(BadRequest, match="an unknown face"):
        check_new_name(name)


@pytest.mark.parametrize("name", ["Unknown Soldier", "Nobody Jones", "Ann"])
def test_names_that_only_contain_such_a_word_are_accepted(name: str) -> None:
    check_new_name(name)


def test_fixed_paths_of_people_over_rest_are_reserved_ids() -> None:
    """Regression: a person called Export had the id `export`, and its path returned every person."""
    levels = {path.split("/")[4] for _, path, _ in ROUTES if path.startswith("/api/v1/people/")}
    assert {level for level in levels if PERSON_ID.fullmatch(level)} <= RESERVED_IDS
    assert {"export", "import"} <= RESERVED_IDS


def test_person_id_fits_the_verdict_of_a_small_device() -> None:
    assert len(b"match 0.83 ") + MAX_ID <= 64


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (" ", "the name is empty"),
        ("___", "is only punctuation"),
        ("n" * 101, "the name has 101 characters: at most 100"),
        ("Ada\u200bL", r"a character that shows nothing \('\\u200b'\)"),
        ("Ada\u3164", r"a character that shows nothing \('\\u3164'\)"),
    ],
)
def test_faults_of_a_name_have_sentences_of_their_own(name: str, fault: str) -> None:
    """Regression: all these names got "a name is 1 to 100 printable characters"."""
    with pytest.raises(BadRequest, match=fault):
        checked_name(name)
