"""A strict reader of YAML: it refuses repeated names, names that YAML takes for another type, and hidden size."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from gateway.errors import ConfigError

MAX_BYTES = 1_000_000
"""A hundred times the size of config/gateway.yaml, which states every setting with its comment."""

MAX_DEPTH = 50
"""Nested levels. The settings have eight."""

MAX_NODES = 100_000
"""All values, each counted as often as an alias (*) repeats it."""

READ_ADVICE = ": check the path of the configuration, and whether this user may read the file"

SYNTAX_ADVICE = {
    "'\\t' that cannot start any token": "indent with spaces",
    "cannot start any token": "put quotes around the value",
    "mapping values are not allowed": "put quotes around a value with a colon, or correct the indentation",
    "expected <block end>": "indent the settings of a section equally",
    "unexpected end of stream": "a quotation mark is not closed",
    "found '<stream end>'": "a bracket is not closed",
    "could not find expected ':'": "write each setting as `name: value`",
}
"""The advice for a part of a problem that YAML reports. The first part that occurs counts."""

_Loader: TypeAlias = "yaml.SafeLoader | yaml.CSafeLoader"
_FAST_LOADER: type[_Loader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader of libyaml, where PyYAML has it. The loader in Python took 29 ms for config/gateway.yaml."""

_TAG = "tag:yaml.org,2002:"
_TEXT, _MERGE = f"{_TAG}str", f"{_TAG}merge"
_READ_AS = {
    f"{_TAG}bool": "true or false",
    f"{_TAG}int": "a number",
    f"{_TAG}float": "a number",
    f"{_TAG}null": "nothing",
    f"{_TAG}timestamp": "a date",
}
"""The types that YAML 1.1 gives to some unquoted words."""


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the map in the file, empty for an empty file. Raise ConfigError."""
    # A message never shows a line of the file: it may contain a password.
    text = _read_text(path)
    try:
        try:
            content = _read(text, path, _FAST_LOADER)
        except (yaml.YAMLError, UnicodeError):
            # The advice is for the words of the parser in Python.
            content = _read(text, path, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML{_place(error)}.") from None
    # A value may not fit its tag or its form: a 13th month, a number of 5,000 digits.
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{path} is not YAML: a value in it cannot be read ({type(error).__name__}).") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must contain a map of settings, as `mqtt:` on a line of its own.")
    return content


def _read(text: str, path: Path, make_loader: type[_Loader]) -> object:
    _check_depth(text, path, make_loader)
    loader = make_loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _Checker(path).count(root)
        content: object = loader.construct_document(root)
        return content
    finally:
        loader.dispose()


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}{READ_ADVICE}.") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_BYTES:,} bytes, the limit for a configuration: check the path.")
    utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path} is not YAML: line {line} is not UTF-8. Save the file as UTF-8.") from None


def _check_depth(text: str, path: Path, make_loader: type[_Loader]) -> None:
    """Raise ConfigError for too many nested levels, on which recursive code would fail."""
    depth = 0
    for event in yaml.parse(text, Loader=make_loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            place = f", in line {event.start_mark.line + 1}" if event.start_mark is not None else ""
            raise ConfigError(f"{path} has more than {MAX_DEPTH} nested levels{place}.")


class _Checker:
    """A walk through the file that counts its values, and checks the names of all settings."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sizes: dict[int, int] = {}
        self._unfinished: set[int] = set()

    def count(self, node: yaml.Node, place: str = "") -> int:
        """Return the number of values in the node, with every alias expanded. Raise ConfigError."""
        if id(node) in self._unfinished:
            raise self._error(f"the anchor in line {_line(node)} contains itself")
        if id(node) not in self._sizes:
            self._unfinished.add(id(node))
            self._sizes[id(node)] = 1 + self._count_inside(node, place)
            self._unfinished.remove(id(node))
        if self._sizes[id(node)] > MAX_NODES:
            raise self._error(f"its aliases (*) expand to more than {MAX_NODES:,} values, in line {_line(node)}")
        return self._sizes[id(node)]

    def _count_inside(self, node: yaml.Node, place: str) -> int:
        if isinstance(node, yaml.SequenceNode):
            return sum(self.count(each, place) for each in node.value)
        if isinstance(node, yaml.MappingNode):
            names = self._names(node, place)
            return sum(self.count(value, name) for name, (_, value) in zip(names, node.value, strict=True))
        return 0

    def _names(self, node: yaml.MappingNode, place: str) -> list[str]:
        """Return the names in a map, each with its path. Raise ConfigError for a repeated name."""
        lines: dict[str, int] = {}
        names = []
        for key, _ in node.value:
            # Several maps may be merged (<<) into one.
            if key.tag == _MERGE:
                names.append(place)
                continue
            name = self._name(key, place)
            if name in lines:
                raise self._error(
                    f"{name} occurs twice, in line {lines[name]} and in line {_line(key)}: merge the two, or remove one"
                )
            lines[name] = _line(key)
            names.append(name)
        return names

    def _name(self, key: yaml.Node, place: str) -> str:
        if not isinstance(key, yaml.ScalarNode):
            raise self._error(f"line {_line(key)}: expected the name of a setting, found a list or a map")
        name = f"{place}.{key.value}" if place else str(key.value)
        if key.tag != _TEXT:
            kind = _READ_AS.get(key.tag, "another type")
            raise self._error(
                f'{name}: YAML reads {key.value} in line {_line(key)} as {kind}: put quotes around it, "{key.value}"'
            )
        return name

    def _error(self, problem: str) -> ConfigError:
        return ConfigError(f"The configuration ({self._path}) cannot be used: {problem}.")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _place(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        return f": it contains a character that YAML does not allow (U+{int(error.character):04X})"
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return ""
    problem = str(getattr(error, "problem", ""))
    hint = next((f": {advice}" for part, advice in SYNTAX_ADVICE.items() if part in problem), "")
    return f": {problem}{hint}, line {mark.line + 1}, column {mark.column + 1}"
