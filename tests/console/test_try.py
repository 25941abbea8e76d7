"""Pictures are tried in the console, and in the forms that need no script."""

from __future__ import annotations

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.console.faults import Faults
from tests.console.site import ConsoleSite
from tests.support import FRAMES

TEXT: FilePayload = {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"not a picture at all"}

pytestmark = pytest.mark.extra


@pytest.fixture(scope="module", autouse=True)
def obama(site: ConsoleSite) -> str:
    return site.enrol("Barack Obama", "obama_1")


def choose(page: Page, *names: str) -> None:
    page.get_by_label("Choose pictures").set_input_files([str(FRAMES / f"{name}.jpg") for name in names])


def test_picture_is_recognised_with_boxes_landmarks_and_score(page: Page, site: ConsoleSite) -> None:
    page.goto(f"{site.url}/#/try")
    choose(page, "obama_2")
    expect(page.locator(".face.match text")).to_have_text("Barack Obama")
    expect(page.locator(".face circle")).to_have_count(5)
    expect(page.get_by_text("above the threshold", exact=False)).to_be_visible()
    page.get_by_label("Landmarks").select_option("68")
    expect(page.locator(".face circle")).to_have_count(72)
    page.get_by_text("Request", exact=True).click()
    expect(page.get_by_text("curl --data-binary", exact=False)).to_be_visible()
    page.get_by_text("Response", exact=True).click()
    expect(page.get_by_text('"person": "barack_obama"').first).to_be_visible()


def test_picture_of_the_webcam_is_recognised(page: Page, site: ConsoleSite) -> None:
    page.goto(f"{site.url}/#/try")
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the picture").click()
    expect(page.locator(".face.match text")).to_have_text("Barack Obama")


@pytest.mark.parametrize(("other", "title"), [("obama_2", "The same person"), ("biden_1", "Different people")])
def test_two_pictures_are_compared(page: Page, site: ConsoleSite, other: str, title: str) -> None:
    page.goto(f"{site.url}/#/try")
    choose(page, "obama_1", other)
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator(".pair img")).to_have_count(2)


def test_error_is_shown_in_the_words_of_the_gateway(page: Page, site: ConsoleSite, faults: Faults) -> None:
    faults.allowed.add(400)
    page.goto(f"{site.url}/#/try")
    page.get_by_label("Choose pictures").set_input_files(TEXT)
    expect(page.get_by_role("heading", name="This did not work")).to_be_visible()


def test_form_answers_with_a_page_that_enrols_the_face(page: Page, site: ConsoleSite) -> None:
    page.goto(f"{site.url}/face_rec")
    page.get_by_label("Picture").set_input_files(str(FRAMES / "hopper_1.jpg"))
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("heading", name="Nobody who is enrolled")).to_be_visible()
    page.get_by_label("Name").fill("Grace Hopper")
    page.get_by_role("button", name="Enrol").click()
    expect(page.get_by_text("Grace Hopper is enrolled.", exact=False)).to_be_visible()
    assert "grace_hopper" in site.person_ids()
