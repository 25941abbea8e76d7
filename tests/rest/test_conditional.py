"""``ETag`` and ``If-None-Match``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.support import WAIT_S, frame


@pytest.fixture
def person(rest_url: str) -> Iterator[str]:
    """Give the path of a person who is enrolled for one test."""
    files = {"images": frame("stranger_1")}
    requests.post(f"{rest_url}/api/v1/people", data={"name": "Etta"}, files=files, timeout=WAIT_S).raise_for_status()
    yield f"{rest_url}/api/v1/people/etta"
    requests.delete(f"{rest_url}/api/v1/people/etta", timeout=WAIT_S)


def get(url: str, etag: str = "") -> requests.Response:
    return requests.get(url, headers={"If-None-Match": etag} if etag else {}, timeout=WAIT_S)


def test_document_is_sent_again_only_after_a_change(person: str) -> None:
    first = get(person)
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = get(person, first.headers["ETag"])
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    requests.patch(person, json={"name": "Etta James"}, timeout=WAIT_S).raise_for_status()
    changed = get(person, first.headers["ETag"])
    assert (changed.status_code, changed.json()["name"]) == (200, "Etta James")
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_picture_of_a_person_has_an_etag_and_may_be_shown_from_a_copy(person: str) -> None:
    shown = get(person).json()["shown"]
    picture, thumbnail = get(f"{person}/picture"), get(f"{person}/pictures/{shown}/thumbnail")
    assert picture.content == thumbnail.content
    assert thumbnail.content.startswith(b"\xff\xd8\xff")
    assert thumbnail.headers["Content-Type"] == "image/jpeg"
    assert [each.headers["Cache-Control"] for each in (picture, thumbnail)] == [
        "private, max-age=60",
        "private, max-age=3600",
    ]
    again = get(f"{person}/pictures/{shown}/thumbnail", thumbnail.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    missing = get(f"{person}/pictures/{'0' * 16}/thumbnail")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_person")


def test_copy_is_shown_only_to_the_same_token_or_session(person: str) -> None:
    """Regression: after a log-out, a browser showed copies of thumbnails for an hour."""
    shown = get(person).json()["shown"]
    for path in (person, f"{person}/pictures/{shown}/thumbnail"):
        first = get(path)
        again = get(path, first.headers["ETag"])
        assert [each.headers["Vary"] for each in (first, again)] == ["Authorization, Cookie"] * 2


def test_archive_and_error_have_no_etag(person: str) -> None:
    for path in (f"{person}/export", f"{person}x"):
        assert "ETag" not in get(path).headers
    assert get(f"{person}/export").headers["Cache-Control"] == "private, no-store"


def test_change_with_a_key_is_made_once(person: str) -> None:
    url = f"{person}/pictures"
    files, headers = {"images": frame("stranger_2")}, {"Idempotency-Key": "once"}
    first = requests.post(url, files=files, headers=headers, timeout=WAIT_S)
    again = requests.post(url, files=files, headers=headers, timeout=WAIT_S)
    assert first.json()["results"][0]["status"] == "added"
    assert again.json() == first.json()
    other = requests.post(url, files={"images": frame("stranger_1")}, headers=headers, timeout=WAIT_S)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert other.json()["detail"].startswith("the Idempotency-Key 'once' was used ")
    assert "for another change than this people/add: a repetition must have the same" in other.json()["detail"]
