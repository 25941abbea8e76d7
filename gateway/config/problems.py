"""The bad settings that a refusal reports, each with the environment variable that contains its value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from pydantic_core import ErrorDetails

from gateway.config.environment import SettingPath, find_variable

VALUE_TYPES = frozenset({"greater_than_equal", "less_than_equal", "finite_number", "float_parsing", "bool_parsing"})
"""Types of errors of pydantic about one number of a region. All other types mean that its brackets are wrong."""

REGION_FORM = (
    "expected a list of regions, each with 3 to 64 corners [x, y] from 0 to 1, as [[[0, 0.2], [0.6, 0.2], [0.6, 1]]]"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A bad setting. ``details``: the error of pydantic; ``variable``: the environment variable with the value."""

    path: SettingPath
    details: ErrorDetails
    variable: str | None

    @property
    def setting(self) -> str:
        return ".".join(map(str, self.path))

    @property
    def region_form(self) -> str | None:
        """The right form, if the brackets of a camera's regions are wrong."""
        wrong = _is_in_regions(self.path) and self.details["type"] not in VALUE_TYPES
        return REGION_FORM if wrong else None


def find_problems(errors: Iterable[ErrorDetails]) -> Iterator[Problem]:
    """Give a problem for each error. Of all errors about the regions in one list, only the first counts."""
    # A missing bracket gives an error for every number, and one for the number of corners, which is then wrong.
    for _, same in groupby(errors, lambda each: each["loc"][:3] if _is_in_regions(each["loc"]) else each["loc"]):
        details = next(same)
        yield Problem(details["loc"], details, find_variable(details["loc"]))


def _is_in_regions(path: SettingPath) -> bool:
    return len(path) >= 3 and path[0] == "cameras" and path[2] in {"only", "never"}
