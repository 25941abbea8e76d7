"""Every view at a phone and at a desk, light and dark: accessible, and not wider than the screen.

With the variable SCREENSHOTS, each view is also saved there as a picture.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.console.conftest import WAIT_MS
from tests.console.site import ConsoleSite
from tests.support import FRAMES

pytestmark = pytest.mark.extra

PATHS: Mapping[str, str] = {
    "live": "#/live",
    "people": "#/people",
    "person": "#/people/barack_obama",
    "add": "#/people/add-person",
    "strangers": "#/strangers",
    "sightings": "#/sightings",
    "archive": "#/people/export-import",
    "try": "#/try",
    "compare": "#/try?use=compare",
    "health": "#/health",
    "audit": "#/audit",
    "tokens": "#/tokens",
    "form": "face_rec",
    "answer": "face_rec",
    "login": "login",
}
"""The address of each view."""

SCREENSHOTS = os.environ.get("SCREENSHOTS")

WIDTHS = (390, 1440)


@pytest.fixture(scope="module", autouse=True)
def filled(site: ConsoleSite) -> None:
    """A household with people, strangers, cameras and a history."""
    site.enrol("Barack Obama", "obama_1", "obama_2")
    site.enrol("Joe Biden", "biden_1")
    site.make_stranger("stranger_2", camera="gate")
    site.make_stranger("hopper_1", camera="porch")
    site.see("obama_2", camera="porch", person="barack_obama")
    site.see("stranger_1", "stranger_2", camera="gate", outcome="stranger")


@pytest.fixture(params=[f"{width} {scheme}" for width in WIDTHS for scheme in ("light", "dark")])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, scheme = request.param.split()
    size = ViewportSize(width=int(width), height=844 if int(width) < 600 else 900)
    context = browser.new_context(viewport=size, color_scheme=scheme, locale="en-GB", has_touch=int(width) < 600)
    context.set_default_timeout(WAIT_MS)
    yield context.new_page()
    context.close()


def open_view(page: Page, site: ConsoleSite, view: str) -> None:
    page.goto(f"{site.url}/{PATHS[view]}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    if view == "try":
        page.locator("input[type=file]").set_input_files(str(FRAMES / "obama_2.jpg"))
        expect(page.locator(".face.match")).to_be_visible()
    if view == "answer":
        page.get_by_label("Picture").set_input_files(str(FRAMES / "hopper_1.jpg"))
        page.get_by_role("button", name="Ask").click()
        expect(page.get_by_role("heading", name="Enrol this face")).to_be_visible()
    page.wait_for_function("() => [...document.images].every((each) => each.loading === 'lazy' || each.complete)")


@pytest.mark.parametrize("view", PATHS)
def test_view_is_accessible_and_fits_the_screen(page: Page, site: ConsoleSite, view: str) -> None:
    open_view(page, site, view)
    if SCREENSHOTS:
        save(page, view)
    violations = Axe().run(page).response["violations"]
    serious = [each for each in violations if each["impact"] in ("serious", "critical")]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in serious] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def save(page: Page, view: str) -> None:
    scheme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
    width = page.viewport_size["width"] if page.viewport_size else 0
    page.screenshot(path=Path(SCREENSHOTS or "") / f"{view}-{width}-{scheme}.png")


def test_keyboard_reaches_content_and_views_in_their_order(page: Page, site: ConsoleSite) -> None:
    open_view(page, site, "people")
    page.keyboard.press("Tab")
    names = []
    for _ in range(9):
        names.append(page.evaluate("document.activeElement.textContent.trim()"))
        page.keyboard.press("Tab")
    assert names[0] == "Skip to the content"
    assert names[1:9] == ["Facegate", "Live", "People", "Strangers", "Sightings", "Try it", "Health", "Audit"]
