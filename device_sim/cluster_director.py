"""The course of the cluster demo: one gateway after the other is killed, and started again some seconds later."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from device_sim.answer_counts import AnswerCounts
from device_sim.child_process import ChildProcess
from device_sim.cluster_board import ClusterNews, ReplicaRow
from device_sim.cluster_state import ClusterListener

FIRST_KILL_S, KILL_INTERVAL_S, DOWN_S = 8.0, 20.0, 8.0


@dataclass
class DemoReplica:
    """A gateway of the demo. ``due``: the time to start it again after it was killed."""

    name: str
    rest_port: int
    process: ChildProcess
    due: float | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.rest_port}/"


class Director:
    """The order of events: it kills a replica, first the leader, then the others in turn, and starts it again.

    A replica without cameras is left out, because its death would show nothing.
    """

    def __init__(self, replicas: Sequence[DemoReplica], listener: ClusterListener, counts: AnswerCounts) -> None:
        self.news = ClusterNews()
        self.kills = 0
        self._replicas = replicas
        self._listener = listener
        self._counts = counts
        self._next_kill = time.monotonic() + FIRST_KILL_S

    @property
    def rows(self) -> Sequence[ReplicaRow]:
        return [
            ReplicaRow(each.name, each.url, each.process.is_running, self._listener.state_at(each.name), answered)
            for each, answered in zip(self._replicas, self._counts.totals, strict=True)
        ]

    def step(self) -> None:
        """Do what is due. Raises ChildEnded if a replica ended that was not killed."""
        now = time.monotonic()
        for each in self._replicas:
            if each.due is None:
                each.process.check()
            elif now >= each.due:
                each.due = None
                each.process.__enter__()
                self.news.add(f"{each.name} is started again")
        self.news.update(self.rows)
        if now >= self._next_kill:
            self._next_kill = now + KILL_INTERVAL_S
            self._kill(now)

    def _kill(self, now: float) -> None:
        leader = next((n for n, each in enumerate(self._replicas) if each.name == self.news.leader), 0)
        first = (leader + self.kills) % len(self._replicas)
        in_turn = [*self._replicas[first:], *self._replicas[:first]]
        owners = set(self.news.owners.values())
        victim = next((each for each in in_turn if each.name in owners), in_turn[0])
        self.kills += 1
        victim.process.kill()
        victim.due = now + DOWN_S
        cameras = [camera for camera, owner in self.news.owners.items() if owner == victim.name]
        self.news.add(describe_kill(victim.name, cameras, leads=victim.name == self.news.leader))


def describe_kill(name: str, cameras: Sequence[str], *, leads: bool) -> str:
    """Return a sentence about a replica that is killed, with the cameras that it served."""
    roles = [*(["it was the leader"] if leads else []), *([f"it served {', '.join(cameras)}"] if cameras else [])]
    return f"{name} is killed" + (f": {' and '.join(roles)}" if roles else "")
