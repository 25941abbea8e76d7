"""The output of the demo: a live table on a terminal, otherwise lines."""

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
from device_sim.report import Statistics, line, milliseconds

TABLE_ROWS = 12
REDRAWS_PER_S = 10


class Screen(Protocol):
    """The output of the demo."""

    def print_line(self, text: str) -> None:
        """Print a line of text."""

    def starting(self) -> AbstractContextManager[Callable[[Status], None]]:
        """Show the start of the gateway. The context's function is called with each status."""

    def watching(self, notes: str) -> AbstractContextManager[Callable[[Event, Statistics], None]]:
        """Show the events. The context's function is called with each event after it was counted."""


def make_screen() -> Screen:
    """Return the output for this terminal, pipe or file."""
    console = Console(highlight=False)
    return TerminalScreen(console) if console.is_terminal else LineScreen()


class LineScreen:
    """Output for pipes and logs: single lines, flushed immediately."""

    def print_line(self, text: str) -> None:
        print(text, flush=True)

    @contextmanager
    def starting(self) -> Iterator[Callable[[Status], None]]:
        last = ""

        def show(status: Status) -> None:
            nonlocal last
            if str(status) != last:
                last = str(status)
                self.print_line(f"Gateway: {last}")

        yield show

    @contextmanager
    def watching(self, notes: str) -> Iterator[Callable[[Event, Statistics], None]]:
        self.print_line(notes)

        def show(event: Event, _statistics: Statistics) -> None:
            if isinstance(event, Answer):
                self.print_line(line(event))

        yield show


class TerminalScreen:
    """Output for a terminal: progress bars, and a live table."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def print_line(self, text: str) -> None:
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
    def watching(self, notes: str) -> Iterator[Callable[[Event, Statistics], None]]:
        rows: deque[tuple[str, Answer]] = deque(maxlen=TABLE_ROWS)
        # A thread of rich draws the last object that it got. So it gets a new object each time.
        with Live(console=self._console, refresh_per_second=REDRAWS_PER_S) as live:

            def show(event: Event, statistics: Statistics) -> None:
                if isinstance(event, Answer):
                    rows.append((time.strftime("%H:%M:%S"), event))
                live.update(Group(_table(rows), Text(_counters(statistics)), Text(notes)))

            yield show


def _table(rows: deque[tuple[str, Answer]]) -> Table:
    table = Table("time", "camera", "picture", "who", expand=True)
    table.add_column("score", justify="right")
    table.add_column("ms", justify="right")
    for at, answer in rows:
        score = "" if answer.score is None else f"{answer.score:.2f}"
        table.add_row(at, answer.camera, Text(answer.picture or "?"), _label(answer), score, milliseconds(answer))
    for _ in range(TABLE_ROWS - len(rows)):
        table.add_row()
    return table


def _label(answer: Answer) -> Text:
    if answer.code:
        return Text(answer.label, style="red")
    if answer.people:
        return Text(answer.label, style="green")
    return Text(answer.label, style="dim" if answer.label == "nobody" else "yellow")


def _counters(statistics: Statistics) -> str:
    rate = statistics.answered / max(statistics.seconds, 1)
    text = f"sent {statistics.sent}, answered {statistics.answered} ({rate:.1f}/s), dropped {statistics.dropped}"
    problems = {"skipped": statistics.skipped, "errors": statistics.errors.total()}
    return text + "".join(f", {name} {number}" for name, number in problems.items() if number)
