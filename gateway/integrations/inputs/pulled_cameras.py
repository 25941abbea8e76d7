"""All cameras that the gateway asks for pictures, each on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from gateway.config import Settings
from gateway.integrations.inputs.pulled_camera import PulledCamera, SubmitFrame

JOIN_S = 2.0
"""The time for the threads to end. One that waits for its camera ends with the process."""


class PulledCameras:
    """The cameras of ``inputs.pull``. ``submit`` takes live frames. Raises ConfigError."""

    def __init__(self, settings: Settings, submit: SubmitFrame, is_followed: Callable[[str], bool]) -> None:
        self._stopping = threading.Event()
        self._cameras = [
            PulledCamera(
                name,
                each,
                max_bytes=settings.limits.bytes,
                submit=submit,
                is_followed=is_followed,
                stopping=self._stopping,
            )
            for name, each in settings.inputs.pull.items()
        ]
        self._threads = [
            threading.Thread(target=camera.run, name=f"pull-{camera.name}", daemon=True) for camera in self._cameras
        ]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about the cameras that give no pictures."""
        return tuple(warning for camera in self._cameras if (warning := camera.warning) is not None)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask for no further picture, and submit none."""
        self._stopping.set()
        end = time.monotonic() + JOIN_S
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(end - time.monotonic(), 0))
