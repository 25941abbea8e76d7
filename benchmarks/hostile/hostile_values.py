"""Values that a program of an attacker writes into the fields of a well-formed request."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

GUESTS = 40
"""People that the requests add, change and erase. None of them is a person of the good requests."""

# Names that are written like one of the enrolled people would give that person other pictures.
TEXTS: Sequence[str] = (
    "",
    " ",
    "\0",
    "guest\0",
    "..",
    "../../../../etc/passwd",
    "C:\\Windows\\win.ini",
    "/dev/zero",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "'; DROP TABLE people; --",
    '" OR ""="',
    "%s%s%s%n",
    "%00",
    "{0.__class__.__init__.__globals__}",
    "${jndi:ldap://127.0.0.1/a}",
    "=cmd|' /C calc'!A0",
    "guest\r\nSet-Cookie: a=b",
    "guest\x1b[2J",
    "\u202eexe.gpj",
    "\u0421\u0430t",
    "\uff27\uff55\uff45\uff53\uff54",
    "e\u0301" * 30,
    "Z\u0351\u036b\u0343\u032a\u0302" * 20,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\ufeffguest",
    "\ud800",
    "\uffff",
    "null",
    "true",
    "NaN",
    "-1",
    "0x10",
    "1e999",
    "Unknown",
    "Nobody",
    "bridge",
    "$SYS",
    "+",
    "#",
    "a/b/c",
    "http://127.0.0.1:1883/",
    "file:///etc/shadow",
    "A" * 101,
    "B" * 10_000,
)
NUMBERS: Sequence[float] = (
    *(0, -1, 1, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**100),
    *(0.5, -0.0, 1e308, 5e-324, float("nan"), float("inf")),
)
LONG_NUMBER = "a number of a million digits"
"""A text that ``write_json`` replaces by such a number: Python refuses to write one."""
OTHERS: Sequence[Any] = (None, True, False, [], {}, [[]], {"a": {"b": [{}]}}, [None] * 50, {"$ref": "#"}, LONG_NUMBER)


def guest_name(rng: random.Random) -> str:
    return f"Guest {rng.randrange(GUESTS)}"


def guest_id(rng: random.Random) -> str:
    return f"guest_{rng.randrange(GUESTS)}"


def text(rng: random.Random) -> str:
    """Return a text that is hostile, or an ordinary name or id of a guest."""
    match rng.randrange(6):
        case 0:
            return guest_name(rng)
        case 1:
            return guest_id(rng)
        case 2:
            return "".join(map(chr, rng.choices(range(1, 0xD7FF), k=rng.randint(1, 80))))
        case _:
            return rng.choice(TEXTS)


def value(rng: random.Random) -> Any:
    """Return a value of any type that JSON has."""
    match rng.randrange(4):
        case 0:
            return rng.choice(NUMBERS)
        case 1:
            return rng.choice(OTHERS)
        case _:
            return text(rng)


def write_json(document: Any, rng: random.Random) -> bytes:
    """Return the JSON of a document, now and then with a repeated key or much white space."""
    written = json.dumps(document, ensure_ascii=rng.random() < 0.5)
    # The number is long enough at a few thousand digits for most readers, so a million of them are rare.
    digits = rng.choice((400, 5_000, 5_000, 1_000_000))
    written = written.replace(json.dumps(LONG_NUMBER), "9" * digits)
    if rng.random() < 0.05 and written.startswith("{") and len(written) > 2:
        written = f"{written[:-1]},{written[1:]}"
    if rng.random() < 0.05:
        written = "\n" * rng.choice((1, 1_000)) + written + " " * 1_000
    return written.encode(errors="surrogatepass")
