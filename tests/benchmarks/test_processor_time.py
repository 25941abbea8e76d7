"""Processor time: of this process, of one that sleeps, and of a real worker process."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from benchmarks.processor_time import CPU_ROUNDS, cpu_ms_a_frame, processor_ms, worker_ms_beyond_engine
from tests.support import frame


def work(seconds: float) -> None:
    """Use that much processor time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_processor_time_of_a_process_is_that_of_its_own_clock() -> None:
    before = 1000 * time.process_time()
    counted = processor_ms(os.getpid())
    assert before <= counted <= 1000 * time.process_time()


def test_process_that_has_ended_has_no_processor_time() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    with pytest.raises(OSError, match=r"\[Errno"):
        processor_ms(child.pid)


@pytest.mark.slow
def test_processor_time_a_frame_is_that_of_the_asked_processes() -> None:
    sleeping = [sys.executable, "-c", "print('ready', flush=True); input()"]
    with subprocess.Popen(sleeping, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        processes = {"gateway": os.getpid(), "broker": child.pid}
        found = cpu_ms_a_frame(processes, {"mqtt": lambda: work(0.002)}, frame("obama_1"), CPU_ROUNDS)
    figures = found["mqtt"]
    assert figures["gateway"] >= 2
    assert figures["broker"] < figures["gateway"]
    assert figures["total"] == pytest.approx(sum(figures.values()) - figures["total"], abs=0.03)


@pytest.mark.slow
def test_worker_process_uses_some_time_beyond_its_engine() -> None:
    assert worker_ms_beyond_engine(frame("obama_1"), 4) > 0
