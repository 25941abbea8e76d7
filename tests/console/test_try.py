"""Pictures are tried in the console, and in the forms that need no script."""

from __future__ import annotations

import base64
import io

import PIL.Image
import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.console.faults import Faults
from tests.console.site import PASTE, ConsoleSite
from tests.support import FRAMES, frame

TEXT: FilePayload = {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"not a picture at all"}

pytestmark = pytest.mark.extra


@pytest.fixture(scope="module", autouse=True)
def obama(site: ConsoleSite) -> str:
    return site.enrol("Barack Obama", "obama_1")


def choose(page: Page, name: str, *, label: str = "Choose a picture") -> None:
    page.get_by_label(label, exact=True).and_(page.locator("input")).set_input_files(FRAMES / f"{name}.jpg")


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
    page.get_by_role("link", name="The same person?").click()
    choose(page, "obama_1", label="First picture")
    expect(page.get_by_text("Chosen: obama_1.jpg")).to_be_visible()
    choose(page, other, label="Second picture")
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator(".result img")).to_have_count(2)


def test_second_picture_takes_the_place_of_the_first(page: Page, site: ConsoleSite) -> None:
    """Regression: a second picture silently began a comparison."""
    page.goto(f"{site.url}/#/try")
    choose(page, "obama_2")
    expect(page.locator(".face.match text")).to_have_text("Barack Obama")
    choose(page, "biden_1")
    expect(page.locator(".result .face text")).not_to_have_text("Barack Obama")
    expect(page.locator(".result img")).to_have_count(1)
    expect(page.get_by_role("heading", name="1 face")).to_be_visible()


def test_pasted_pictures_fill_both_places_of_a_comparison(page: Page, site: ConsoleSite) -> None:
    page.goto(f"{site.url}/#/try?use=compare")
    expect(page.get_by_role("heading", name="Second picture")).to_be_visible()
    for name in ("obama_1", "obama_2"):
        page.evaluate(PASTE, base64.b64encode(frame(name)).decode())
    expect(page.get_by_role("heading", name="The same person", exact=True)).to_be_visible()


def test_error_is_shown_in_the_words_of_the_gateway(page: Page, site: ConsoleSite, faults: Faults) -> None:
    faults.allowed.add(400)
    page.goto(f"{site.url}/#/try")
    page.get_by_label("Choose a picture").and_(page.locator("input")).set_input_files(TEXT)
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


def test_name_on_the_answer_of_the_form_is_readable_on_a_phone(page: Page, site: ConsoleSite) -> None:
    """Regression: the name was drawn into the picture, and became tiny with it."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{site.url}/face_rec")
    large = io.BytesIO()
    PIL.Image.open(FRAMES / "obama_2.jpg").resize((2560, 1920)).save(large, "JPEG")
    picture: FilePayload = {"name": "large.jpg", "mimeType": "image/jpeg", "buffer": large.getvalue()}
    page.get_by_label("Picture").set_input_files(picture)
    page.get_by_role("button", name="Ask").click()
    name = page.locator(".face.match .name")
    expect(name).to_have_text("Barack Obama")
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('.face .name')).fontSize)") >= 14
    text, shown = name.bounding_box(), page.get_by_role("img").bounding_box()
    assert text is not None
    assert shown is not None
    assert text["height"] >= 14
    assert shown["x"] <= text["x"]
    assert text["x"] + text["width"] <= shown["x"] + shown["width"] <= 390
    assert shown["y"] <= text["y"]
    assert text["y"] + text["height"] <= shown["y"] + shown["height"]
