"""The errors of pydantic as messages for the person who wrote the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings.exceptions import SettingsError

from gateway.config.environment import variables_below
from gateway.config.problems import Problem, find_problems
from gateway.config.section_forms import form_of
from gateway.formats.text_encodings import json_type_name

MESSAGES: Mapping[str, str] = {
    "missing": "this key is missing: add it",
    "extra_forbidden": "unknown setting: check its spelling",
    "model_type": "expected a map of settings, found {found}",
    "model_attributes_type": "expected a map of settings, found {found}",
    "path_type": "expected a path (YAML reads a single ~ as nothing: write ~/folder)",
    "string_type": "expected text: put quotes around the value",
    "tuple_type": "expected a list, as [a, b]",
    "dict_type": "expected a map, as name: value, found {found}",
    "mapping_type": "expected a map, as name: value, found {found}",
    "too_short": "expected at least {min_length} entries, found {actual_length}",
    "too_long": "expected at most {max_length} entries",
    "string_too_short": "the text is empty",
    "greater_than": "expected more than {gt}, found {found}",
    "greater_than_equal": "expected at least {ge}, found {found}",
    "less_than_equal": "expected at most {le}, found {found}",
    "finite_number": "expected a finite number, found {found}",
    "int_parsing": "expected a whole number, found {found}",
    "int_type": "expected a whole number, found {found}",
    "int_from_float": "expected a whole number, found {found}",
    "float_parsing": "expected a number, found {found}",
    "float_type": "expected a number, found {found}",
    "bool_parsing": "expected true or false, found {found}",
    "bool_type": "expected true or false, found {found}",
    "enum": "expected {expected}, found {found}",
    "literal_error": "expected {expected}, found {found}",
}
"""The message for each type of error of pydantic. Its context, and ``found``, replace the names in braces."""

MAX_FOUND_LENGTH = 40
"""Characters of a wrong value that a message quotes."""

TOPIC_LEVELS = "expected one to four levels of A-Z a-z 0-9 _ -, separated by /"

PATTERNS: Mapping[str, str] = {
    "mqtt.base": f"{TOPIC_LEVELS}, as site/facegate",
    "homeassistant.prefix": f"{TOPIC_LEVELS}, as homeassistant",
    "mqtt.client_id": "expected 1 to 64 characters of A-Z a-z 0-9 _ -",
}
"""The message for a text of the wrong form, by the setting."""


def describe_problems(error: ValidationError, path: Path | None) -> str:
    """Return a sentence about the bad variables, and one about the other bad settings.

    ``path``: the configuration file, if there is one.
    """
    problems = list(find_problems(error.errors(include_url=False)))
    from_variables = [f"{each.variable}: {_describe(each)}" for each in problems if each.variable]
    others = [_describe(each) + _name_variables(each) for each in problems if not each.variable]
    sentences = []
    if from_variables:
        sentences.append(f"The environment cannot be used: {'; '.join(from_variables)}.")
    if others:
        sentences.append(f"The configuration{f' ({path})' if path else ''} cannot be used: {'; '.join(others)}.")
    return " ".join(sentences)


def _name_variables(problem: Problem) -> str:
    """Return the end of a message about a whole section: the variables that give a part of it."""
    variables = variables_below(problem.path)
    return f" (with {', '.join(variables)} from the environment)" if variables else ""


def describe_bad_json(error: SettingsError) -> str:
    """Return one sentence about a variable that is not the JSON of a list or a map."""
    # The name of the setting is only in the text of the error.
    setting = re.search(r'field "(\w+)"', str(error))
    reason = error.__cause__ if isinstance(error.__cause__, ValueError) else error
    name = f"{_name_with_variable(setting[1])}: " if setting else ""
    return f"The environment cannot be used: {name}expected a list or a map as JSON ({reason})."


def _name_with_variable(setting: str) -> str:
    """Return the name of a setting or a section, with the variable if only one can be meant."""
    variables = variables_below((setting,))
    return f"{variables[0]}: {setting}" if len(variables) == 1 else setting


def _describe(problem: Problem) -> str:
    text = problem.region_form or _describe_error(problem.setting, problem.details)
    return f"{problem.setting}: {text}" if problem.path else text


# Texts and whole sections are never quoted: they may be, or contain, a password.
def _describe_error(setting: str, problem: ErrorDetails) -> str:
    if problem["type"] == "string_pattern_mismatch" and setting in PATTERNS:
        return PATTERNS[setting]
    if problem["type"].startswith("model_") and problem["input"] is None:
        return "the section is empty: add a setting below it, or remove the line"
    if message := MESSAGES.get(problem["type"]):
        found = _name_section(problem["input"]) if "a map" in message else _quote(problem["input"])
        form = form_of(setting, problem)
        return message.format(**problem.get("ctx", {}), found=found) + (f" (write it as {form})" if form else "")
    return problem["msg"].removeprefix("Value error, ")


def _name_section(value: object) -> str:
    """Return what stands in the place of a section. It may be a password, whose section lacks its name."""
    return _quote(value) if isinstance(value, bool) else json_type_name(value)


def _quote(value: object) -> str:
    if isinstance(value, str):
        return repr(value)[:MAX_FOUND_LENGTH]
    if value is None or isinstance(value, int | float):
        # As in the file: null, true and .inf, where Python says None, True and inf. The value is the first line.
        return str(yaml.safe_dump(value)).partition("\n")[0][:MAX_FOUND_LENGTH]
    # A list or a map in place of a number may contain a password.
    return json_type_name(value)
