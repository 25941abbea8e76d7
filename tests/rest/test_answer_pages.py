"""The answers to browsers that post a form of ``/face_rec`` or ``/face_match``."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import requests

from gateway.model import Box, Comparison, Face, Image, Judgement, Likeness, Recognition
from gateway.model.people import Person
from gateway.rest.answer_pages import comparison_page, kind_in_browsers, recognition_page
from tests.examples import ALICE, BOB
from tests.rest.access.examples import Site
from tests.support import frame

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def recognition(*judgements: Judgement) -> Recognition:
    faces = tuple(Face(Box(0, 0, 9, 9), judgement=judgement) for judgement in judgements)
    return Recognition(faces=faces, image=Image(640, 480, 5000), threshold=0.4, timing={}, annotated=b"drawn")


def page_of(reply: Recognition, *, may_enrol: bool = True) -> str:
    return recognition_page(reply, b"\xff\xd8\xff a picture", "", may_enrol=may_enrol)


@pytest.mark.parametrize("accept", [None, "*/*", "application/json"])
def test_program_gets_json(rest_url: str, accept: str | None) -> None:
    headers = {"Accept": accept} if accept else {}
    answer = requests.post(f"{rest_url}/face_rec", files={"file": frame("obama_1")}, headers=headers, timeout=60)
    assert answer.json() == {"name": "Barack Obama", "verdict": "match"}


def test_browser_gets_a_page_with_the_drawn_picture_and_the_name(rest_url: str) -> None:
    answer = requests.post(f"{rest_url}/face_rec", files={"file": frame("obama_1")}, headers=BROWSER, timeout=60)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<h1>Barack Obama</h1>" in answer.text
    assert 'src="data:image/jpeg;base64,' in answer.text
    assert "Enrol this face" in answer.text


def test_browser_gets_a_page_about_two_pictures(rest_url: str) -> None:
    files = {"file1": frame("obama_1"), "file2": frame("biden_1")}
    answer = requests.post(f"{rest_url}/face_match", files=files, headers=BROWSER, timeout=60)
    assert "<h1>Different people</h1>" in answer.text


@pytest.mark.parametrize(("path", "names"), [("/face_rec", ["file"]), ("/face_match", ["file1", "file2"])])
def test_browser_gets_errors_as_a_page_with_the_form(rest_url: str, path: str, names: list[str]) -> None:
    files = dict.fromkeys(names, b"no picture")
    answer = requests.post(rest_url + path, files=files, headers=BROWSER, timeout=60)
    assert answer.status_code == 400
    assert "This did not work" in answer.text
    assert f'name="{names[-1]}"' in answer.text


def test_error_that_a_browser_sees_is_counted(tmp_path: Path) -> None:
    site = Site(tmp_path)
    answer = site.client("127.0.0.1").post("/face_rec", headers=BROWSER)
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert site.metrics.snapshot()["errors"] == 1


def test_page_of_another_site_gets_no_page_of_ours(tmp_path: Path) -> None:
    headers = {**BROWSER, "Origin": "http://evil.example"}
    answer = Site(tmp_path).client("127.0.0.1").post("/face_rec", headers=headers)
    assert answer.status_code == 403


def test_names_are_text_and_no_markup() -> None:
    person = Person("eve", "<b>Eve</b>")
    page = page_of(recognition(Judgement("match", person, 0.9)))
    assert "<b>" not in page
    assert "<h1>&lt;b&gt;Eve&lt;/b&gt;</h1>" in page
    assert ">&lt;b&gt;Eve&lt;/b&gt;</text>" in page
    assert 'value="&lt;b&gt;Eve&lt;/b&gt;"' in page


def test_page_names_the_candidates_and_says_why_a_face_has_no_name() -> None:
    likely = (Likeness(ALICE, 1.0, 0.99), Likeness(BOB, 0.95, 0.98))
    page = page_of(recognition(Judgement("ambiguous", None, 1.0, 0.99, 0.01, likely), Judgement("too_dark", None, 0.1)))
    assert "<h1>Nobody who is enrolled</h1>" in page
    assert "The picture shows 2 faces." in page
    assert "<td>Alice or Bob</td>" in page
    assert "<td>too dark</td>" in page


def test_only_a_keeper_is_offered_to_enrol_and_only_one_face() -> None:
    one = recognition(Judgement("unknown", None, 0.2))
    assert "Enrol this face" in page_of(one)
    assert "Enrol this face" not in page_of(one, may_enrol=False)
    assert "Enrol this face" not in page_of(recognition(*[Judgement("unknown", None, 0.2)] * 2))
    assert "<h1>No face is found</h1>" in page_of(recognition())


def test_forms_of_a_session_have_its_csrf_token() -> None:
    one = recognition(Judgement("unknown", None, 0.2))
    page = recognition_page(one, b"picture", "abc", may_enrol=True)
    assert 'action="?csrf=abc"' in page
    assert 'action="api/v1/people?csrf=abc"' in page
    comparison = Comparison(match=True, score=0.9, threshold=0.4, faces=(), timing={})
    assert "logout?csrf=abc" in comparison_page(comparison, "abc")


def test_picture_that_not_every_browser_shows_is_the_drawn_one() -> None:
    heic = recognition_page(recognition(Judgement("unknown", None, 0.2)), b"\0\0\0 ftypheic", "", may_enrol=False)
    assert f"data:image/jpeg;base64,{base64.b64encode(b'drawn').decode()}" in heic
    assert "<svg" not in heic
    assert kind_in_browsers(frame("obama_1")) == "jpeg"
