"""A board of live cameras in memory, for tests of the parts that write and read it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from gateway.store.postgres.live_board import choose_places
from gateway.store.protocols.live_board import Board, CameraNote


class MemoryBoard:
    """Stand-in for the tables of the board (store.protocols.LiveBoard)."""

    def __init__(self) -> None:
        self.notes: dict[str, CameraNote] = {}
        self.writes = 0

    def write(self, notes: Sequence[CameraNote], _epochs: Mapping[str, int]) -> None:
        self.writes += 1
        self.notes.update({each.state.camera: each for each in notes})

    def forget(self, camera: str) -> None:
        self.notes.pop(camera, None)

    def find_silent(self, names: Collection[str], most: int) -> Sequence[str]:
        raise NotImplementedError

    def read(self) -> Board:
        notes = [self.notes[name] for name in sorted(self.notes)]
        return Board(tuple(notes), tuple(choose_places([place for note in notes for place in note.people])))
