"""The view of the health shows the replicas of a cluster."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from gateway.app import Gateway, running
from gateway.model.cluster import REPLICA_STATES, ClusterIdentity
from tests.cluster.support import LEASE_S, NO_END_S, cluster_running
from tests.conftest import settings
from tests.console.site import BASE
from tests.support import Broker, wait_for

pytestmark = pytest.mark.extra

NAME = "house"
CLUSTER = ClusterIdentity(NAME, BASE)
ADDRESS = "http://10.0.0.5:5001"
CAMERAS = ["attic", "hall", "porch"]

SCREENSHOTS = os.environ.get("SCREENSHOTS")


@dataclass(frozen=True)
class ReplicaSite:
    """A gateway that is a replica, and leads. Its broker does not run yet, so it may own no cameras."""

    gateway: Gateway
    broker: Broker
    store: str

    @property
    def url(self) -> str:
        return self.gateway.rest.url


def leads(gateway: Gateway) -> bool:
    cluster = gateway.health().cluster
    return cluster is not None and cluster.leads


@pytest.fixture
def site(tmp_path: Path, postgres_url: str) -> Iterator[ReplicaSite]:
    nobody = tmp_path / "nobody"
    nobody.mkdir()
    broker = Broker(tmp_path)
    wanted = settings(
        tmp_path / "data",
        broker,
        workers={"processes": 1},
        people={"folder": nobody, "store": postgres_url},
        cluster={"name": NAME, "lease_s": 30, "address": ADDRESS},
        mqtt={"base": BASE},
    )
    with running(wanted) as gateway:
        wait_for(lambda: leads(gateway))
        try:
            yield ReplicaSite(gateway, broker, postgres_url)
        finally:
            broker.stop()


def row_of(page: Page, replica: str) -> Locator:
    return page.locator(".replicas tbody tr").filter(has=page.get_by_role("rowheader", name=replica))


def check_named(page: Page, name: str) -> Locator:
    return page.locator(".cluster .checks li").filter(has=page.get_by_text(name, exact=True))


def check_layout(page: Page, name: str) -> None:
    """Check that the view is accessible and fits the screen, at a phone and at a desk."""
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        if SCREENSHOTS:
            page.screenshot(path=Path(SCREENSHOTS) / f"cluster-{name}-{width}.png", full_page=True)
        violations = Axe().run(page).response["violations"]
        serious = [each for each in violations if each["impact"] in ("serious", "critical")]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in serious] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        expect(row_of(page, "this one").get_by_role("cell")).to_have_count(6)


def test_replicas_and_cameras_without_an_owner_are_shown(page: Page, site: ReplicaSite) -> None:
    with cluster_running(site.store, NO_END_S) as patient, cluster_running(site.store, LEASE_S) as hasty:
        (waiting,) = patient.start("waiting", ready=False, connected=False, cluster=CLUSTER)
        waiting.membership.add_cameras(CAMERAS)
        page.goto(f"{site.url}/#/health")
        expect(check_named(page, "Name of the cluster")).to_contain_text(NAME)
        expect(page.locator(".warnings").first).to_contain_text("3 cameras have no owner")
        own = row_of(page, "this one")
        expect(own.get_by_role("cell").nth(1)).to_have_text("not connected")
        expect(own.get_by_role("cell").nth(3)).to_have_text("0")
        expect(row_of(page, "waiting").locator(".chip")).to_have_text("joining")

        check_layout(page, "waiting")

        site.broker.start()
        expect(own.get_by_role("cell").nth(1)).to_have_text("connected")
        expect(own.get_by_role("cell").nth(3)).to_have_text("3")
        expect(own.locator(".chip")).to_have_text("leader")
        expect(own).to_contain_text(ADDRESS)
        expect(page.get_by_text("have no owner")).to_have_count(0)
        expect(check_named(page, "Leader")).to_contain_text(ADDRESS)

        patient.stop("waiting")
        (lost,) = hasty.start("unreachable", connected=False, ready=False, cluster=CLUSTER)
        expect(row_of(page, "unreachable")).to_be_visible()
        lost.proxy.cut()
        expect(row_of(page, "unreachable").locator(".chip")).to_have_text("lost")
        expect(row_of(page, "waiting").locator(".chip")).to_have_text("stopped")
        expect(row_of(page, "waiting").get_by_role("cell").nth(2)).to_have_text(re.compile(r"ended: \d\d:\d\d"))

        expect(page.locator(".warnings").first).to_contain_text("A replica is lost (unreachable)")
        check_layout(page, "lost")


def test_each_state_of_a_replica_has_a_text(page: Page, site: ReplicaSite) -> None:
    page.goto(f"{site.url}/#/health")
    words = page.evaluate("async () => (await import('/console/texts.js')).texts.cluster.states")
    assert set(words) == set(REPLICA_STATES)
