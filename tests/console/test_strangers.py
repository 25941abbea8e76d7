"""Strangers are named, joined, ignored and forgotten in the console."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.console.site import ConsoleSite
from tests.support import wait_for

pytestmark = [pytest.mark.extra, pytest.mark.usefixtures("empty_store")]


def tile(page: Page, group: int) -> Locator:
    return page.locator("li").filter(has=page.get_by_label(f"Stranger {group}", exact=True))


def test_newcomer_reads_what_a_stranger_is(page: Page, site: ConsoleSite) -> None:
    page.goto(f"{site.url}/#/strangers")
    expect(page.get_by_role("heading", name="No strangers")).to_be_visible()


def test_stranger_gets_a_name(page: Page, site: ConsoleSite) -> None:
    group = site.make_stranger("hopper_1")
    page.goto(f"{site.url}/#/strangers")
    tile(page, group).get_by_label(f"Stranger {group}", exact=True).fill("Grace Hopper")
    tile(page, group).get_by_role("button", name="Name", exact=True).click()
    expect(tile(page, group)).to_have_count(0)
    wait_for(lambda: site.person_ids() == ["grace_hopper"])
    assert site.unknown_ids() == []


def test_stranger_is_ignored_and_noticed_again(page: Page, site: ConsoleSite) -> None:
    group = site.make_stranger("obama_1")
    page.goto(f"{site.url}/#/strangers")
    page.get_by_role("button", name=f"Ignore: Stranger {group}").click()
    wait_for(lambda: site.unknown_ids(ignored=True) == [group])
    page.get_by_text("Ignored strangers").click()
    page.get_by_role("button", name=f"Do not ignore: Stranger {group}").click()
    wait_for(lambda: site.unknown_ids(ignored=False) == [group])
    expect(tile(page, group)).to_be_visible()


def test_ignoring_is_sent_immediately_and_undone_by_its_opposite(page: Page, site: ConsoleSite) -> None:
    """Regression: a change was sent after eight seconds, and was lost if the browser was ended meanwhile."""
    group = site.make_stranger("obama_1")
    page.goto(f"{site.url}/#/strangers")
    page.get_by_role("button", name=f"Ignore: Stranger {group}").click()
    expect(tile(page, group)).to_have_count(0)
    assert site.unknown_ids(ignored=True) == [group]
    page.get_by_role("button", name="Undo").click()
    expect(tile(page, group)).to_be_visible()
    assert site.unknown_ids(ignored=False) == [group]


def test_stranger_is_forgotten_after_a_question(page: Page, site: ConsoleSite) -> None:
    group = site.make_stranger("obama_1")
    page.goto(f"{site.url}/#/strangers")
    dialog = page.get_by_role("dialog", name="Forget this stranger?")
    page.get_by_role("button", name=f"Forget: Stranger {group}").click()
    dialog.get_by_role("button", name="Cancel").click()
    expect(tile(page, group)).to_be_visible()
    page.get_by_role("button", name=f"Forget: Stranger {group}").click()
    dialog.get_by_role("button", name="Forget").click()
    expect(page.get_by_role("heading", name="No strangers")).to_be_visible()
    assert site.unknown_ids() == []


def test_two_groups_of_one_stranger_are_joined(page: Page, site: ConsoleSite) -> None:
    first, second = site.make_stranger("obama_1"), site.make_stranger("hopper_1")
    page.goto(f"{site.url}/#/strangers")
    page.get_by_role("button", name=f"Same as…: Stranger {second}").click()
    page.get_by_role("dialog").get_by_role("button", name="1 visit").click()
    wait_for(lambda: site.unknown_ids() == [first])
