"""The output of commands: tables that lose nothing in a pipe, and lines beside a progress bar."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from gateway.logs import escape

MAX_LISTED = 10
"""Pictures named for each reason in a summary."""


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table for people on a terminal; else uncut lines with tabs between the fields, for other programs."""
    if sys.stdout.isatty():
        _print_for_people(columns, rows)
        return
    for row in (columns, *rows):
        click.echo("\t".join(map(escape, row)))


def _print_for_people(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table()
    for column in columns:
        # a long id goes on in the next line, and is not cut
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    Console(markup=False, highlight=False).print(table)


class Lines:
    """Lines beside a progress bar, which is on standard error if that is a terminal."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar

    def print(self, text: str, *, err: bool = False) -> None:
        """Print a line to standard output or error. Where it would run into the bar, the bar makes room for it."""
        if not self._bar.disable and (err or sys.stdout.isatty()):
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(text, err=err)


@contextmanager
def progress(title: str, total: int) -> Iterator[tuple[Lines, Iterator[None]]]:
    """Give the lines, and an iterator that moves the bar on by one at each step."""
    bar = Progress(
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        # what is printed to standard output stays there
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bar:
        task = bar.add_task(title, total=total)
        yield Lines(bar), _steps(bar, task, total)


def _steps(bar: Progress, task: TaskID, total: int) -> Iterator[None]:
    for _ in range(total):
        yield
        bar.advance(task)


def refusals_by_reason(refusals: Iterable[tuple[Path, str]]) -> Iterator[str]:
    """Give the lines of a summary, the most frequent reason first."""
    paths: dict[str, list[Path]] = defaultdict(list)
    for path, reason in refusals:
        paths[reason].append(path)
    for reason, each in sorted(paths.items(), key=lambda item: -len(item[1])):
        yield f"  {len(each)}: {reason}"
        yield from (f"    {escape(str(path))}" for path in each[:MAX_LISTED])
        if len(each) > MAX_LISTED:
            yield f"    and {len(each) - MAX_LISTED} more"
