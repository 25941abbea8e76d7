"""Tokens are made, rotated and revoked in the console."""

from __future__ import annotations

import re

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.console.site import ConsoleSite
from tests.support import WAIT_S

pytestmark = pytest.mark.extra


def role_of(site: ConsoleSite, secret: str) -> str:
    answer = requests.get(f"{site.url}/session", headers={"Authorization": f"Bearer {secret}"}, timeout=WAIT_S)
    return str(answer.json().get("role", answer.status_code))


def shown_secret(page: Page) -> str:
    """Return the token that the open dialog shows, and close the dialog."""
    secret = page.get_by_role("dialog", name="The token phone").locator("code").inner_text()
    page.get_by_role("dialog", name="The token phone").get_by_role("button", name="Close").click()
    return secret


def test_token_is_made_rotated_and_revoked(page: Page, site: ConsoleSite) -> None:
    page.goto(f"{site.url}/#/tokens")
    page.get_by_role("button", name="Make a token").click()
    expect(page.get_by_label("Name, such as phone")).to_have_attribute("title", re.compile("^Letters, digits"))
    page.get_by_label("Name, such as phone").fill("phone")
    page.get_by_label("Role").select_option("viewer")
    page.get_by_role("button", name="Make the token").click()
    first = shown_secret(page)
    assert role_of(site, first) == "viewer"
    page.get_by_role("button", name="Rotate: phone").click()
    page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    second = shown_secret(page)
    assert (role_of(site, first), role_of(site, second)) == ("401", "viewer")
    page.get_by_role("button", name="Revoke: phone").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("heading", name="No tokens")).to_be_visible()
    assert role_of(site, second) == "401"
