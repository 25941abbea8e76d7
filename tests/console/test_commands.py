"""A sentence of the gateway that names a command: the console says instead what the reader can do there."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from gateway.model.caller import Role
from tests.console.faults import Faults
from tests.console.site import ConsoleSite
from tests.support import wait_for

pytestmark = pytest.mark.extra

COMMAND = "facegate people merge the_president barack_obama"


@pytest.fixture(scope="module")
def rest_settings() -> dict[str, object]:
    """Everybody needs a token, also programs on this machine."""
    return {"anonymous": {"from": []}}


@pytest.fixture(scope="module", autouse=True)
def lookalikes(site: ConsoleSite) -> None:
    """Two people who look like one, of which the health warns."""
    site.headers["Authorization"] = f"Bearer {site.add_token('test', 'admin')}"
    site.enrol("Barack Obama", "obama_1")
    site.enrol("The President", "obama_2")
    wait_for(lambda: any(COMMAND in each for each in site.read("health")["warnings"]))


def test_keeper_follows_a_link_to_the_person_who_is_merged(page: Page, site: ConsoleSite, faults: Faults) -> None:
    faults.allowed.add(401)
    site.log_in(page, "keeper")
    warning = page.locator(".warnings li").filter(has_text="look like one person")
    expect(warning).to_contain_text("if they are one person, merge the_president into barack_obama")
    expect(warning.locator("code")).to_have_text(COMMAND)
    assert "run " not in warning.inner_text()
    warning.get_by_role("link", name="merge the_president into barack_obama").click()
    expect(page.get_by_role("heading", name="The President")).to_be_visible()
    expect(page.get_by_role("button", name="Merge")).to_be_visible()


def test_viewer_reads_which_role_is_needed(page: Page, site: ConsoleSite, faults: Faults) -> None:
    faults.allowed.add(401)
    site.log_in(page, "viewer")
    warning = page.locator(".warnings li").filter(has_text="look like one person")
    expect(warning).to_contain_text("merge the_president into barack_obama (this needs the role keeper)")
    expect(warning.get_by_role("link")).to_have_count(0)


@pytest.mark.parametrize(
    ("sentence", "role", "words", "link"),
    [
        ("no person is enrolled: `facegate people list` shows the ids", "viewer", "the view People shows", "#/people"),
        (
            "not alike: run `facegate people show ada`, and remove",
            "viewer",
            "alike: open the page of ada,",
            "#/people/ada",
        ),
        ("give another name, run `facegate people rename ada NAME`", "keeper", "name, rename ada", "#/people/ada"),
        ("left: merge (`facegate people merge ada ID`)", "keeper", "(merge ada with the other person)", "#/people/ada"),
        (
            "import it (`facegate people import --merge`)",
            "admin",
            "(choose “Add new pictures",
            "#/people/export-import",
        ),
        (
            "too many: run `facegate unknowns unignore ID` for",
            "keeper",
            "many: choose “Do not ignore” for",
            "#/strangers",
        ),
        ("off for all: run `facegate cameras enable`", "keeper", "all: switch recognition on", "#/live"),
        ("has expired: run `facegate tokens rotate phone`", "admin", "expired: rotate the token phone", "#/tokens"),
        ("the audit: run `facegate audit verify`", "admin", "the audit: run facegate audit verify", None),
        ("run `sudo chown -R me: data`", "admin", "run sudo chown -R me: data", None),
        ("a name with `facegate people merge <b> c`", "admin", "with facegate people merge <b> c", None),
    ],
)
def test_sentence_says_what_the_reader_can_do(
    page: Page, site: ConsoleSite, faults: Faults, sentence: str, role: Role, words: str, link: str | None
) -> None:
    page.goto(f"{site.url}/login")
    page.evaluate(
        """async ([sentence, role]) => {
          const { session } = await import("/console/session.js");
          const { sentenceNodes } = await import("/console/commands.js");
          session.role = role;
          const element = document.createElement("div");
          element.id = "sentence";
          element.append(...sentenceNodes(sentence));
          document.body.append(element);
        }""",
        [sentence, role],
    )
    shown = page.locator("#sentence")
    expect(shown).to_contain_text(words)
    expect(shown.locator("code")).to_have_text(sentence.split("`")[1])
    if link is None:
        expect(shown.get_by_role("link")).to_have_count(0)
        expect(shown).to_contain_text("This needs a shell on the machine of the gateway.")
    else:
        expect(shown.get_by_role("link")).to_have_attribute("href", link)
