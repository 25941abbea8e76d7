"""The history is read, filtered and corrected in the console."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.console.site import ConsoleSite
from tests.support import wait_for

pytestmark = pytest.mark.extra


@pytest.fixture(scope="module")
def seen(site: ConsoleSite) -> str:
    """The id of a sighting of an enrolled person."""
    site.enrol("Barack Obama", "obama_1")
    site.see("stranger_1", "stranger_2", camera="gate", outcome="stranger")
    return site.see("obama_2", person="barack_obama")


def test_history_is_filtered(page: Page, site: ConsoleSite, seen: str) -> None:
    page.goto(f"{site.url}/#/sightings")
    expect(page.get_by_role("article")).to_have_count(2)
    page.get_by_label("Camera").select_option("porch")
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.get_by_role("link", name="Barack Obama")).to_be_visible()
    page.get_by_label("Result").select_option("too_dark")
    expect(page.get_by_text("No sighting fits these filters.")).to_be_visible()


def test_sighting_is_confirmed_and_then_not_them(page: Page, site: ConsoleSite, seen: str) -> None:
    page.goto(f"{site.url}/#/sightings?person=barack_obama")
    page.get_by_role("button", name=re.compile("^Confirm: Barack Obama")).first.click()
    expect(page.get_by_text("Confirmed:", exact=False)).to_be_visible()
    wait_for(lambda: len(site.read("people/barack_obama")["pictures"]) == 2)
    page.get_by_role("button", name=re.compile("^Not them: Barack Obama")).first.click()
    # The change is sent immediately, and a confirmation takes it back.
    wait_for(lambda: site.read(f"sightings/{seen}")["person"] is None)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone.")).to_be_visible()
    assert site.read(f"sightings/{seen}")["person"] == "barack_obama"
    assert [each["counter"] for each in site.read("people/barack_obama")["pictures"]] == [False, False]
    page.get_by_role("button", name=re.compile("^Not them: Barack Obama")).first.click()
    wait_for(lambda: site.read(f"sightings/{seen}")["person"] is None)
    assert [each["counter"] for each in site.read("people/barack_obama")["pictures"]] == [False, True]
