"""The console's page of people in a new browser: ``python -m benchmarks.console [--people N] [--json]``.

A store is filled with people who have pictures with chips, and a gateway is started on it as in production. Each round
starts a new Chromium with an empty profile. It opens the page of people, and then opens it again.

All times of a page begin with its navigation, as the browser itself measures them:

- ``document_ms``: until the document was received.
- ``scripts_ms``: until the last script of the console was received.
- ``people_ms``: until the people of the first page were in the document.
- ``pictures_ms``: until the last picture of a person was received.

``browser_start_ms`` is the time that Chromium takes to start and to open an empty page. It is in no time of a page.
``script_work_ms`` is the time in which the page ran scripts, and ``requests`` the number of its requests before
``pictures_ms``. ``elements``: in the page below its navigation.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import PIL.Image
from playwright.sync_api import BrowserContext, sync_playwright

from benchmarks.gateway import PICTURE, run_gateway
from benchmarks.people_pages import fill
from gateway.vision.chips import CHIP_SIDE_PX, MAX_CHIPS, encode_chips

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

PICTURES_A_PERSON = 3

# The console shows 24 people at a time.
SHOWN = 24

NOTE_PEOPLE = f"""
const observer = new MutationObserver(() => {{
  if (document.querySelectorAll(".people li").length < {SHOWN}) return;
  window.peopleAt = performance.now();
  observer.disconnect();
}});
observer.observe(document, {{ childList: true, subtree: true }});
"""

ARE_PICTURES_THERE = f"""() => window.peopleAt !== undefined
  && [...document.querySelectorAll(".people img")].slice(0, {SHOWN} / 2).every((each) => each.complete)"""

READ_FIGURES = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const files = performance.getEntriesByType("resource");
  const last = (part) => Math.max(...files.filter((each) => each.name.includes(part)).map((each) => each.responseEnd));
  const slowest = files.toSorted((one, other) => other.duration - one.duration).slice(0, 5);
  return {
    document_ms: page.responseEnd,
    scripts_ms: last(".js"),
    people_ms: window.peopleAt,
    pictures_ms: last("/thumbnail"),
    requests: files.length + 1,
    elements: document.querySelectorAll("main *").length,
    slowest: slowest.map((each) => [new URL(each.name).pathname, Math.round(each.duration)]),
  };
}"""


def load_page(context: BrowserContext, url: str) -> dict[str, Any]:
    """Return the figures of the page of people in a new tab."""
    page = context.new_page()
    metrics = context.new_cdp_session(page)
    metrics.send("Performance.enable")
    page.add_init_script(NOTE_PEOPLE)
    page.goto(f"{url}/#/people", wait_until="commit")
    page.wait_for_function(ARE_PICTURES_THERE)
    figures: dict[str, Any] = page.evaluate(READ_FIGURES)
    work = {each["name"]: each["value"] for each in metrics.send("Performance.getMetrics")["metrics"]}
    page.close()
    return {**figures, "script_work_ms": 1000 * work["ScriptDuration"]}


def run_round(browser: str, url: str) -> dict[str, dict[str, Any]]:
    """Start a new browser, and return the figures of its first and of its second page."""
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        begun = time.perf_counter()
        chromium = playwright.chromium.launch(executable_path=browser, args=options)
        context = chromium.new_context()
        context.new_page().close()
        started = 1000 * (time.perf_counter() - begun)
        first, second = load_page(context, url), load_page(context, url)
        chromium.close()
    return {"first": {"browser_start_ms": started, **first}, "second": second}


def summary(pages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure, and the worst of ``people_ms`` and ``pictures_ms``."""
    names = [name for name, value in pages[0].items() if isinstance(value, int | float)]
    medians = {name: round(statistics.median(each[name] for each in pages)) for name in names}
    worst = {f"worst_{name}": round(max(each[name] for each in pages)) for name in ("people_ms", "pictures_ms")}
    slowest = max(pages, key=lambda each: float(each["pictures_ms"]))["slowest"]
    return {**medians, **worst, "slowest_requests_ms": dict(slowest)}


def make_chips() -> bytes:
    """Return the chips of a picture, as an enrolment stores them."""
    with PIL.Image.open(PICTURE) as picture:
        chip = np.asarray(picture.convert("RGB").resize((CHIP_SIDE_PX, CHIP_SIDE_PX)))
    return encode_chips(np.stack([chip] * MAX_CHIPS))


def measure(browser: str, people: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="facegate-console-") as folder:
        data = Path(folder) / "data"
        fill(data, people, PICTURES_A_PERSON, make_chips())
        settings = {"FACEGATE_DATA": str(data), "FACEGATE_PEOPLE__MOST": str(people), "FACEGATE_PEOPLE__FOLDER": folder}
        with run_gateway(1, settings) as gateway:
            taken = [run_round(browser, f"http://127.0.0.1:{gateway.rest_port}") for _ in range(rounds)]
    return {
        "people": people,
        "rounds": rounds,
        "first": summary([each["first"] for each in taken]),
        "second": summary([each["second"] for each in taken]),
    }


@click.command(help=__doc__)
@click.option("--people", type=click.IntRange(min=SHOWN), default=10_000, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="New browsers.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
def main(people: int, rounds: int, as_json: bool) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise click.ClickException("Chromium is not installed: apt-get install chromium")
    found = measure(browser, people, rounds)
    if as_json:
        click.echo(json.dumps(found))
        return
    for name in ("first", "second"):
        click.echo(f"{name} page: {', '.join(f'{figure} {value}' for figure, value in found[name].items())}")


if __name__ == "__main__":
    main()
