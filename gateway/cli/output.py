"""The output of commands: tables, lines beside a progress bar, and parts of sentences."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from gateway.contract.base import Document
from gateway.logs import escape

MAX_LISTED = 10
"""Pictures that a summary names for each reason."""


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on a terminal, else lines with a tab between the fields, for other programs."""
    if sys.stdout.isatty():
        _print_on_terminal(columns, rows)
        return
    for row in (columns, *rows):
        click.echo("\t".join(map(escape, row)))


def _print_on_terminal(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table()
    for column in columns:
        # A long id continues on the next line: a truncated id would be useless.
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    Console(markup=False, highlight=False).print(table)


class Lines:
    """A printer of lines beside a progress bar. The bar is shown only if standard error is a terminal."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar

    def print(self, text: str, *, err: bool = False) -> None:
        """Print a line to standard output or error, above the bar if both are on a terminal."""
        if not self._bar.disable and (err or sys.stdout.isatty()):
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(text, err=err)


@contextmanager
def progress(title: str, total: int) -> Iterator[tuple[Lines, Iterator[None]]]:
    """Show a progress bar. Give a printer of lines, and an iterator that advances the bar at each step."""
    with _bar() as bar:
        task = bar.add_task(title, total=total)
        yield Lines(bar), _steps(bar, task, total)


@contextmanager
def counted_progress(title: str) -> Iterator[Callable[[int], Callable[[int], None]]]:
    """Show a progress bar. Give a function that takes the total, and returns another one that advances the bar."""
    with _bar() as bar:

        def begin(total: int) -> Callable[[int], None]:
            return partial(bar.advance, bar.add_task(title, total=total))

        yield begin


def _bar() -> Progress:
    return Progress(
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        # Otherwise rich would move standard output to the bar's console.
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _steps(bar: Progress, task: TaskID, total: int) -> Iterator[None]:
    for _ in range(total):
        yield
        bar.advance(task)


def refusals_by_reason(refusals: Iterable[tuple[Path, str]]) -> Iterator[str]:
    """Give the lines of a summary of refused pictures, the most frequent reason first."""
    paths: dict[str, list[Path]] = defaultdict(list)
    for path, reason in refusals:
        paths[reason].append(path)
    for reason, each in sorted(paths.items(), key=lambda item: -len(item[1])):
        yield f"  {len(each)}: {reason}"
        yield from (f"    {escape(str(path))}" for path in each[:MAX_LISTED])
        if len(each) > MAX_LISTED:
            yield f"    and {len(each) - MAX_LISTED} more"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, as ``1 picture`` or ``2 pictures``."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def indent_warnings(document: Document) -> str:
    """Return the warnings of a document, each on an indented line of its own."""
    return "".join(f"\n  {warning}" for warning in document["warnings"])


def format_minute(seconds: float) -> str:
    """Return a Unix time as local date and time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
