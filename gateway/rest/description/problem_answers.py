"""The descriptions of problem documents, one for each HTTP status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gateway.contract.components import Components, Schema
from gateway.contract.errors import ProblemDocument
from gateway.errors import TooManyAttempts
from gateway.rest.problems import PROBLEM_TYPE, STATUS


class ProblemText(NamedTuple):
    """The name of a description of problem documents, and their meaning."""

    name: str
    meaning: str


PROBLEM_TEXTS: Mapping[int, ProblemText] = {
    400: ProblemText("BadRequest", "The request is malformed, or a picture in it is not readable."),
    401: ProblemText("Unauthorized", "The token is missing or wrong."),
    403: ProblemText("Forbidden", "The role of the caller is too low, or a page of another site sent the request."),
    404: ProblemText("NotFound", "No person, unknown group, picture, sighting or camera has this id."),
    409: ProblemText("Conflict", "The change contradicts data that exists already."),
    413: ProblemText("TooLarge", "The body or a picture is larger than allowed."),
    415: ProblemText("Unsupported", "This kind of picture, or this function, does not exist here."),
    422: ProblemText("NotOneFace", "A picture does not show exactly one face."),
    429: ProblemText("TooManyAttempts", "The caller failed too often. Retry-After has the seconds to wait."),
    500: ProblemText("InternalError", "A bug in the gateway: see its log."),
    503: ProblemText("Busy", "The gateway has too much to do, or shuts down. Retry-After has the seconds to wait."),
    504: ProblemText("Timeout", "The request took longer than allowed."),
}
"""By the status of the problem document."""

WAITING = (429, 503)
"""The statuses of answers with the header Retry-After."""

EVERY_PROBLEM = (400, 403, 413, 500, 503)
"""The problems of every route: the checks of the headers and of the size, a stop of the gateway, a bug."""

LOGIN_PROBLEMS = (401, 429)
"""The problems of every route that needs a role."""

RETRY_AFTER: Schema = {
    "Retry-After": {
        "description": "Seconds after which another attempt is useful.",
        "required": True,
        "schema": {"type": "integer"},
    }
}
CHALLENGE: Schema = {
    "WWW-Authenticate": {"description": "How to log in.", "required": True, "schema": {"type": "string"}}
}


def codes_of(status: int) -> list[str]:
    """Return the error codes of a status."""
    codes = [code for code, each in STATUS.items() if each == status]
    return codes or [TooManyAttempts.code]


def problem_refs(statuses: Iterable[int]) -> Schema:
    """Return references to the descriptions of some statuses, by status."""
    return {str(each): {"$ref": f"#/components/responses/{PROBLEM_TEXTS[each].name}"} for each in sorted({*statuses})}


def problem_answers(components: Components) -> Schema:
    """Return the descriptions of all problem documents, by their names."""
    return {name: _problem(status, text, components) for status, (name, text) in PROBLEM_TEXTS.items()}


def _problem(status: int, text: str, components: Components) -> Schema:
    codes = " or ".join(f"`{code}`" for code in codes_of(status))
    answer: Schema = {
        "description": f"{text} The code is {codes}.",
        "content": {PROBLEM_TYPE: {"schema": components.ref(ProblemDocument)}},
    }
    if status in WAITING:
        answer["headers"] = RETRY_AFTER
    elif status == 401:
        answer["headers"] = CHALLENGE
    return answer
