"""The page of the console and its files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from gateway.rest.console.assets import FILES, KINDS
from tests.rest.access.examples import Site, code_of

SCRIPTS = sorted(FILES.rglob("*.js"))

VIEWS = {"live", "people", "strangers", "sightings", "try", "health", "audit", "tokens"}


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """A browser on another machine, without a token."""
    return Site(tmp_path).client()


def test_page_and_its_files_need_no_token(client: FlaskClient) -> None:
    page = client.get("/")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    linked = re.findall(r'(?:src|href)="(console/[^"]+)"', page.text)
    assert {Path(each).suffix for each in linked} == {".css", ".js", ".svg"}
    for path in linked:
        assert client.get(f"/{path}").mimetype == KINDS[Path(path).suffix]


@pytest.mark.parametrize("path", ["/", "/console/app.js"])
def test_page_may_load_only_files_of_the_gateway(client: FlaskClient, path: str) -> None:
    policy = client.get(path).headers["Content-Security-Policy"]
    directives = dict(each.split(" ", 1) for each in policy.split("; "))
    assert (directives["default-src"], directives["script-src"], directives["style-src"]) == (
        "'none'",
        "'self'",
        "'self'",
    )
    assert "unsafe" not in policy
    assert "http" not in policy


def test_unchanged_file_is_not_sent_again(client: FlaskClient) -> None:
    first = client.get("/console/app.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get("/console/app.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get("/console/dom.js").headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("path", ["nothing.js", "../assets.py", "..%2fassets.py", "views", ""])
def test_other_files_are_not_found(client: FlaskClient, path: str) -> None:
    assert code_of(client.get(f"/console/{path}")) == (404, "bad_request")


def test_every_import_of_a_script_exists() -> None:
    for script in SCRIPTS:
        for path in re.findall(r'from "([^"]+)"', script.read_text()):
            assert (script.parent / path).is_file(), f"{script.name} imports {path}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_works_below_the_path_of_a_proxy(script: Path) -> None:
    """An address that begins with a slash would leave the path below which a proxy offers the gateway."""
    assert not re.findall(r"""["'(]/(?:api|console|session)""", script.read_text())


def test_every_text_exists_and_is_used() -> None:
    texts = (FILES / "texts.en.js").read_text()
    code = "".join(script.read_text() for script in SCRIPTS if script.name != "texts.en.js")
    groups = {*re.findall(r"^  (\w+): \{$", texts, re.MULTILINE), "reasons"}
    used = set(re.findall(r"\btexts\.(\w+)", code))
    assert groups <= used
    for group, name in re.findall(r"\btexts\.(\w+)\.(\w+)", code):
        assert group not in groups or re.search(rf"\b{name}:", _group(texts, group)), f"texts.{group}.{name}"


def _group(texts: str, name: str) -> str:
    """Return the lines of a group of texts."""
    begin = texts.find(f"\n  {name}: {{")
    return texts[begin : texts.index("\n  },", begin)] if begin >= 0 else ""


def test_every_view_has_a_module_and_a_name() -> None:
    texts = (FILES / "texts.en.js").read_text()
    assert {name for name in VIEWS if (FILES / "views" / f"{name}.js").is_file()} == VIEWS
    assert set(re.findall(r"(\w+): \"", _group(texts, "views"))) == VIEWS
