from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.engines import ROOT
from benchmarks.instructions import by_instructions, chosen_formats
from tests.support import models

REPORT = """
import json, sys
from pathlib import Path
from benchmarks.instructions import used_instructions
print(json.dumps(used_instructions(Path(sys.argv[1]))))
"""


def test_share_of_the_time_is_summed_by_instructions() -> None:
    shares = {"jit_avx2_I8": 0.5, "brgconv_avx2_f32": 0.2, "jit_uni_f32": 0.1, "brgconv_avx512_amx_I8": 0.2}
    assert by_instructions(shares) == {"avx2": 0.7, "amx": 0.2, "unnamed": 0.1}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="this is about instructions of x86-64")
def test_report_names_the_cap_and_the_instructions_that_ran() -> None:
    report = reported(models(), "SSE41")
    assert report["cap"] == "SSE41"
    assert report["formats"] == {**chosen_formats(), "descriptor": "int8"}
    for network in ("detector", "descriptor"):
        assert max(report["instructions"][network].items(), key=lambda each: each[1])[0] == "sse42"
        assert sum(report["instructions"][network].values()) == pytest.approx(1, abs=0.02)


def reported(models: Path, cap: str) -> dict[str, Any]:
    """Return the report of a process with this limit. oneDNN reads the limit once in a process."""
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": cap}
    command = [sys.executable, "-c", REPORT, str(models)]
    done = subprocess.run(command, env=environment, cwd=ROOT, check=True, timeout=300, stdout=subprocess.PIPE)
    report: dict[str, Any] = json.loads(done.stdout)
    return report
