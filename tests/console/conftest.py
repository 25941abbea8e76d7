"""A real headless Chromium, and a gateway with its broker. Tests of a module share both.

A test fails if its page logs an error, or sends a request to another machine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from gateway.app import running
from tests.conftest import settings
from tests.console.faults import Faults
from tests.console.site import BASE, ConsoleSite
from tests.e2e.deployments import wait_until_ready
from tests.support import WAIT_S, Client, broker_running, frame

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

WAIT_MS = WAIT_S * 1000


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium with a webcam that shows Barack Obama."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    # Chromium has no sandbox for root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    webcam = tmp_path_factory.mktemp("webcam") / "webcam.mjpeg"
    webcam.write_bytes(frame("obama_2") * 2)
    options += ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    options += [f"--use-file-for-fake-video-capture={webcam}"]
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def rest_settings() -> dict[str, object]:
    """The section ``rest`` of the gateway. A module may replace this fixture."""
    return {}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, rest_settings: dict[str, object]) -> Iterator[ConsoleSite]:
    """A gateway that knows nobody yet."""
    folder = tmp_path_factory.mktemp("console")
    nobody = folder / "nobody"
    nobody.mkdir()
    with broker_running(folder) as broker:
        wanted = settings(
            folder / "data",
            broker,
            workers={"processes": 1},
            people={"folder": nobody},
            rest=rest_settings,
            mqtt={"base": BASE},
        )
        client = Client(broker.port)
        with running(wanted) as gateway:
            yield ConsoleSite(wait_until_ready(gateway), client, broker, folder / "data")
        client.close()


@pytest.fixture
def empty_store(site: ConsoleSite) -> None:
    """A store without people and strangers."""
    site.remove_everybody()


@pytest.fixture
def page(browser: Browser, site: ConsoleSite) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(WAIT_MS)
    yield context.new_page()
    context.close()


@pytest.fixture(autouse=True)
def faults(page: Page, site: ConsoleSite) -> Iterator[Faults]:
    faults = Faults(page, site.url)
    yield faults
    assert faults.unexpected() == []
