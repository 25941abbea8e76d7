"""People are enrolled, changed, merged, split and erased in the console."""

from __future__ import annotations

import base64
import io
import re

import PIL.Image
import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.console.faults import Faults
from tests.console.site import PASTE, ConsoleSite
from tests.support import FRAMES, frame, wait_for

TEXT: FilePayload = {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"not a picture at all"}

pytestmark = [pytest.mark.extra, pytest.mark.usefixtures("empty_store")]


def picture_file(name: str) -> str:
    return str(FRAMES / f"{name}.jpg")


def side_by_side(*names: str) -> bytes:
    """Return a JPEG of several frames in a row."""
    pictures = [PIL.Image.open(FRAMES / f"{name}.jpg") for name in names]
    row = PIL.Image.new("RGB", (sum(each.width for each in pictures), max(each.height for each in pictures)))
    left = 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width
    out = io.BytesIO()
    row.save(out, "JPEG", quality=95)
    return out.getvalue()


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def open_person(page: Page, site: ConsoleSite, person: str) -> None:
    page.goto(f"{site.url}/#/people/{person}")
    expect(page.locator(".gallery li").first).to_be_visible()


def test_first_person_is_enrolled_by_upload(page: Page, site: ConsoleSite) -> None:
    page.goto(f"{site.url}/#/people")
    page.get_by_role("link", name="Add the first person").click()
    page.get_by_label("Name").fill("Barack Obama")
    page.get_by_label("Choose pictures").set_input_files([picture_file("obama_1"), picture_file("obama_2")])
    expect(page.get_by_text("enrolled", exact=True)).to_have_count(2)
    page.get_by_role("link", name="Show this person").click()
    expect(page.get_by_role("heading", name="Barack Obama")).to_be_visible()
    expect(page.locator(".gallery li")).to_have_count(2)
    assert site.person_ids() == ["barack_obama"]


def test_person_is_enrolled_by_paste(page: Page, site: ConsoleSite) -> None:
    page.goto(f"{site.url}/#/people/add-person")
    page.get_by_label("Name").fill("Grace Hopper")
    page.evaluate(PASTE, base64.b64encode(frame("hopper_1")).decode())
    expect(page.get_by_text("enrolled", exact=True)).to_be_visible()
    assert site.person_ids() == ["grace_hopper"]


def test_page_says_for_each_picture_what_is_wrong(page: Page, site: ConsoleSite, faults: Faults) -> None:
    faults.allowed |= {400, 422}
    page.goto(f"{site.url}/#/people/add-person")
    page.get_by_label("Name").fill("Grace Hopper")
    page.get_by_label("Choose pictures").set_input_files([picture_file("empty_1"), picture_file("hopper_1")])
    page.get_by_label("Choose pictures").set_input_files(TEXT)
    expect(page.get_by_text("No face is found.", exact=False)).to_be_visible()
    expect(page.locator(".state.good")).to_have_count(1)
    expect(page.locator(".state.bad")).to_have_count(2)


def test_one_face_of_several_is_chosen_and_enrolled(page: Page, site: ConsoleSite, faults: Faults) -> None:
    faults.allowed.add(422)
    page.goto(f"{site.url}/#/people/add-person")
    page.get_by_label("Name").fill("Barack Obama")
    both: FilePayload = {"name": "both.jpg", "mimeType": "image/jpeg", "buffer": side_by_side("biden_1", "obama_1")}
    page.get_by_label("Choose pictures").set_input_files(both)
    expect(page.get_by_text("Several faces are found.", exact=False)).to_be_visible()
    button(page, "Choose the face").click()
    dialog = page.get_by_role("dialog", name="Which face is it?")
    expect(dialog.get_by_role("button", name=re.compile("^Face"))).to_have_count(2)
    # The gateway lists the largest face first, so that the test looks for the one on the right.
    right = max(site.detect(both["buffer"]), key=lambda each: each[1][0])[0]
    button(dialog, f"Face {right + 1}").click()
    expect(page.get_by_text("enrolled", exact=True)).to_be_visible()
    assert site.recognise("obama_2") == "barack_obama"
    assert site.recognise("biden_2") is None


def test_reason_has_the_width_of_a_phone(page: Page, site: ConsoleSite, faults: Faults) -> None:
    faults.allowed.add(422)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{site.url}/#/people/add-person")
    page.get_by_label("Name").fill("Grace Hopper")
    page.get_by_label("Choose pictures").set_input_files(picture_file("empty_1"))
    expect(page.locator(".state.bad")).to_be_visible()
    box = page.locator(".state.bad").bounding_box()
    assert box is not None
    assert box["height"] < 100


def test_file_that_is_no_picture_is_named(page: Page, site: ConsoleSite) -> None:
    page.goto(f"{site.url}/#/people/add-person")
    page.get_by_label("Name").fill("Grace Hopper")
    text: FilePayload = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"not a picture at all"}
    page.get_by_label("Choose pictures").set_input_files(text)
    expect(page.get_by_role("status").get_by_text("notes.txt is not a picture.")).to_be_visible()


def test_person_is_renamed(page: Page, site: ConsoleSite) -> None:
    person = site.enrol("Grace", "hopper_1")
    open_person(page, site, person)
    button(page, "Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Grace Hopper")
    button(page.get_by_role("dialog"), "Rename").click()
    expect(page.get_by_role("heading", name="Grace Hopper")).to_be_visible()
    assert site.read(f"people/{person}")["name"] == "Grace Hopper"


