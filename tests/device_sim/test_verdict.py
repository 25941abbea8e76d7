from __future__ import annotations

from typing import Any

import pytest

from device_sim.verdict import first_word, hint, is_temporary

SMALL = {"verdict": "too_small", "box": [0, 0, 9, 9]}
LARGE = {"verdict": "unknown", "box": [0, 0, 99, 99]}


@pytest.mark.parametrize("text", ["busy 3", "error timeout", "error internal", "error incomplete"])
def test_temporary_verdict_is_not_final(text: str) -> None:
    assert is_temporary(text)


@pytest.mark.parametrize("text", ["unknown", "match 0.83 busy", "error conflict", "error", "", "busybody"])
def test_other_verdicts_are_final(text: str) -> None:
    assert not is_temporary(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("turned", "turned"),
        ("unknown blurred", "blurred"),
        ("unknown undecided", "undecided"),
        ("no_face too_dark", "too_dark"),
        ("unknown", None),
        ("no_face", None),
        ("match 0.83 turned", None),
        ("undecided", None),
        ("unknown later", None),
        ("busy 3", None),
    ],
)
def test_hint_says_why_one_more_picture_may_help(text: str, reason: str | None) -> None:
    assert hint(text) == reason


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ({"op": "face_rec", "name": "Joe Biden", "faces": [LARGE]}, "match"),
        ({"op": "face_rec", "name": None, "faces": [SMALL, LARGE]}, "unknown"),
        ({"op": "face_rec", "name": None, "faces": []}, "no_face"),
        ({"op": "verify", "match": True}, "same"),
        ({"op": "face_match", "match": False}, "different"),
        ({"op": "detect", "faces": [{}]}, "faces"),
        ({"op": "detect", "faces": []}, "no_face"),
        ({"op": "enroll", "person": "joe_biden"}, "enrolled"),
        ({"op": "something_new"}, None),
        ({"op": "verify", "status": "error", "code": "no_face"}, "no_face"),
        ({"op": "verify", "status": "error", "code": "busy"}, "busy"),
        ({"op": "verify", "status": "error", "code": "conflict"}, "error"),
    ],
)
def test_first_word_follows_from_the_document(document: dict[str, Any], word: str | None) -> None:
    assert first_word(document) == word
