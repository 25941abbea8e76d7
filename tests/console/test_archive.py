"""People are exported and imported in the console."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from gateway.people.archive import read_archive
from tests.console.faults import Faults
from tests.console.site import ConsoleSite

pytestmark = pytest.mark.extra


@pytest.fixture(scope="module")
def rest_settings() -> dict[str, object]:
    """Everybody needs a token, also programs on this machine."""
    return {"anonymous": {"from": []}}


@pytest.fixture(scope="module", autouse=True)
def admin(site: ConsoleSite) -> None:
    site.headers["Authorization"] = f"Bearer {site.add_token('test', 'admin')}"


@pytest.fixture(autouse=True)
def obama(admin: None, site: ConsoleSite, faults: Faults) -> None:
    """A store with one person. The browser is not logged in yet."""
    faults.allowed.add(401)
    site.remove_everybody()
    site.enrol("Barack Obama", "obama_1")


def export(page: Page, folder: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name="Export", exact=True).click()
    download.value.save_as(folder / download.value.suggested_filename)
    return folder / download.value.suggested_filename


def test_everybody_is_exported_and_imported_again(page: Page, site: ConsoleSite, tmp_path: Path) -> None:
    site.log_in(page, "admin", "people/export-import")
    file = export(page, tmp_path)
    assert file.name == "people.zip"
    assert [each.person.name for each in read_archive(file.read_bytes())] == ["Barack Obama"]
    site.remove_everybody()
    page.get_by_label("File of an export").set_input_files(file)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_text("The file has 1 person. 1 picture is new.")).to_be_visible()
    assert site.person_ids() == ["barack_obama"]


def test_one_person_is_exported(page: Page, site: ConsoleSite, tmp_path: Path) -> None:
    site.log_in(page, "privacy", "people/barack_obama")
    file = export(page, tmp_path)
    assert file.name == "barack_obama.zip"
    assert [each.person.slug for each in read_archive(file.read_bytes())] == ["barack_obama"]


def test_file_that_is_no_archive_is_refused_in_words(page: Page, site: ConsoleSite, faults: Faults) -> None:
    faults.allowed.add(400)
    site.log_in(page, "admin", "people/export-import")
    text: FilePayload = {"name": "people.zip", "mimeType": "application/zip", "buffer": b"not an archive"}
    page.get_by_label("File of an export").set_input_files(text)
    page.get_by_role("button", name="Import").click()
    expect(page.locator("form").get_by_role("alert")).to_contain_text("this is not an archive of people")


def test_keeper_reads_which_roles_are_needed(page: Page, site: ConsoleSite) -> None:
    site.log_in(page, "keeper", "people")
    page.get_by_role("link", name="Export and import").click()
    expect(page.get_by_text("This needs the role privacy. Your role is keeper.")).to_be_visible()
    expect(page.get_by_text("This needs the role admin. Your role is keeper.")).to_be_visible()
    expect(page.get_by_role("button", name="Export", exact=True)).to_have_count(0)
