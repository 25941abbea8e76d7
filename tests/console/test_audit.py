"""The audit is read in the console."""

from __future__ import annotations

import re

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.console.site import ConsoleSite
from tests.support import ROOT, WAIT_S

pytestmark = pytest.mark.extra


def test_changes_are_listed_and_pages_are_turned(page: Page, site: ConsoleSite) -> None:
    site.enrol("Barack Obama", "obama_1")
    for _ in range(31):
        requests.get(f"{site.url}/api/v1/people/export", timeout=WAIT_S).raise_for_status()
    page.goto(f"{site.url}/#/audit")
    lines = page.locator(".audit li")
    expect(lines).to_have_count(30)
    expect(lines.first).to_contain_text("people exported")
    expect(lines.first).to_contain_text("rest")
    page.get_by_role("button", name="Older").click()
    expect(lines.filter(has_text="pictures added")).to_contain_text(re.compile("Barack Obama.*1 picture"))
    expect(lines.filter(has_text="gateway started")).to_have_count(1)
    page.get_by_role("button", name="Newer").click()
    expect(lines).to_have_count(30)


def test_actions_have_words(page: Page, site: ConsoleSite) -> None:
    """Every action of the documentation has a text of its own."""
    page.goto(f"{site.url}/#/audit")
    words = page.evaluate("async () => (await import('/console/texts.js')).texts.audit.actions")
    rows = re.findall(r"^\| (`[^|]+) \|", (ROOT / "docs/reference/audit.md").read_text(), re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`([\w/]+)`", row)}
    fields = {
        "at",
        "door",
        "actor",
        "role",
        "action",
        "outcome",
        "person",
        "name",
        "pictures",
        "detail",
        "times",
        "line",
    }
    assert documented - fields - {"people/erase", "refused", "failed"} == set(words)
