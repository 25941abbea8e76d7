"""The documents about errors, and the documents that contain the reply to a command."""

from __future__ import annotations

from typing import Any, Literal, cast

from gateway.contract.base import Document, Omitted, VersionedModel
from gateway.contract.head import Head, head_of
from gateway.errors import Busy, GatewayError, Incomplete
from gateway.model import Origin

ErrorCode = Literal[
    "bad_request",
    "bad_image",
    "too_large",
    "unsupported",
    "incomplete",
    "no_face",
    "multiple_faces",
    "unknown_person",
    "conflict",
    "busy",
    "expired",
    "timeout",
    "unauthorized",
    "forbidden",
    "internal",
]


class ErrorDocument(Head):
    """The reply to a recognition request that failed. ``retry_after``: seconds, for ``busy`` only. ``missing``: the
    numbers of the pieces that did not arrive, for ``incomplete`` only.
    """

    status: Literal["error"] = "error"
    code: ErrorCode
    error: str
    retry_after: Omitted[int] = None
    missing: Omitted[list[int]] = None


class CommandDocument(VersionedModel):
    """The reply to a command over MQTT. ``data``: the result of the operation."""

    data: dict[str, Any]
    status: Literal["ok"] = "ok"
    transaction: Omitted[str] = None


class CommandErrorDocument(VersionedModel):
    """The reply to a command over MQTT that failed. ``data`` is empty. The other fields are as in ErrorDocument."""

    data: dict[str, Any]
    status: Literal["error"] = "error"
    error: str
    code: ErrorCode
    retry_after: Omitted[int] = None
    missing: Omitted[list[int]] = None
    transaction: Omitted[str] = None


class ProblemDocument(VersionedModel):
    """An error over REST (RFC 9457), with the same ``code`` as over MQTT."""

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: int
    detail: str
    code: ErrorCode


def write_error(origin: Origin, operation: str, error: GatewayError) -> ErrorDocument:
    return ErrorDocument(
        **head_of(origin, operation),
        code=error_code(error),
        error=str(error),
        retry_after=_retry_after(error),
        missing=_missing(error),
    )


def write_command_reply(result: Document, transaction: str | None) -> CommandDocument:
    return CommandDocument(data=dict(result), transaction=transaction)


def write_command_error(error: GatewayError, transaction: str | None) -> CommandErrorDocument:
    return CommandErrorDocument(
        data={},
        error=str(error),
        code=error_code(error),
        retry_after=_retry_after(error),
        missing=_missing(error),
        transaction=transaction,
    )


def write_problem(title: str, status: int, detail: str, code: str) -> ProblemDocument:
    """Return the problem document. ``title`` and ``status``: of the HTTP status."""
    return ProblemDocument(title=title, status=status, detail=detail, code=_code(code))


def error_code(error: GatewayError) -> ErrorCode:
    return _code(error.code)


def _code(code: str) -> ErrorCode:
    # A test compares ErrorCode with the codes of all classes of errors.
    return cast(ErrorCode, code)


def _retry_after(error: GatewayError) -> int | None:
    return error.retry_after if isinstance(error, Busy) else None


def _missing(error: GatewayError) -> list[int] | None:
    return list(error.missing) if isinstance(error, Incomplete) else None
