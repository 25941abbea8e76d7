"""The table of the cluster demo: the replicas, their cameras, and the news."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from device_sim.cluster_state import ReplicaState
from device_sim.model import Answer, Event

# The board has 23 lines with ten cameras, so that it fits on a terminal of 24.
NEWS_LINES = 5
CONDITION_STYLES = {"serves": "green", "starts": "yellow", "killed": "bold red"}
ANY_REPLICA = "any replica"
LATE_ANSWER_S = 2.0
COLOURS = ("cyan", "magenta", "blue", "yellow", "green", "red")
"""The colour of each replica, and of the cameras that it serves."""


@dataclass(frozen=True, slots=True)
class ReplicaRow:
    """A replica on the board. ``is_running``: its process runs. ``answered``: pictures so far."""

    name: str
    url: str
    is_running: bool
    state: ReplicaState | None
    answered: int

    @property
    def condition(self) -> str:
        if not self.is_running:
            return "killed"
        return "serves" if self.state is not None and self.state.is_online else "starts"

    @property
    def leads(self) -> bool:
        return self.is_running and self.state is not None and self.state.leads

    @property
    def cameras(self) -> frozenset[str]:
        return self.state.cameras if self.is_running and self.state is not None else frozenset()


@dataclass
class ClusterNews:
    """The changes between two looks at the replicas, as sentences. ``moves``: cameras that got another owner."""

    leader: str | None = None
    owners: dict[str, str] = field(default_factory=dict)
    lines: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=NEWS_LINES))
    unprinted: deque[str] = field(default_factory=lambda: deque(maxlen=100))
    moves: int = 0

    def add(self, text: str) -> None:
        self.lines.append((time.time(), text))
        self.unprinted.append(text)

    def take_unprinted(self) -> Sequence[str]:
        """Return the news since the last call."""
        texts = list(self.unprinted)
        self.unprinted.clear()
        return texts

    def update(self, rows: Sequence[ReplicaRow]) -> None:
        """Compare the replicas with the last look, and note what changed."""
        leader = next((row.name for row in rows if row.leads), None)
        if leader is not None and leader != self.leader:
            self.add(f"{leader} leads")
            self.leader = leader
        moved: dict[str, list[str]] = {}
        for row in rows:
            for camera in sorted(row.cameras):
                if self.owners.get(camera) != row.name:
                    self.moves += camera in self.owners
                    self.owners[camera] = row.name
                    moved.setdefault(row.name, []).append(camera)
        for name, cameras in moved.items():
            self.add(f"{name} serves {', '.join(cameras)}")


class ClusterBoard:
    """The tables. ``cameras``: the names of all cameras."""

    def __init__(self, cameras: Sequence[str]) -> None:
        self._answers: dict[str, tuple[float, Answer]] = {}
        self._cameras = cameras

    def add(self, event: Event) -> None:
        if isinstance(event, Answer):
            self._answers[event.camera] = time.time(), event

    def draw(self, rows: Sequence[ReplicaRow], news: ClusterNews, notes: str) -> Group:
        colours = {row.name: COLOURS[n % len(COLOURS)] for n, row in enumerate(rows)}
        lines = [f"{time.strftime('%H:%M:%S', time.localtime(at))}  {text}" for at, text in news.lines]
        lines += [""] * (NEWS_LINES - len(lines))
        return Group(
            self._draw_replicas(rows, colours),
            self._draw_cameras(rows, colours, news),
            Text("\n".join(lines)),
            Text(notes),
        )

    def _draw_replicas(self, rows: Sequence[ReplicaRow], colours: Mapping[str, str]) -> Table:
        table = Table("replica", "state", "role", box=SIMPLE_HEAD, show_edge=False, expand=True)
        table.add_column("cameras", justify="right")
        table.add_column("answered", justify="right")
        table.add_column("console")
        for row in rows:
            condition = Text(row.condition, style=CONDITION_STYLES[row.condition])
            leads = Text("leader" if row.leads else "", style="bold")
            name = Text(row.name, style=colours[row.name])
            table.add_row(name, condition, leads, str(len(row.cameras)), str(row.answered), row.url)
        return table

    def _draw_cameras(self, rows: Sequence[ReplicaRow], colours: Mapping[str, str], news: ClusterNews) -> Table:
        table = Table("camera", "served by", "sees", box=SIMPLE_HEAD, show_edge=False, expand=True)
        table.add_column("ms", justify="right")
        table.add_column("last answer", justify="right")
        now, killed = time.time(), {row.name for row in rows if not row.is_running}
        for camera in self._cameras:
            owner = news.owners.get(camera, ANY_REPLICA)
            served = Text("nobody", style="red") if owner in killed else Text(owner, style=colours.get(owner, "dim"))
            at, answer = self._answers.get(camera, (now, None))
            if answer is None:
                table.add_row(camera, served)
                continue
            age = f"{now - at:.1f} s ago"
            style = "red" if now - at > LATE_ANSWER_S else "dim"
            label = Text(answer.label, style="green" if answer.people else "dim")
            table.add_row(
                camera, served, label, "" if answer.ms is None else f"{answer.ms:.0f}", Text(age, style=style)
            )
        return table
