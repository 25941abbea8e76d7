"""The state of the gateway is read in the console."""

from __future__ import annotations

import re

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.console.site import ConsoleSite
from tests.support import WAIT_S

pytestmark = pytest.mark.extra


def test_counts_stand_in_groups_and_in_words(page: Page, site: ConsoleSite) -> None:
    """Regression: the view showed the names of the counters, such as "requests expired unseen"."""
    counts = requests.get(f"{site.url}/healthz", timeout=WAIT_S).json()["counts"]
    page.goto(f"{site.url}/#/health")
    titles = page.locator(".count-groups h3")
    expect(titles.first).to_have_text("Requests")
    assert "Others" not in titles.all_inner_texts()
    expect(page.locator(".count-groups dt")).to_have_count(len(counts))
    shown = page.locator(".count-groups dt").all_inner_texts()
    assert not {each.replace("_", " ") for each in counts} & set(shown)


def test_disk_and_broker_are_shown(page: Page, site: ConsoleSite) -> None:
    page.goto(f"{site.url}/#/health")
    disk = page.locator(".checks li").filter(has_text="Disk of the data folder")
    expect(disk).to_contain_text(re.compile(r"[\d.,]+ GB of [\d.,]+ GB are free"))
    broker = page.locator(".checks li").filter(has_text="connected:")
    expect(broker).to_contain_text(f"connected: 127.0.0.1, port {site.broker.port}")


def test_gateway_that_works_alone_shows_no_cluster(page: Page, site: ConsoleSite) -> None:
    page.goto(f"{site.url}/#/health")
    expect(page.locator(".checks li").first).to_be_visible()
    expect(page.locator(".cluster")).to_be_hidden()
    expect(page.get_by_role("table")).to_have_count(0)
