"""The removal of cameras from a cluster that nobody has heard of for long, and that may never have existed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from gateway.errors import Busy
from gateway.periodic_thread import PeriodicThread
from gateway.service.live_cameras import LiveCameras
from gateway.store.protocols.live_board import LiveBoard

log = logging.getLogger(__name__)

CHECK_INTERVAL_S = 60.0
"""Time between two checks."""


class SilentCameras:
    """The thread that forgets silent cameras of this replica, as the operation cameras/forget does.

    ``owned``: returns the cameras of this replica. ``configured``: cameras that stay. ``most``: the setting
    ``live.most_cameras``.
    """

    def __init__(
        self,
        board: LiveBoard,
        cameras: LiveCameras,
        owned: Callable[[], Collection[str]],
        configured: Collection[str],
        most: int,
    ) -> None:
        self._board = board
        self._cameras = cameras
        self._owned = owned
        self._configured = frozenset(configured)
        self._most = most
        failure = "cameras that are silent cannot be forgotten"
        self._thread = PeriodicThread("silent cameras", CHECK_INTERVAL_S, self.forget, failure)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()

    def forget(self) -> None:
        """Forget the cameras that are silent now. Without the database, the next call does it."""
        try:
            for name in self._board.find_silent(frozenset(self._owned()) - self._configured, self._most):
                log.info("the camera %s has sent nothing for long, and has no sightings: it is forgotten", name)
                self._cameras.forget_camera(name)
        except Busy as error:
            log.debug("silent cameras are forgotten later: %s", error)
