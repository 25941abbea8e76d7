"""Errors and results name a picture by its number, and by the name of its file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import requests

from gateway.formats.file_names import MAX_SHOWN_CHARACTERS, shown_file_name
from tests.support import WAIT_S, frame

FACE, OTHER_FACE, EMPTY = frame("stranger_1"), frame("stranger_2"), frame("empty_1")
File = tuple[str, tuple[str, bytes]]


@pytest.fixture
def people(rest_url: str) -> Iterator[str]:
    """Give the path of all people. A person who was enrolled by a test is removed."""
    yield f"{rest_url}/api/v1/people"
    requests.delete(f"{rest_url}/api/v1/people/etta", timeout=WAIT_S)


def post(url: str, files: Sequence[File], **fields: str) -> requests.Response:
    return requests.post(url, data=fields, files=list(files), timeout=WAIT_S)


def test_result_of_each_picture_has_the_name_of_its_file(people: str) -> None:
    files = [
        ("images", ("photos/empty.jpg", EMPTY)),
        ("image", ("../etta\n.jpg", FACE)),
        ("photo[]", ("", OTHER_FACE)),
    ]
    answer = post(people, files, name="Etta", partial="true")
    found = [(each["picture"], each.get("file"), each["status"]) for each in answer.json()["results"]]
    assert found == [(1, "empty.jpg", "refused"), (2, "etta%0A.jpg", "added"), (3, None, "added")]


def test_error_of_an_enrolment_names_the_file(people: str) -> None:
    files = [("images", ("etta.jpg", FACE)), ("images", ("empty.jpg", EMPTY))]
    answer = post(people, files, name="Etta")
    assert (answer.status_code, answer.json()["code"]) == (422, "no_face")
    assert answer.json()["detail"] == "picture 2 ('empty.jpg'): there is no face in the picture"
    bad = [("images", ("1.jpg", EMPTY)), ("images", ("2.gif", b"GIF89a" + bytes(99)))]
    reasons = post(people, bad, name="Etta", partial="true").json()["detail"]
    assert reasons.startswith("none of the 2 pictures can be used: picture 1 ('1.jpg'): there is no face in ")
    assert "; picture 2 ('2.gif'): " in reasons


def test_warning_about_a_picture_names_the_file(people: str) -> None:
    files = [("images", ("etta.jpg", FACE)), ("images", ("again.jpg", OTHER_FACE))]
    post(people, files, name="Etta").raise_for_status()
    warnings = post(f"{people}/etta/pictures", files).json()["warnings"]
    text = "picture 2 ('again.jpg') was enrolled already: nothing was added"
    assert {"code": "enrolled_already", "text": text, "picture": 2} in warnings


@pytest.mark.parametrize("path", ["face_match", "api/v1/match"])
def test_error_of_a_comparison_names_the_file(rest_url: str, path: str) -> None:
    def detail(name: str, content: bytes) -> str:
        answer = post(f"{rest_url}/{path}", [("file1", ("etta.jpg", FACE)), ("file2", (name, content))])
        text: str = answer.json()["detail"]
        return text

    assert detail("empty.jpg", EMPTY) == "there is no face in picture 2 ('empty.jpg')"
    assert detail("cat.gif", b"GIF89a" + bytes(99)).startswith("picture 2 ('cat.gif'): ")
    assert detail("half.jpg", FACE[:2000]).startswith("picture 2 ('half.jpg'): ")


def test_error_of_deepstack_names_the_file(rest_url: str) -> None:
    files = [("image1", ("etta.jpg", FACE)), ("image2", ("empty.jpg", EMPTY))]
    registered = post(f"{rest_url}/v1/vision/face/register", files, userid="Etta").json()
    assert registered["error"] == "picture 2 ('empty.jpg'): there is no face in the picture"
    matched = post(f"{rest_url}/v1/vision/face/match", files).json()
    assert matched["error"] == "there is no face in picture 2 ('empty.jpg')"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (None, ""),
        ("", ""),
        ("ada.jpg", "ada.jpg"),
        (r"C:\photos\ada.jpg", "ada.jpg"),
        ("/home/ada/ada.jpg", "ada.jpg"),
        ("..", ".."),
        ("photos/", ""),
        (" Zoë\n\x1b[31m\u202egpj.exe ", "Zoë[31mgpj.exe"),
        ("a" * 99, "a" * (MAX_SHOWN_CHARACTERS - 1) + "…"),
    ],
)
def test_name_of_a_file_is_shown_without_folders_and_control_characters(name: str | None, shown: str) -> None:
    assert shown_file_name(name) == shown
