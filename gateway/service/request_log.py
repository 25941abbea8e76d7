"""The log of requests: one line for each, over whichever interface it came."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import Any

from gateway.contract.operations import ADMINISTRATION
from gateway.errors import code_of
from gateway.logs import logged_request
from gateway.model import AdministrationRequest, Request

log = logging.getLogger(__name__)

UNKNOWN_OPERATION = "(unknown)"
"""The kind of lines about operations that do not exist: a topic can name any of them."""


def log_outcome(request: Request | AdministrationRequest, reply: Future[Any]) -> None:
    """Log a request whose reply is done. A live frame has a line only at DEBUG, since there are many of them."""
    level = logging.DEBUG if isinstance(request, Request) and request.live else logging.INFO
    if reply.cancelled() or not log.isEnabledFor(level):
        return
    error = reply.exception()
    operation = request.operation.value if isinstance(request, Request) else request.operation
    outcome = "ok" if error is None else code_of(error)
    with logged_request(request.origin.log_id):
        log.log(
            level,
            "%s from %s: %s after %.0f ms",
            operation,
            request.origin.caller.audit_text(),
            outcome,
            1000 * request.origin.age(),
            extra={"kind": f"{_kind(request)} {outcome}"},
        )


def _kind(request: Request | AdministrationRequest) -> str:
    """Return the operation for the limit of the log, which remembers each value."""
    if isinstance(request, Request):
        return request.operation.value
    return request.operation if request.operation in ADMINISTRATION else UNKNOWN_OPERATION
