"""People with each role log in to the console, see what they may do, and log out."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from playwright.sync_api import Page, expect

from gateway.model.caller import LEVELS, Role
from tests.console.faults import Faults
from tests.console.site import ConsoleSite

pytestmark = pytest.mark.extra

VIEWER_VIEWS = ["Live", "People", "Strangers", "Sightings", "Try it", "Health"]

VIEWS: Mapping[Role, list[str]] = {
    "client": ["Try it"],
    "viewer": VIEWER_VIEWS,
    "keeper": VIEWER_VIEWS,
    "privacy": [*VIEWER_VIEWS, "Audit"],
    "admin": [*VIEWER_VIEWS, "Audit", "Tokens"],
}


@pytest.fixture(scope="module")
def rest_settings() -> dict[str, object]:
    """Everybody needs a token, also programs on this machine."""
    return {"anonymous": {"from": []}}


@pytest.mark.parametrize("role", LEVELS)
def test_role_sees_its_views_and_logs_out(page: Page, site: ConsoleSite, faults: Faults, role: Role) -> None:
    faults.allowed.add(401)
    site.log_in(page, role)
    assert page.get_by_role("navigation").get_by_role("link").all_inner_texts() == VIEWS[role]
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Token")).to_be_visible()
