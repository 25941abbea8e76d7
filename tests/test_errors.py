from __future__ import annotations

import re

import pytest

from gateway import errors
from gateway.errors import Busy, GatewayError, StartError, wire_errors

CONTRACT = """bad_request, bad_image, too_large, unsupported, incomplete, no_face, multiple_faces, unknown_person,
    conflict, busy, expired, timeout, unauthorized, forbidden, internal"""

CLASSES: list[type[GatewayError]] = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GatewayError)
]


def drawn() -> dict[str, tuple[int, str]]:
    """Each class in the docstring's tree: how deep it stands, and its code there."""
    assert errors.__doc__
    lines = re.finditer(r"^([ ├│└]*)([A-Z]\w+) +(\S+) {2,}\S", errors.__doc__, re.MULTILINE)
    return {line[2]: (len(line[1]) // 3, line[3]) for line in lines}


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    tree = {
        kind.__name__: (kind.__mro__.index(GatewayError), "-" if issubclass(kind, StartError) else kind.code)
        for kind in CLASSES
    }
    tree["GatewayError"] = (0, "internal")
    assert drawn() == tree


@pytest.mark.parametrize("code", wire_errors())
def test_a_code_is_one_of_the_contract(code: str) -> None:
    assert re.search(rf"\b{code}\b", CONTRACT)


def test_each_code_stands_for_one_class() -> None:
    on_wires = [kind for kind in CLASSES if not issubclass(kind, StartError)]
    assert sorted(kind.__name__ for kind in on_wires) == sorted(kind.__name__ for kind in wire_errors().values())


def test_what_keeps_the_gateway_from_starting_is_never_on_a_wire() -> None:
    assert not any(issubclass(kind, StartError) for kind in wire_errors().values())


def test_busy_says_when_to_try_again() -> None:
    busy = Busy("the queue is full", 3)
    assert (str(busy), busy.retry_after) == ("the queue is full", 3)