def test_search_finds_a_person(page: Page, site: ConsoleSite) -> None:
    site.enrol("Grace Hopper", "hopper_1")
    site.enrol("Joe Biden", "biden_1")
    page.goto(f"{site.url}/#/people")
    expect(page.locator(".people li")).to_have_count(2)
    page.get_by_label("Search names").fill("hop")
    expect(page.locator(".people li")).to_have_count(1)
    expect(page.get_by_role("link", name=re.compile("Grace Hopper"))).to_be_visible()


def test_two_people_become_one(page: Page, site: ConsoleSite) -> None:
    site.enrol("Barack Obama", "obama_1")
    site.enrol("The President", "hopper_1")
    open_person(page, site, "the_president")
    button(page, "Merge").click()
    page.get_by_label("Other person").fill("Barack Obama")
    button(page.get_by_role("dialog"), "Merge").click()
    expect(page.get_by_role("heading", name="Barack Obama")).to_be_visible()
    wait_for(lambda: site.person_ids() == ["barack_obama"])
    assert len(site.read("people/barack_obama")["pictures"]) == 2


def test_dialog_says_itself_that_nobody_has_the_name(page: Page, site: ConsoleSite) -> None:
    open_person(page, site, site.enrol("Grace Hopper", "hopper_1"))
    button(page, "Merge").click()
    dialog = page.get_by_role("dialog")
    page.get_by_label("Other person").fill("Ada Lovelace")
    button(dialog, "Merge").click()
    expect(dialog.get_by_role("alert")).to_have_text("Nobody is called “Ada Lovelace”. Choose a name from the list.")
    button(dialog, "Merge").click()
    expect(page.get_by_text("Nobody is called")).to_have_count(1)
    assert site.person_ids() == ["grace_hopper"]


def test_picture_is_removed_after_a_question(page: Page, site: ConsoleSite) -> None:
    person = site.enrol("Barack Obama", "obama_1", "obama_2")
    open_person(page, site, person)
    first = page.locator(".gallery li").first
    first.get_by_role("button", name=re.compile("^Remove")).click()
    button(page.get_by_role("dialog"), "Cancel").click()
    assert len(site.read(f"people/{person}")["pictures"]) == 2
    first.get_by_role("button", name=re.compile("^Remove")).click()
    button(page.get_by_role("dialog"), "Remove").click()
    expect(page.locator(".gallery li")).to_have_count(1)
    assert len(site.read(f"people/{person}")["pictures"]) == 1


def test_person_is_erased_after_a_question(page: Page, site: ConsoleSite) -> None:
    person = site.enrol("Grace Hopper", "hopper_1")
    open_person(page, site, person)
    button(page, "Erase for good").click()
    button(page.get_by_role("dialog"), "Cancel").click()
    assert site.person_ids() == [person]
    button(page, "Erase for good").click()
    button(page.get_by_role("dialog"), "Erase for good").click()
    expect(page.get_by_text("Grace Hopper is erased.")).to_be_visible()
    assert site.person_ids() == []


def test_pictures_of_another_person_are_split_off(page: Page, site: ConsoleSite) -> None:
    person = site.enrol("Barack Obama", "obama_1", "hopper_1")
    open_person(page, site, person)
    page.get_by_role("checkbox").nth(1).check()
    button(page, "Split off 1 picture").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Grace Hopper")
    button(page, "Move the pictures").click()
    expect(page.get_by_text("The pictures belong to Grace Hopper now.")).to_be_visible()
    expect(page.locator(".gallery li")).to_have_count(1)
    assert site.person_ids() == ["barack_obama", "grace_hopper"]


def test_shown_picture_is_chosen(page: Page, site: ConsoleSite) -> None:
    person = site.enrol("Barack Obama", "obama_1", "obama_2")
    open_person(page, site, person)
    page.get_by_role("button", name=re.compile("^Show in lists")).click()
    expect(page.get_by_text("This picture is shown in lists now.")).to_be_visible()
    found = site.read(f"people/{person}")
    assert found["shown"] == found["pictures"][1]["id"]


def test_two_who_look_alike_are_merged_by_suggestion(page: Page, site: ConsoleSite) -> None:
    site.enrol("Barack Obama", "obama_1")
    site.enrol("The President", "obama_2")
    page.goto(f"{site.url}/#/people")
    button(page, "Yes: Barack Obama").click()
    button(page.get_by_role("dialog"), "Cancel").click()
    assert site.person_ids() == ["barack_obama", "the_president"]
    button(page, "Yes: Barack Obama").click()
    button(page.get_by_role("dialog"), "Merge").click()
    wait_for(lambda: site.person_ids() == ["barack_obama"])


def test_address_of_a_person_leads_to_no_other_route(page: Page, site: ConsoleSite) -> None:
    """Regression: a link could make the console ask any route of the gateway as if it were a person."""
    site.enrol("Barack Obama", "obama_1")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for rest in ("..%2F..%2Fapi%2Fv1%2Fpeople%2Fbarack_obama", "..%2Fcameras", "%00%ff", "barack_obama%3F"):
        page.goto(f"{site.url}/#/people/{rest}")
        expect(page.get_by_role("heading", name="People", exact=True)).to_be_visible()
        expect(page.get_by_role("link", name="Barack Obama")).to_be_visible()
        page.goto("about:blank")
    assert not [
        url for url in asked if "/api/v1/people/" in url and "/pictures/" not in url and "suggestions" not in url
    ]
    assert not [url for url in asked if "cameras" in url]
