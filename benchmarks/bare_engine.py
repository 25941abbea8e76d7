"""The bare engine in a separate process: ``python -m benchmarks.bare_engine PICTURE``.

It prints ``ready``. Then it reads numbers of seconds from standard input, one per line. For each it analyses the
picture repeatedly for that time, and prints the milliseconds of each analysis as a JSON list.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.engines import LIMITS, engine
from gateway.model import AnalyseTask
from gateway.vision.analyse import analyse


def main() -> None:
    picture = Path(sys.argv[1]).read_bytes()
    facegate_engine = engine()
    analyse(picture, facegate_engine, AnalyseTask(), LIMITS)
    print("ready", flush=True)
    for line in sys.stdin:
        end = time.monotonic() + float(line)
        taken = []
        while (begun := time.monotonic()) < end:
            analyse(picture, facegate_engine, AnalyseTask(), LIMITS)
            taken.append(1000 * (time.monotonic() - begun))
        print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    main()
