"""The output of commands, on a terminal and in a pipe."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from gateway.cli.output import Lines, count, print_table, refusals_by_reason

LONG = "wolfeschlegelsteinhausenbergerdorff_" * 3


def test_table_in_a_pipe_has_one_untruncated_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("id", "name"), [(LONG, "Ada\nLovelace")])
    assert capsys.readouterr().out == f"id\tname\n{LONG}\tAda\\nLovelace\n"


def test_table_on_a_terminal_truncates_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(("id", "name"), [(LONG, "[red]Ada[/red]")])
    out = capsys.readouterr().out
    assert "[red]Ada[/red]" in out
    assert LONG in "".join(line.split("│")[1].strip() for line in out.splitlines() if "│" in line)


@pytest.mark.parametrize("err", [False, True])
def test_line_beside_a_progress_bar_stays_whole(monkeypatch: pytest.MonkeyPatch, err: bool) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    # Rich draws no bar on a terminal that cannot move its cursor, such as the one of an editor.
    monkeypatch.setenv("TERM", "xterm")
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=40, color_system=None)
    with Progress(console=console, auto_refresh=False) as bar:
        bar.add_task("enrolling", total=2)
        bar.refresh()
        Lines(bar).print(f"[x].jpg: {LONG}", err=err)
    # The bar is erased before the line, and drawn again below it.
    before, after = screen.getvalue().split(f"[x].jpg: {LONG}\n")
    assert before.endswith("\x1b[2K")
    assert after.startswith("enrolling")


def test_line_for_a_pipe_is_not_sent_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    with Progress(console=console, redirect_stdout=False) as bar:
        Lines(bar).print("ada.jpg: Ada")
    assert capsys.readouterr().out == "ada.jpg: Ada\n"


def test_refusals_are_summarised_by_reason() -> None:
    refusals = [(Path(f"album/{n:02}.jpg"), "there is no face in the picture") for n in range(30)]
    lines = list(refusals_by_reason([(Path("dark\n.jpg"), "too dark"), *refusals]))
    assert lines[:2] == ["  30: there is no face in the picture", "    album/00.jpg"]
    assert lines[10:] == ["    album/09.jpg", "    and 20 more", "  1: too dark", "    dark\\n.jpg"]


def test_count_has_the_noun_in_its_number() -> None:
    assert [count(n, "picture") for n in range(3)] == ["0 pictures", "1 picture", "2 pictures"]
    assert count(2, "person", "people") == "2 people"
