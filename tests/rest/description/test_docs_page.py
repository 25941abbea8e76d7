"""The page ``/docs`` shows the description without scripts and without other machines."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gateway.rest.description.docs_page import curl_example, docs_page
from gateway.rest.description.openapi import describe_rest
from gateway.rest.description.schema_text import type_html
from tests.rest.access.examples import ELSEWHERE, Site


class Page(HTMLParser):
    """The elements of a page that a browser would fetch or run, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        self.links += [str(values[name]) for name in ("href", "src") if name in values]
        self.ids += [str(values["id"])] if "id" in values else []


@cache
def page() -> Page:
    return Page(docs_page())


def test_page_has_no_script() -> None:
    assert not page().tags & {"script", "img", "iframe", "object"}


def test_styles_are_files_that_the_policy_allows(tmp_path: Path) -> None:
    # A style within the page has no effect, because the policy allows only files of the gateway.
    assert "style" not in page().tags
    styles = [each for each in page().links if each.endswith(".css")]
    assert styles
    client = Site(tmp_path).client(ELSEWHERE)
    for each in styles:
        assert client.get(f"/{each}").mimetype == "text/css"


def test_summary_that_is_a_question_has_no_period() -> None:
    assert "do they show the same person?<" in docs_page()
    assert "?." not in docs_page()


def test_links_are_relative_and_lead_somewhere() -> None:
    outside = {each for each in page().links if not each.startswith("#")}
    # Relative links also lead below the path of a proxy.
    files = {each for each in outside if each.startswith("console/")}
    assert outside - files == {"openapi.json", "asyncapi.json"}
    assert {each[1:] for each in page().links if each.startswith("#")} <= set(page().ids)


def test_every_route_and_every_schema_is_on_the_page_once() -> None:
    document = describe_rest()
    names = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
    assert sorted(page().ids) == sorted([*names, *(f"schema-{each}" for each in document["components"]["schemas"])])


def test_page_needs_no_token_and_allows_no_script(tmp_path: Path) -> None:
    answer = Site(tmp_path).client(ELSEWHERE).get("/docs")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("method", "path", "command"),
    [
        ("GET", "/healthz", 'curl "$URL/healthz"'),
        (
            "PATCH",
            "/api/v1/people/{person}",
            "curl -X PATCH -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json'"
            ' -d \'{"name":"…"}\' "$URL/api/v1/people/{person}"',
        ),
        (
            "POST",
            "/face_rec",
            'curl -X POST -H "Authorization: Bearer $TOKEN" -F file=@picture.jpg "$URL/face_rec"',
        ),
    ],
)
def test_each_route_has_a_command(method: str, path: str, command: str) -> None:
    operation = describe_rest()["paths"][path][method.lower()]
    assert curl_example((method, path, operation)) == command


def test_types_are_words_with_links() -> None:
    schemas = describe_rest()["components"]["schemas"]
    assert type_html(schemas["PeopleReply"]["properties"]["people"]) == (
        'list of <a href="#schema-PersonDocument">PersonDocument</a>'
    )
    assert type_html({"anyOf": [{"type": "string"}, {"type": "null"}]}) == "string or null"
    assert re.fullmatch(
        r"\[(integer, ){3}integer\]", type_html({"type": "array", "prefixItems": [{"type": "integer"}] * 4})
    )
