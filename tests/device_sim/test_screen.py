from __future__ import annotations

import io

import pytest
from rich.console import Console

from device_sim.model import Answer, Presence, Sent, SightingEvent
from device_sim.readiness import Status
from device_sim.report import Statistics
from device_sim.screen import TABLE_ROWS, Board, LineScreen, Screen, TerminalScreen

READY = Status(ready=True)
HALF = Status(workers=(1, 2))


def answer(picture: str) -> Answer:
    return Answer("sim-1", picture, "Joe Biden", ("Joe Biden",), 0.83, 40.0, None, 0)


def show_pictures(screen: Screen, pictures: int) -> None:
    tally = Statistics()
    with screen.watching("Ctrl-C stops.") as show:
        for number in range(pictures):
            for event in (Sent("sim-1", "p"), answer(f"picture-{number}.jpg")):
                tally.add(event)
                show(event, tally)


def test_line_screen_prints_each_answer_and_change_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = LineScreen()
    with lines.starting() as show:
        for status in (HALF, HALF, READY):
            show(status)
    show_pictures(lines, 2)
    out = capsys.readouterr().out.splitlines()
    assert out[:3] == [
        "Gateway: broker connecting, workers 1 of 2, known faces 0 of 0",
        "Gateway: ready",
        "Ctrl-C stops.",
    ]
    assert [text.split()[1] for text in out[3:]] == ["picture-0.jpg", "picture-1.jpg"]


def test_table_shows_the_newest_answers_and_the_counts() -> None:
    drawn = io.StringIO()
    show_pictures(TerminalScreen(Console(file=drawn, force_terminal=True, width=100, height=40)), TABLE_ROWS + 2)
    final = drawn.getvalue().rpartition("time")[2]
    assert "picture-1.jpg" not in final
    assert f"picture-{TABLE_ROWS + 1}.jpg" in final
    assert f"answered {TABLE_ROWS + 2}" in final


CAME = SightingEvent("sim-1", "recognised", "s-1", "Ada Lovelace", None, 100)
LEFT = SightingEvent("sim-1", "ended", "s-1", "Ada Lovelace", 4.2, 9000)


def draw(board: Board) -> str:
    console = Console(file=io.StringIO(), width=100)
    for table in board.draw():
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_board_shows_who_is_here_and_how_long_people_stayed() -> None:
    board = Board(height=40)
    for event in (Presence("sim-1", "Ada Lovelace"), CAME):
        board.add(event)
    assert "now: sim-1: Ada Lovelace" in draw(board)
    assert "is here" in draw(board)
    board.add(Presence("sim-1", "nobody"))
    assert "now: sim-1: nobody" in draw(board)
    assert "left" in draw(board)
    board.add(Presence("sim-1", "Ada Lovelace, 1 stranger"))
    assert "is here" in draw(board)
    for event in (LEFT, Presence("sim-1", "nobody")):
        board.add(event)
    assert "4.2 s" in draw(board)


@pytest.mark.parametrize("height", [10, 24, 40, 100])
def test_board_keeps_its_height_and_fits_the_terminal(height: int) -> None:
    board = Board(height)
    before = draw(board).count("\n")
    board.add(Presence("sim-1", "nobody"))
    for number in range(50):
        board.add(answer(f"picture-{number}.jpg"))
        board.add(SightingEvent("sim-1", "recognised", f"s-{number}", "Ada", None, 100))
    # The line about the people who are there now is added.
    assert draw(board).count("\n") == before + 1
    # Three lines of counts and notes follow, and the cursor.
    assert before + 5 <= max(height, 24)


def test_line_screen_prints_who_came_and_left(capsys: pytest.CaptureFixture[str]) -> None:
    with LineScreen().watching("") as show:
        for event in (CAME, LEFT, Presence("sim-1", "nobody")):
            show(event, Statistics())
    assert capsys.readouterr().out.splitlines()[1:] == [
        "sim-1    * Ada Lovelace came",
        "sim-1    * Ada Lovelace left after 4.2 s",
    ]


def test_terminal_screen_shows_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    # Rich draws nothing on a terminal that cannot move its cursor, such as the one of an editor.
    monkeypatch.setenv("TERM", "xterm")
    drawn = io.StringIO()
    with TerminalScreen(Console(file=drawn, force_terminal=True, width=100)).starting() as show:
        show(HALF)
        show(READY)
    assert "known faces" in drawn.getvalue()


def test_print_line_prints_text_unchanged() -> None:
    drawn = io.StringIO()
    TerminalScreen(Console(file=drawn, width=200)).print_line("[not markup] /tmp/x.log")
    assert drawn.getvalue() == "[not markup] /tmp/x.log\n"
