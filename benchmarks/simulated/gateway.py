"""The gateway with simulated workers: ``python -m benchmarks.simulated.gateway MILLISECONDS run [--config FILE]``.

All but the worker processes is ``facegate run``. MILLISECONDS: the time that a worker process takes for a picture.
"""

from __future__ import annotations

import sys
from unittest import mock

import gateway.app
from gateway.cli.main import main as facegate
from gateway.config import Settings
from gateway.vision.engines.options import EngineOptions
from gateway.workers import wiring
from gateway.workers.environment import python_command
from gateway.workers.options import WorkerOptions


def main() -> None:
    milliseconds, *arguments = sys.argv[1:]

    def simulated_worker_command(options: WorkerOptions) -> list[str]:
        return [*python_command("benchmarks.simulated.worker"), milliseconds, options.to_json()]

    def without_models(settings: Settings) -> EngineOptions:
        """Return the options of an engine whose models are never loaded, and need no conversion."""
        return EngineOptions(settings.engine)

    with (
        mock.patch.object(wiring, "worker_command", simulated_worker_command),
        mock.patch.object(gateway.app, "prepare_engine", without_models),
    ):
        facegate(arguments)


if __name__ == "__main__":
    main()
