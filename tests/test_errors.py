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


def read_drawn_tree() -> dict[str, tuple[int, str]]:
    """Return the depth and the code of each class in the docstring's tree."""
    assert errors.__doc__
    lines = re.finditer(r"^([ ├│└]*)([A-Z]\w+) +(\S+) {2,}\S", errors.__doc__, re.MULTILINE)
    return {line[2]: (len(line[1]) // 3, line[3]) for line in lines}


def test_docstring_draws_the_real_tree() -> None:
    tree = {
        kind.__name__: (kind.__mro__.index(GatewayError), "-" if issubclass(kind, StartError) else kind.code)
        for kind in CLASSES
    }
    tree["GatewayError"] = (0, "internal")
    assert read_drawn_tree() == tree


@pytest.mark.parametrize("code", wire_errors())
def test_code_is_part_of_the_contract(code: str) -> None:
    assert re.search(rf"\b{code}\b", CONTRACT)


def test_code_belongs_to_one_class() -> None:
    # A class without a code of its own is sent with the code of its parent.
    sent = [kind for kind in CLASSES if not issubclass(kind, StartError) and "code" in vars(kind)]
    assert sorted(kind.__name__ for kind in sent) == sorted(kind.__name__ for kind in wire_errors().values())


def test_start_errors_are_never_sent_to_clients() -> None:
    assert not any(issubclass(kind, StartError) for kind in wire_errors().values())


def test_busy_carries_the_seconds_to_wait() -> None:
    busy = Busy("the queue is full", 3)
    assert (str(busy), busy.retry_after) == ("the queue is full", 3)
