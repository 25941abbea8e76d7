"""The list of 10,000 people shows one page at a time."""

from __future__ import annotations

import io

import PIL.Image
import pytest
from playwright.sync_api import Page, expect

from gateway.model import Person
from gateway.model.caller import CLI_CALLER
from gateway.store.records import ExportedPerson, Picture, StoredFace
from tests.console.site import ConsoleSite
from tests.examples import descriptor
from tests.store.examples import RECIPE

pytestmark = pytest.mark.extra

PEOPLE = 10_000

MAX_ELEMENTS = 200


def person(number: int) -> ExportedPerson:
    image = io.BytesIO()
    PIL.Image.new("RGB", (150, 150), (number % 256, number // 256 * 6, 120)).save(image, "JPEG", quality=60)
    face = StoredFace(descriptor(number), image.getvalue())
    name = Person(f"person_{number:05}", f"Person {number:05}")
    return ExportedPerson(name, [Picture(f"{number:064x}", "test", RECIPE, face)], [1_790_000_000.0])


@pytest.fixture(scope="module", autouse=True)
def crowd(site: ConsoleSite) -> None:
    site.gateway.people.store.archive.import_people(map(person, range(PEOPLE)), CLI_CALLER)


def elements(page: Page) -> int:
    return int(page.evaluate("document.querySelectorAll('main *').length"))


def test_page_of_the_list_has_few_elements(page: Page, site: ConsoleSite) -> None:
    page.goto(f"{site.url}/#/people")
    expect(page.get_by_text("10,000 people")).to_be_visible()
    expect(page.locator(".people li")).to_have_count(24)
    assert elements(page) <= MAX_ELEMENTS


def test_pages_are_turned_both_ways(page: Page, site: ConsoleSite) -> None:
    page.goto(f"{site.url}/#/people")
    page.get_by_role("button", name="Next page").click()
    expect(page.get_by_role("link", name="Person 00024")).to_be_visible()
    assert elements(page) <= MAX_ELEMENTS
    page.get_by_role("button", name="Previous page").click()
    expect(page.get_by_role("link", name="Person 00000")).to_be_visible()


def test_search_finds_one_of_many(page: Page, site: ConsoleSite) -> None:
    page.goto(f"{site.url}/#/people")
    page.get_by_label("Search names").fill("09876")
    expect(page.locator(".people li")).to_have_count(1)
    expect(page.get_by_role("link", name="Person 09876")).to_be_visible()


def test_name_that_many_others_contain_is_found_for_a_merge(page: Page, site: ConsoleSite) -> None:
    # Ids are sorted: all of the 10,000 people come before the one whose name is looked for.
    last = ExportedPerson(Person("zoe", "Person 0"), person(PEOPLE).pictures, [1_790_000_000.0])
    site.gateway.people.store.archive.import_people([last], CLI_CALLER)
    page.goto(f"{site.url}/#/people/person_00007")
    page.get_by_role("button", name="Merge", exact=True).click()
    page.get_by_label("Other person").fill("Person 0")
    page.get_by_role("dialog").get_by_role("button", name="Merge").click()
    expect(page.get_by_role("heading", name="Person 0", exact=True)).to_be_visible()
