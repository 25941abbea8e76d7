"""Tests of the fault bench, run for some seconds with the real gateway."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.faults import __main__ as bench
from benchmarks.faults.checker import check
from benchmarks.faults.crashes import has_enough_kills
from benchmarks.faults.fleet import Fleet
from benchmarks.faults.history import History
from benchmarks.faults.installation import Installation
from benchmarks.faults.load import Load
from benchmarks.faults.network_faults import Outage, verdict
from benchmarks.faults.processes import Process, end, started
from benchmarks.faults.store_reader import StoreReader
from tests.support import MOSQUITTO, broker_running, prepare_data_folder, wait_for

SLEEPER = [sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '60'], start_new_session=True)"]


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_bench_finds_no_violation_after_kills(tmp_path: Path) -> None:
    rng, history = random.Random(1), History()
    settings = {"FACEGATE_DATA": str(prepare_data_folder(tmp_path / "data"))}
    installation = Installation(tmp_path, history, rng, workers=1, settings=settings)
    fleet = Fleet(installation.port, Load(rng, enroll=0.3), history, rng, cameras=3, repeats=True)
    with installation, fleet, StoreReader(installation, history) as store_reader:
        begun = time.monotonic()
        fleet.run(lambda: time.monotonic() > begun + 1)
        installation.kill_gateway(family=True)
        killed = time.monotonic()
        fleet.run(lambda: installation.status("/readyz") == 200 or time.monotonic() > killed + 60)
        assert installation.status("/readyz") == 200
        fleet.drain(60)
        store_reader.read_all()
    finding = check(history, repeats=True)
    assert finding.lost == []
    assert finding.duplicates == []
    assert finding.differing == []
    assert finding.missing == []
    assert history.count("gateway") == 1
    assert any(effect.action == "add" and effect.door.startswith("mqtt") for effect in history.effects)
    assert any(slug.startswith("bench_") for slug in history.people)
    assert installation.gateway.pid is None
    wait_for(lambda: not installation.gateway.left_over())


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_devices_repeat_their_requests_while_the_bench_waits(tmp_path: Path) -> None:
    """Regression: on a slow machine replicas start for a minute, and a device that had paused so long gave up."""
    rng, history = random.Random(1), History()
    with broker_running(tmp_path) as broker:
        fleet = Fleet(broker.port, Load(rng), history, rng, cameras=2, repeats=True)
        # Nobody answers.
        with fleet:
            fleet.run(lambda: len(history.requests) >= 3)
            fleet.repeat_during(lambda: wait_for(lambda: all(len(each.sent) > 1 for each in history.requests.values())))


@pytest.mark.parametrize("family", [True, False])
def test_process_is_killed_with_or_without_its_children(tmp_path: Path, family: bool) -> None:
    process = Process(SLEEPER, log=tmp_path / "log", folder=tmp_path)
    process.start()
    wait_for(process.children)
    children = process.children()
    process.kill(family=family)
    assert process.pid is None
    if family:
        wait_for(lambda: not process.left_over())
        return
    assert process.left_over() == children
    end(children)
    wait_for(lambda: all(started(pid) is None for pid in children))


def test_end_does_not_kill_another_process_with_the_pid(tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "60"])
    began = started(other.pid)
    assert began is not None
    end({other.pid: began - 1})
    time.sleep(0.1)
    assert other.poll() is None
    other.kill()
    other.wait()


def test_bench_without_a_broker_ends_with_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "find_mosquitto", lambda: None)
    result = CliRunner().invoke(bench.main, ["--json"])
    assert result.exit_code == 2
    assert "mosquitto is not installed" in result.stderr


@pytest.mark.parametrize("name", bench.MUST_BE_ZERO)
def test_bench_fails_for_any_violation(name: str) -> None:
    good = dict.fromkeys(bench.MUST_BE_ZERO, 0)
    assert bench.passed(good)
    assert not bench.passed({**good, name: 1})
    assert not bench.passed({**good, "in_limits": False})


def test_bench_fails_with_too_few_kills() -> None:
    assert has_enough_kills(25, 300.0)
    assert not has_enough_kills(24, 300.0)
    assert not has_enough_kills(0, 13.0)


def test_outage_passes_within_its_limit() -> None:
    def judged(*outages: Outage, growth: float = 1.0, case: bool = True) -> bool:
        return bool(verdict(list(outages), growth, [{"case": "x", "passed": case}])["in_limits"])

    fine, forgotten = Outage("cut", "gateway", 5.0, 3.0), Outage("half_open", "gateway", 0.0, 14.0)
    assert judged(fine, forgotten)
    assert not judged(fine, Outage("cut", "gateway", 5.0, 14.0))
    assert not judged(fine, Outage("cut", "gateway", 5.0, None))
    assert not judged(fine, growth=100.0)
    assert not judged(fine, case=False)
