"""Plain words: the rules of CONTRIBUTING.md that a program can check."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support import ROOT
from tests.test_architecture import statements

HEADLESS = re.compile(
    r"(What|Who|Whom|Whose|Whoever|Whether|Which|Why|When|Where|How|That|It|They|Others|One|Of|By which)\b"
)
"""Beginnings of sentences without a noun: a reader has to guess the subject."""

HEADLESS_STRING = re.compile(rf"[\"'](?:\\[nt]|[\\\s])*{HEADLESS.pattern}")
"""Any string in a source that begins in such a way."""

HEADLESS_LATER = re.compile(r"[.!;] (What|Who|Whom|Whoever|Whatever|Whether|Only (what|who)) [^.!?]*[.!;]")
"""Such a sentence behind another one. A question has another end."""

LINE_END = re.compile(r"\s+(?:#|//|--)?\s*")
"""The white space in or between sentences, with the sign of a comment."""

PRIVATE_WORDS = re.compile(
    r"\b(whoever|whence|thereof|anew|lookout|spool|breaker|doors?|canary|canaries|house|on wish)\b", re.IGNORECASE
)
"""Words that this project once used in a meaning of its own, or that readers have to look up."""

ALLOWED = re.compile(
    r"bridge/canary|\"(canary|door)\"|'(canary|door)'|`door`|`canary`|front door|\bdoor (text|TEXT)\b"
    r"|at, door, action|^ +door: str$|\beffect\.door\b|^ +canary: Literal|\bcanary=\"back\""
)
"""Names on the wires and in stored data, which do not change."""

SOURCES = sorted(path for folder in ("gateway", "device_sim", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

OTHER_SOURCES = sorted(path for end in ("js", "sql") for path in (ROOT / "gateway").rglob(f"*.{end}"))
DOCS = sorted((ROOT / "docs").rglob("*.md"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each docstring, also of those below constants and attributes."""
    for node in statements(ast.parse(path.read_text())):
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield node.lineno, value.value.strip()


def test_docstrings_begin_with_a_noun_or_an_imperative() -> None:
    headless = [
        f"{name_of(path)}:{line}: {text[:80]}"
        for path in (*SOURCES, *TESTS)
        # To parse a file takes a hundred times as long.
        if HEADLESS_STRING.search(path.read_text())
        for line, text in docstrings(path)
        if HEADLESS.match(text)
    ]
    assert not headless, "\n".join(headless)


def test_later_sentences_have_a_noun_as_their_subject() -> None:
    headless = [
        f"{name_of(path)}: {found.group()[2:80]}"
        for path in (*SOURCES, *TESTS, *OTHER_SOURCES, *DOCS)
        for found in HEADLESS_LATER.finditer(LINE_END.sub(" ", path.read_text()))
    ]
    assert not headless, "\n".join(headless)


def test_no_private_word_is_used() -> None:
    private = [
        f"{name_of(path)}:{n}: {line.strip()}"
        for path in SOURCES
        for n, line in enumerate(path.read_text().splitlines(), 1)
        if PRIVATE_WORDS.search(ALLOWED.sub("", line))
    ]
    assert not private, "\n".join(private)
