from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soakrule import Sample, plot, verdict

HOUR = 3600


def workers(at: int) -> dict[str, float]:
    """Return the memory of two workers. The second is replaced by a larger one. New workers are left out."""
    return (
        {"1": 200.0}
        if at < 120 or 2700 < at < 2820
        else {"1": 200.0, "2": 180.0}
        if at < 2700
        else {"1": 200.0, "3": 260.0}
    )


def run(rng_seed: int = 1) -> list[Sample]:
    """Return the samples of a good hour with some noise. Memory grows only in the first minutes."""
    rng = random.Random(rng_seed)
    return [
        Sample(
            at=float(at),
            rss_mb=120 + min(at, 600) / 20 + rng.uniform(-0.5, 0.5),
            workers_mb={name: mb + rng.uniform(-1, 1) for name, mb in workers(at).items()},
            threads=60 + rng.randrange(2),
            fds=80 + rng.randrange(4),
            p50=40 + rng.uniform(-5, 5),
            p95=70 + rng.uniform(-15, 15),
        )
        for at in range(10, HOUR + 1, 10)
    ]


def broken_rules(**rules: Any) -> list[str]:
    """Return the names of the rules that were not kept."""
    return [name for name, rule in rules.items() if not rule["kept"]]


def test_verdict_passes_a_steady_hour() -> None:
    told = verdict(run(), lost=0)
    assert told["passed"]
    assert broken_rules(**told["rules"]) == []


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("gateway_growth_mb_a_day", lambda each: replace(each, rss_mb=each.rss_mb + each.at * 300 / 86_400)),
        (
            "worker_growth_mb_a_day",
            lambda each: replace(
                each, workers_mb={name: mb + each.at * 300 / 86_400 for name, mb in each.workers_mb.items()}
            ),
        ),
        ("more_fds", lambda each: replace(each, fds=each.fds + int(each.at // 300))),
        ("more_threads", lambda each: replace(each, threads=each.threads + int(each.at // 600))),
        ("p95_ratio", lambda each: replace(each, p95=each.p95 * (1 + each.at / HOUR))),
    ],
)
def test_verdict_finds_growth(rule: str, change: Any) -> None:
    told = verdict([change(each) for each in run()], lost=0)
    assert broken_rules(**told["rules"]) == [rule]
    assert not told["passed"]


def test_verdict_fails_for_one_lost_request() -> None:
    assert broken_rules(**verdict(run(), lost=1)["rules"]) == ["lost"]


def test_verdict_ignores_small_growth_in_a_short_run() -> None:
    short = [replace(each, at=each.at / 60, rss_mb=120 + each.at / HOUR) for each in run()]
    rule = verdict(short, lost=0)["rules"]["gateway_growth_mb_a_day"]
    assert rule["figure"] > rule["limit"]
    assert rule["kept"]


def test_verdict_fails_without_answers_at_the_end() -> None:
    silent = [replace(each, p50=None, p95=None) if each.at > HOUR / 2 else each for each in run()]
    assert broken_rules(**verdict(silent, lost=0)["rules"]) == ["p95_ratio"]


def test_plot_writes_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert plot(run(), [(600.0, "worker")], tmp_path / "soak.png")
    assert (tmp_path / "soak.png").stat().st_size > 10_000


def test_plot_returns_false_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    assert not plot(run(), [], tmp_path / "soak.png")
