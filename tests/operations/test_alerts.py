"""The alerts for Prometheus: their metrics, their links, and when they fire."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rest.test_metrics_api import samples
from tests.support import ROOT
from tests.test_docs import anchors

RULES = ROOT / "config" / "prometheus_alerts.yml"
CASES = Path(__file__).with_name("alert_cases.yml")
HOW_TO = ROOT / "docs" / "how-to" / "watch-with-prometheus.md"

ADDED_LABELS = {"instance", "job"}
"""The labels that Prometheus adds."""

ALERTS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is missing")


def by_name(alert: dict[str, Any]) -> str:
    return str(alert["alert"])


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_alert_uses_only_metrics_and_labels_that_exist(alert: dict[str, Any]) -> None:
    expression = alert["expr"]
    known = samples()
    names = set(re.findall(r"\bfacegate_\w+", expression))
    assert names <= known.keys()
    assert names or "up{" in expression
    labels = set().union(*(known[name] for name in names)) | ADDED_LABELS
    assert set(re.findall(r"(\w+)(?:!=|=~|=)\"", expression)) <= labels
    texts = alert["annotations"]["summary"]
    assert set(re.findall(r"\$labels\.(\w+)", texts)) <= labels


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_alert_links_to_a_page_that_says_what_to_do(alert: dict[str, Any]) -> None:
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert (ROOT / page).exists()
    assert not anchor or anchor in anchors(ROOT / page)
    assert f"`{alert['alert']}`" in HOW_TO.read_text()


def test_how_to_names_no_alert_that_does_not_exist() -> None:
    assert set(re.findall(r"`(Facegate[A-Z]\w+)`", HOW_TO.read_text())) == set(map(by_name, ALERTS))


def test_every_alert_has_a_case() -> None:
    assert set(re.findall(r"Facegate\w+", CASES.read_text())) == set(map(by_name, ALERTS))


@needs_promtool
def test_alerts_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    cases = tmp_path / "cases.yml"
    cases.write_text(f"rule_files: [{RULES}]\n{CASES.read_text()}")
    for words in (["check", "rules", str(RULES)], ["test", "rules", str(cases)]):
        done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
