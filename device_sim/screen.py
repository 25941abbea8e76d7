"""What the demo shows: a live table on a terminal, lines anywhere else."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from device_sim.model import Answer, Event
from device_sim.readiness import Status
from device_sim.report import Tally, line, milliseconds

ROWS = 12
REDRAWS = 10


class Screen(Protocol):
    def say(self, text: str) -> None: ...

    def starting(self) -> AbstractContextManager[Callable[[Status], None]]:
        """Open while the gateway starts; to be called with each status."""

    def watching(self, notes: str) -> AbstractContextManager[Callable[[Event, Tally], None]]:
        """Open while pictures go round; to be called with each event, already counted."""


def make_screen() -> Screen:
    console = Console(highlight=False)
    return Terminal(console) if console.is_terminal else Lines()


class Lines:
    """For pipes and logs: one line at a time, flushed."""

    def say(self, text: str) -> None:
        print(text, flush=True)

    @contextmanager
    def starting(self) -> Iterator[Callable[[Status], None]]:
        last = ""

        def show(status: Status) -> None:
            nonlocal last
            if str(status) != last:
                last = str(status)
                self.say(f"Gateway: {last}")

        yield show

    @contextmanager
    def watching(self, notes: str) -> Iterator[Callable[[Event, Tally], None]]:
        self.say(notes)

        def show(event: Event, _tally: Tally) -> None:
            if isinstance(event, Answer):
                self.say(line(event))

        yield show


class Terminal:
    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        self._console.print(Text(text))

    @contextmanager
    def starting(self) -> Iterator[Callable[[Status], None]]:
        columns = SpinnerColumn(), TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn()
        with Progress(*columns, console=self._console, transient=True) as progress:
            broker = progress.add_task("broker", total=1)
            workers = progress.add_task("workers", total=None)
            faces = progress.add_task("known faces", total=None)

            def show(status: Status) -> None:
                progress.update(broker, completed=int(status.broker == "connected"))
                progress.update(workers, completed=status.workers[0], total=status.workers[1] or None)
                progress.update(faces, completed=status.known_faces[0], total=status.known_faces[1] or None)

            yield show

    @contextmanager
    def watching(self, notes: str) -> Iterator[Callable[[Event, Tally], None]]:
        rows: deque[tuple[str, Answer]] = deque(maxlen=ROWS)
        # A thread of rich's draws what it was last given; so it is given something new each time.
        with Live(console=self._console, refresh_per_second=REDRAWS) as live:

            def show(event: Event, tally: Tally) -> None:
                if isinstance(event, Answer):
                    rows.append((time.strftime("%H:%M:%S"), event))
                live.update(Group(_table(rows), Text(_counters(tally)), Text(notes)))

            yield show


def _table(rows: deque[tuple[str, Answer]]) -> Table:
    table = Table("time", "camera", "picture", "who", expand=True)
    table.add_column("score", justify="right")
    table.add_column("ms", justify="right")
    for at, answer in rows:
        score = "" if answer.score is None else f"{answer.score:.2f}"
        table.add_row(at, answer.camera, Text(answer.picture or "?"), _who(answer), score, milliseconds(answer))
    for _ in range(ROWS - len(rows)):
        table.add_row()
    return table


def _who(answer: Answer) -> Text:
    if answer.code:
        return Text(answer.label, style="red")
    if answer.people:
        return Text(answer.label, style="green")
    return Text(answer.label, style="dim" if answer.label == "nobody" else "yellow")


def _counters(tally: Tally) -> str:
    rate = tally.answered / max(tally.seconds, 1)
    text = f"sent {tally.sent}, answered {tally.answered} ({rate:.1f}/s), dropped {tally.dropped}"
    trouble = {"skipped": tally.skipped, "errors": tally.errors.total()}
    return text + "".join(f", {name} {number}" for name, number in trouble.items() if number)
