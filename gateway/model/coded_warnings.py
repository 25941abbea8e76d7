"""Warnings about a request that was done: a sentence for people, and a code for programs."""

from __future__ import annotations

from typing import Literal

WarningCode = Literal[
    "few_pictures",
    "pictures_differ",
    "unlike_person",
    "resembles_others",
    "mixed_pictures",
    "enrolled_already",
    "reduced_picture",
    "poor_picture",
    "useless_pictures",
    "unknown_camera",
    "skipped_files",
    "other",
]
"""``other``: a warning without a code of its own."""


class CodedWarning(str):
    """The sentence of a warning. It is a text, so that it can be logged and shown like any other one.

    ``people``: the ids of the people that it names. ``picture``: the number of a picture in the request, from 1.
    """

    def __new__(cls, text: str, *_details: object, **_named: object) -> CodedWarning:
        """Return the text. Its details follow in ``__init__``."""
        return super().__new__(cls, text)

    def __init__(self, _text: str, code: WarningCode, people: tuple[str, ...] = (), picture: int | None = None) -> None:
        self.code = code
        self.people = people
        self.picture = picture
