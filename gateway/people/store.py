"""The seam to wherever people are kept: SQLite now, PostgreSQL for several gateways later."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from gateway.model import Descriptor
from gateway.people.gallery import Template


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """What is kept of a face. ``chips``: an image of it aligned, from which the descriptor can be made in another way;
    None of those who were enrolled before chips were kept.
    """

    descriptor: Descriptor
    chips: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """One picture of one person as the store keeps it.

    ``name``: the person's; ``source``: where the picture came from; ``digest``: SHA-256 of the picture, in hex;
    ``recipe``: how the descriptor was made (vision.options.RECIPES).
    """

    name: str
    source: str
    digest: str
    recipe: str
    face: Described


Sources = dict[str, set[tuple[str, str]]]
"""Where known pictures came from, with the (name, digest) of what came from there."""


class PeopleStore(Protocol):
    def templates(self, recipe: str) -> list[Template]:
        """Every known picture whose descriptor was made by that recipe."""

    def described(self, digest: str, recipe: str) -> Described | None:
        """The face of a picture that was described by that recipe before, whoever it was of."""

    def sources(self) -> Sources:
        """Of every known picture."""

    def outdated(self, recipe: str) -> list[Enrolled]:
        """Every known picture whose descriptor was made by another recipe, and whose chips were kept."""

    def add(self, picture: Enrolled) -> None:
        """Makes it known, and its person where that name is new. Of another recipe, it replaces what was there."""

    def retain(self, pictures: Collection[tuple[str, str]]) -> None:
        """Forgets every picture but these (name, digest), and the people who are left with none."""
