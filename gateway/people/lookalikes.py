"""Groups of people who look alike, and a warning that lists the commands to merge such a group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gateway.model import Person

MAX_NAMED = 10
"""People of one group that a sentence names."""

Pair = tuple[str, str]
"""The ids of two people, in alphabetical order."""

Group = tuple[str, ...]
"""The ids of two people or more. The person who was enrolled first comes first."""


def connect(pairs: Iterable[Pair], ages: Mapping[str, int]) -> list[Group]:
    """Return the groups of people that pairs connect, directly or through others.

    ``ages``: by id, a number that is smaller for a person who was enrolled earlier. The group of the earliest person
    comes first.
    """
    group_of: dict[str, set[str]] = {}
    for one, other in pairs:
        joined = group_of.get(one, {one}) | group_of.get(other, {other})
        group_of |= dict.fromkeys(joined, joined)
    groups = {tuple(sorted(members, key=ages.__getitem__)) for members in group_of.values()}
    return sorted(groups, key=lambda group: ages[group[0]])


def merge_sentence(beginning: str, people: Sequence[Person]) -> str:
    """Return ``beginning`` and the commands that merge these people into the first of them."""
    first, *others = people[:MAX_NAMED]
    commands = ", ".join(f"`facegate people merge {each.slug} {first.slug}`" for each in others)
    return f"{beginning}: if they are one person, run {commands}"


def name_all(people: Sequence[Person]) -> str:
    """Return the names and ids of the first MAX_NAMED people, and the number of the others."""
    names = [f"{each.name} ({each.slug})" for each in people[:MAX_NAMED]]
    if len(people) > MAX_NAMED:
        names.append(f"{len(people) - MAX_NAMED} more")
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
