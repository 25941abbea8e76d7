"""The thread that tells the parts of this gateway which cameras it gained or lost, and whether it leads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from functools import partial

from gateway.cluster.boot_clock import boot_time
from gateway.cluster.standing import NOTHING, Holdings, Standing
from gateway.errors import Busy

log = logging.getLogger(__name__)

OnLeader = Callable[[bool], object]
OnCameras = Callable[[Mapping[str, int], Set[str]], object]
"""A function that is called with the gained cameras, each with its epoch, and with the lost ones."""

RETRY_S = 0.5
"""Seconds after which a change is told again, if a listener failed."""

MAX_LISTED = 10
"""Cameras that a line of the log names."""

LONGEST_WAIT_S = 1.0
"""The longest time without a look at the clock. A machine that slept must notice soon that its lease has ended."""


@dataclass(frozen=True, slots=True)
class Change:
    """The difference between what the listeners know and what the replica holds."""

    lost: Set[str]
    gained: Mapping[str, int]
    ends_leadership: bool
    begins_leadership: bool
    is_other_admission: bool

    def __bool__(self) -> bool:
        leads = self.ends_leadership or self.begins_leadership
        return bool(self.lost or self.gained or leads or self.is_other_admission)


def find_change(known: Holdings, told: Holdings, held: Holdings) -> Change:
    """Return what to tell. A camera that another replica owned meanwhile, by its epoch, is both lost and gained.

    ``known``: what listeners may know of, and have to leave. ``told``: the part that all of them have taken over.
    """
    return Change(
        {name for name, epoch in known.cameras.items() if held.cameras.get(name) != epoch},
        {name: epoch for name, epoch in held.cameras.items() if told.cameras.get(name) != epoch},
        known.leads_since is not None and known.leads_since != held.leads_since,
        held.leads_since is not None and told.leads_since != held.leads_since,
        known.admission != held.admission,
    )


class ListenerCaller:
    """The only caller of the listeners, one after the other. Losses come before gains, and in the reverse order."""

    def __init__(self, standing: Standing, on_told: Callable[[], object], on_dropped: Callable[[], object]) -> None:
        """``on_told``: called after the listeners were told of a loss. The lost cameras can be released then.

        ``on_dropped``: called when the replica may name nobody any more, after the listeners were told of all losses.
        Then it can follow the people, and be admitted again.
        """
        self._standing = standing
        self._on_told = on_told
        self._on_dropped = on_dropped
        self._on_leader: list[OnLeader] = []
        self._on_cameras: list[OnCameras] = []
        self._known = self._told = NOTHING
        self._busy_since: float | None = None
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="cluster listeners")

    def add(self, on_leader: OnLeader | None, on_cameras: OnCameras | None) -> None:
        """Add listeners, before the start."""
        self._on_leader += [on_leader] if on_leader is not None else []
        self._on_cameras += [on_cameras] if on_cameras is not None else []

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End the thread, after everything that is lost by now was told. Wait no longer than ``seconds``."""
        with self._standing.changed:
            self._is_stopping = True
            self._standing.changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(seconds)

    @property
    def known(self) -> Holdings:
        """The cameras and the leadership that the listeners know of."""
        return self._known

    @property
    def told(self) -> Holdings:
        """The cameras and the leadership that all listeners have taken over."""
        return self._told

    def busy_s(self) -> float:
        """Return the seconds since which the listeners work on the same change."""
        since = self._busy_since
        return 0.0 if since is None else boot_time() - since

    def _run(self) -> None:
        while (held := self._wait_for_change()) is not None:
            # From the first try on: a replica whose parts fail for long does not renew its lease, and others take over.
            self._busy_since = self._busy_since or boot_time()
            if self._tell(held):
                self._busy_since = None
            elif not self._wait_to_retry():
                return

    def _wait_for_change(self) -> Holdings | None:
        """Return what the replica holds, as soon as the listeners know something else. Return None at the end."""
        with self._standing.changed:
            while True:
                held = self._standing.holdings()
                if find_change(self._known, self._told, held):
                    return held
                # Not by another look at the clock alone: the end may have come since the first one.
                if held.admission is None and self._standing.note_dropped():
                    self._on_dropped()
                if self._is_stopping:
                    return None
                self._standing.changed.wait(min(self._standing.next_end_s(), LONGEST_WAIT_S))

    def _wait_to_retry(self) -> bool:
        """Wait until the listeners can be told again. Return False at the end."""
        with self._standing.changed:
            return not self._standing.changed.wait_for(lambda: self._is_stopping, RETRY_S)

    def _tell(self, held: Holdings) -> bool:
        """Tell the listeners what has changed. Return whether all followed it: otherwise they are told again."""
        change = find_change(self._known, self._told, held)
        self._told = told = _keep_held(self._told, held)
        has_left = not change.ends_leadership or _call([partial(each, False) for each in reversed(self._on_leader)])
        if change.lost:
            has_left &= _call([partial(each, {}, change.lost) for each in reversed(self._on_cameras)])
        if not has_left:
            return False
        _log_loss(change)
        # From here on the replica is known to hold what it gains: a loss in the meantime is told next.
        self._known = held
        self._on_told()
        if change.gained and not _call([partial(each, change.gained, set()) for each in self._on_cameras]):
            return False
        if change.gained:
            log.info("this replica owns %s now", _list(change.gained))
        self._told = replace(held, leads_since=told.leads_since)
        if change.begins_leadership and not _call([partial(each, True) for each in self._on_leader]):
            return False
        if change.begins_leadership:
            log.info("this replica leads the cluster now")
        self._told = held
        return True


def _log_loss(change: Change) -> None:
    if change.ends_leadership:
        log.info("this replica does not lead the cluster any more")
    if change.lost:
        log.info("this replica does not own %s any more", _list(change.lost))


def _list(cameras: Collection[str]) -> str:
    """Return the names of the first cameras, since there may be thousands, and the number of the others."""
    more = len(cameras) - MAX_LISTED
    others = f" and {more} more" if more > 0 else ""
    return f"the camera{'s' * (len(cameras) > 1)} {', '.join(sorted(cameras)[:MAX_LISTED])}{others}"


def _keep_held(told: Holdings, held: Holdings) -> Holdings:
    """Return the part of what was told that is still held."""
    return Holdings(
        {name: epoch for name, epoch in told.cameras.items() if held.cameras.get(name) == epoch},
        told.leads_since if told.leads_since == held.leads_since else None,
        held.admission,
    )


def _call(calls: Iterable[Callable[[], object]]) -> bool:
    """Call all of these, and return whether all of them succeeded."""
    failed = 0
    for call in calls:
        try:
            call()
        except Busy as error:
            failed += 1
            log.warning("a part of the gateway follows a change of the cluster later: %s", error)
        # Even a bug in the gateway must not end this thread.
        except Exception:
            failed += 1
            log.exception("a part of the gateway did not follow a change of the cluster, and is told again")
    return not failed
