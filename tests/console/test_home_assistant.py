"""The console in a frame of Home Assistant, with the log-in of Home Assistant."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.console.faults import Faults
from tests.console.site import BASE, ConsoleSite
from tests.rest.ingress import SUPERVISOR, home_assistant_running
from tests.support import frame, free_port

pytestmark = pytest.mark.extra


@pytest.fixture(scope="module")
def ingress_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def rest_settings(ingress_port: int) -> dict[str, object]:
    users = {"grace": "admin"}
    return {"ingress": {"address": SUPERVISOR, "host": "127.0.0.1", "port": ingress_port, "users": users}}


@pytest.fixture(scope="module")
def home_assistant(request: pytest.FixtureRequest, site: ConsoleSite, ingress_port: int) -> Iterator[str]:
    with home_assistant_running(ingress_port, user=getattr(request, "param", "grace")) as url:
        yield url


@pytest.fixture(autouse=True)
def faults(page: Page, home_assistant: str) -> Iterator[Faults]:
    """Every request must go to Home Assistant, also those of the console."""
    found = Faults(page, home_assistant)
    # The page of Home Assistant has no icon, for which Chromium asks.
    found.allowed.add(404)
    yield found
    assert found.unexpected() == []


def open_console(page: Page, url: str) -> FrameLocator:
    """Open the page of Home Assistant. Return the frame with the console."""
    page.goto(f"{url}/")
    return page.frame_locator("iframe")


def test_console_works_in_a_frame_without_a_token(page: Page, site: ConsoleSite, home_assistant: str) -> None:
    site.enrol("Barack Obama", "obama_1")
    console = open_console(page, home_assistant)
    console.get_by_role("link", name="People").click()
    console.get_by_role("link", name="Barack Obama").click()
    expect(console.get_by_role("heading", name="Barack Obama")).to_be_visible()
    expect(console.get_by_role("img").first).to_be_visible()
    expect(console.get_by_role("button", name="Log out")).to_have_count(0)
    expect(console.locator("footer")).to_have_count(0)
    expect(console.locator("header .name")).to_have_text("grace")
    lines = console.locator("header nav a span").evaluate_all("all => all.map(each => each.getClientRects().length)")
    assert lines == [1] * len(lines)
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / "home-assistant-frame.png")


def test_changes_and_events_pass_through_home_assistant(page: Page, site: ConsoleSite, home_assistant: str) -> None:
    console = open_console(page, home_assistant)
    # The tile comes by an event: nothing is loaded again.
    site.client.publish(f"{BASE}/terrace/frame", frame("obama_2"), qos=0)
    expect(console.get_by_role("heading", name="terrace")).to_be_visible()
    console.get_by_role("link", name="Tokens").click()
    console.get_by_role("button", name="Make a token").click()
    console.get_by_label("Name, such as phone").fill("phone")
    console.get_by_label("Role").select_option("viewer")
    console.get_by_role("button", name="Make the token").click()
    expect(console.get_by_role("dialog", name="The token phone")).to_be_visible()
    made = next(each for each in site.read("tokens")["tokens"] if each["name"] == "phone")
    assert made["role"] == "viewer"
    lines = site.read("audit")["audit"]
    assert "homeassistant/grace" in [each["actor"] for each in lines if each["action"] == "add_token"]


@pytest.mark.parametrize("home_assistant", ["kid"], indirect=True)
def test_viewer_reads_how_to_get_another_role(page: Page, home_assistant: str) -> None:
    console = open_console(page, home_assistant)
    advice = "Your role is viewer. An administrator of Home Assistant gives you another one with the option “users”"
    expect(console.get_by_text(advice)).to_be_visible()
