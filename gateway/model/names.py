"""The names and ids of people: the accepted texts, and the names that mean the same person."""

from __future__ import annotations

import re
import unicodedata

from gateway.errors import BadRequest, UnknownPerson

MAX_NAME = 100
"""Characters of a name."""

MAX_RECEIVED_NAME = 4 * MAX_NAME
"""Characters of a name as it arrives: Unicode takes a letter apart into four at most, and spaces may be doubled."""

MAX_ID = 53
"""Characters of a person's id. The verdict "match 0.83 <person>" then fits the 64 bytes that a small device reads."""

PERSON_ID = re.compile(rf"[a-z0-9_]{{1,{MAX_ID}}}")

NOBODY_KEYS = frozenset({"unknown", "unknown person", "unknown face", "nobody", "no one", "none"})
"""Keys (name_key) of the words that the gateway, or a program that shows its replies, uses for an unknown face."""

RESERVED_IDS = frozenset({"export", "import", "suggestions", "unknown", "nobody", "none"})
"""Ids that no new person gets: paths of the REST interface (a test compares them), and words for an unknown face."""

_UNDECODED = re.compile("[\ufffd\ud800-\udfff]")
"""The replacement character and lone surrogates, which decoders insert where the bytes were not UTF-8."""

_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc")
"""Characters that Python calls printable although they show nothing."""

_ACCENTS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]")
"""Combining marks of Latin, Greek and Cyrillic, and variation selectors."""
# The marks of other scripts are vowels or change the consonant (か and が): they belong to the name.

_PLAIN_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ŧ": "t", "þ": "th", "\u0131": "i"}
)
"""Letters that Unicode does not decompose, and their usual spelling in ASCII."""

_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bb\u02bc\u0060\u00b4", "'"))


def checked_name(text: object) -> str:
    """Return a person's name as it is stored: in Unicode's composed form, with single spaces. Raise BadRequest."""
    if not isinstance(text, str):
        raise BadRequest(f"a name must be a text, not {type(text).__name__}")
    # The length is checked before the normalisation, which takes quadratic time: 20 s for 160 kB of combining marks.
    if len(text) > MAX_RECEIVED_NAME:
        raise BadRequest(f"the name has {len(text)} characters: at most {MAX_NAME} are allowed")
    if undecoded := _UNDECODED.search(text):
        raise BadRequest(f"the name is not UTF-8: character {undecoded.start() + 1} could not be decoded")
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise BadRequest("the name is empty: it needs a letter, digit or symbol")
    if len(name) > MAX_NAME:
        raise BadRequest(f"the name has {len(name)} characters: at most {MAX_NAME} are allowed")
    if hidden := [each for each in name if not each.isprintable() or each in _INVISIBLE]:
        raise BadRequest(f"the name {name!a} has a character that shows nothing ({hidden[0]!a}): leave it out")
    if not any(_is_sign(character) for character in name):
        raise BadRequest(f"the name {name!a} is only punctuation: it needs a letter, digit or symbol")
    return name


def person_id_error(field: str, found: str) -> BadRequest:
    """Return the error for a value that is no id of a person. ``found``: the value, short and in quotes."""
    return BadRequest(
        f"{field} must be a person's id (1 to {MAX_ID} characters of a-z, 0-9 and _), not {found}: if this is"
        " a name, find the id with `facegate people list`"
    )


def unknown_person_error(slug: str) -> UnknownPerson:
    """Return the error for an id that no person has."""
    return UnknownPerson(f"no person with the id {slug!r} is enrolled: `facegate people list` shows the ids")


def unknown_group_error(key: int) -> UnknownPerson:
    """Return the error for the id of a group of unknown faces that does not exist, or no longer."""
    return UnknownPerson(f"there is no unknown group {key}: `facegate unknowns list` shows the groups")


def unknown_sighting_error(sighting: str) -> UnknownPerson:
    """Return the error for the id of a sighting that does not exist, or no longer. ``sighting``: at most 64 letters."""
    return UnknownPerson(f"there is no sighting {sighting!r}: `facegate sightings list` shows the sightings")


def check_new_name(name: str) -> None:
    """Raise BadRequest for a name that a new person cannot get."""
    if means_nobody(name):
        raise BadRequest(f"{name!r} is the word for an unknown face: choose another name")


def means_nobody(name: str) -> bool:
    """Return whether a name is one of the words for an unknown face."""
    return name_key(name) in NOBODY_KEYS


def name_key(name: str) -> str:
    """Return a key that is equal for two spellings of a name. Case, accents and separators do not count.

    "Eileen Collins", "eileen_collins" and "EILEEN-Cóllins" have one key.
    """
    folded = unicodedata.normalize("NFKC", name.translate(_APOSTROPHES)).casefold().translate(_PLAIN_LETTERS)
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", folded))
    spaced = "".join(" " if _is_separator(character) else character for character in plain)
    return unicodedata.normalize("NFKC", " ".join(spaced.split())) or name


def _is_separator(character: str) -> bool:
    """Return whether a character separates words: a space, a dash, or the underscore of ids and names of folders."""
    return character == "_" or unicodedata.category(character) in ("Pd", "Zs", "Cc") or character == "\u2212"


def _is_sign(character: str) -> bool:
    """Return whether a character is a letter, a number or a symbol such as an emoji."""
    return unicodedata.category(character)[0] in "LN" or unicodedata.category(character) == "So"
