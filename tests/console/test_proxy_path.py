"""The console below a path, as a proxy offers it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from tests.console.faults import Faults
from tests.console.site import ConsoleSite

pytestmark = pytest.mark.extra


def test_console_works_below_the_path_of_a_proxy(page: Page, site: ConsoleSite, faults: Faults) -> None:
    site.enrol("Barack Obama", "obama_1")
    faults.allowed.add(503)
    outside: list[str] = []

    def cut_path_off(route: Route) -> None:
        url = route.request.url
        if not url.startswith(f"{site.url}/faces/"):
            outside.append(url)
            route.abort()
        elif "/api/v1/events" in url:
            # A stream has no end, for which this proxy would wait.
            route.fulfill(status=503)
        else:
            route.fulfill(response=route.fetch(url=url.replace("/faces/", "/", 1)))

    page.route("**/*", cut_path_off)
    page.goto(f"{site.url}/faces/#/people")
    page.get_by_role("link", name="Barack Obama").click()
    expect(page.get_by_role("heading", name="Barack Obama")).to_be_visible()
    expect(page.get_by_role("img").first).to_be_visible()
    assert outside == []
