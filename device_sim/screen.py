"""The output of the demo: a live table on a terminal, otherwise lines."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from device_sim.model import Answer, Event, Presence, SightingEvent
from device_sim.readiness import Status
from device_sim.report import Statistics, line, milliseconds
from device_sim.visits import Visit, Visits, sentence

# Rows of the two tables, on a terminal that is high enough.
TABLE_ROWS, VISIT_ROWS = 12, 8
# Lines of the terminal beside these rows: frames and headings of the tables, counts and notes.
OTHER_LINES = 14
MIN_ROWS = 3
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
            elif isinstance(event, SightingEvent) and (news := sentence(event)):
                self.print_line(f"{event.camera:<8} * {news}")

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
        board = Board(self._console.size.height)
        # A thread of rich draws the last object that it got. So it gets a new object each time.
        with Live(console=self._console, refresh_per_second=REDRAWS_PER_S) as live:

            def show(event: Event, statistics: Statistics) -> None:
                board.add(event)
                live.update(Group(*board.draw(), Text(_counters(statistics)), Text(notes)))

            yield show


class Board:
    """The two tables of the demo: the newest frames, and the newest visits. ``height``: lines of the terminal."""

    def __init__(self, height: int) -> None:
        rows = max(height - OTHER_LINES, 2 * MIN_ROWS)
        self._visit_rows = min(max(rows // 3, MIN_ROWS), VISIT_ROWS)
        self._frame_rows = min(rows - self._visit_rows, TABLE_ROWS)
        self._answers: deque[tuple[str, Answer]] = deque(maxlen=self._frame_rows)
        self._visits = Visits()
        self._present: dict[str, str] = {}

    def add(self, event: Event) -> None:
        match event:
            case Answer():
                self._answers.append((time.strftime("%H:%M:%S"), event))
            case SightingEvent():
                self._visits.add(event)
            case Presence():
                self._present.pop(event.camera, None)
                if event.text:
                    self._present[event.camera] = event.text

    def draw(self) -> Sequence[Table]:
        return self._draw_frames(), self._draw_visits()

    def _draw_frames(self) -> Table:
        table = Table("time", "camera", "picture", "who", expand=True)
        table.add_column("score", justify="right")
        table.add_column("ms", justify="right")
        for at, answer in self._answers:
            score = "" if answer.score is None else f"{answer.score:.2f}"
            table.add_row(at, answer.camera, Text(answer.picture or "?"), _label(answer), score, milliseconds(answer))
        return _fill(table, self._frame_rows)

    def _draw_visits(self) -> Table:
        present = "; ".join(f"{camera}: {text}" for camera, text in sorted(self._present.items()))
        table = Table("came", "camera", "visitor", expand=True, title=Text(f"now: {present}") if present else None)
        table.add_column("stayed", justify="right")
        for visit in self._visits.newest(self._visit_rows):
            came = time.strftime("%H:%M:%S", time.localtime(visit.came))
            table.add_row(came, visit.camera, _who(visit.who), self._stayed(visit))
        return _fill(table, self._visit_rows)

    def _stayed(self, visit: Visit) -> Text:
        if visit.stayed is not None:
            return Text(f"{visit.stayed:.1f} s")
        # A visit ends some time after its person has left: the person may come back.
        is_here = visit.who in self._present.get(visit.camera, visit.who)
        return Text("is here", style="green") if is_here else Text("left", style="dim")


def _fill(table: Table, rows: int) -> Table:
    """Add empty rows, so that the table keeps its height."""
    while table.row_count < rows:
        table.add_row()
    return table


def _who(who: str) -> Text:
    return Text(who, style="yellow" if who == "stranger" else "green")


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
