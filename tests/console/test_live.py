"""A simulated camera is watched in the console."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.console.site import BASE, ConsoleSite
from tests.support import ROOT, WAIT_S

pytestmark = pytest.mark.extra


@pytest.fixture
def camera(site: ConsoleSite) -> Iterator[str]:
    """A camera that shows the frames of the simulator in turns, each for some seconds."""
    command = [
        sys.executable,
        "-m",
        "device_sim",
        "--camera",
        "door",
        "--rate",
        "2",
        "--dwell",
        "6",
        "--seconds",
        "inf",
    ]
    process = subprocess.Popen([*command, "--port", str(site.broker.port), "--base", BASE, "--quiet"], cwd=ROOT)
    yield "door"
    process.terminate()
    process.wait(WAIT_S)


def test_newcomer_reads_how_to_simulate_a_camera(page: Page, site: ConsoleSite) -> None:
    """Regression: the command and the text had the default broker and base topic instead of those of the gateway."""
    page.goto(site.url)
    expect(page.get_by_role("heading", name="No camera yet")).to_be_visible()
    port = site.broker.port
    expect(page.get_by_text(f"{BASE}/NAME/frame, at the broker 127.0.0.1:{port}.")).to_be_visible()
    expect(page.get_by_text(f"-m device_sim --host 127.0.0.1 --port {port} --base {BASE}")).to_be_visible()


def test_camera_appears_and_its_people_get_their_names(page: Page, site: ConsoleSite, camera: str) -> None:
    site.enrol("Barack Obama", "obama_1")
    page.goto(site.url)
    tile = page.get_by_role("article").filter(has=page.get_by_role("heading", name=camera))
    expect(tile).to_be_visible()
    expect(tile.locator(".who")).to_contain_text("Barack Obama")
    expect(tile.locator(".face.match text")).to_have_text("Barack Obama")
    expect(tile.locator(".why")).to_have_text("nobody who is enrolled")
    expect(tile.locator(".numbers")).to_contain_text("pictures a second")
    tile.get_by_text("Last reasons why nobody was named").click()
    reason = tile.get_by_role("listitem").filter(has_text="nobody who is enrolled")
    expect(reason.locator("time")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    expect(tile.get_by_role("img")).to_have_js_property("complete", True)


def test_camera_is_switched_off_and_on(page: Page, site: ConsoleSite, camera: str) -> None:
    page.goto(site.url)
    page.get_by_role("button", name=f"Switch off: {camera}").click()
    expect(page.get_by_text(f"{camera} is off", exact=False)).to_be_visible()
    assert [each["enabled"] for each in site.read("cameras")["cameras"] if each["camera"] == camera] == [False]
    tile = page.get_by_role("article").filter(has=page.get_by_role("heading", name=camera))
    # Three seconds, in which further pictures of the camera get the error that it is off.
    page.wait_for_timeout(3000)
    expect(tile.locator(".why")).to_have_text("")
    page.get_by_role("button", name=f"Switch on: {camera}").click()
    expect(page.get_by_role("button", name=f"Switch off: {camera}")).to_be_visible()
