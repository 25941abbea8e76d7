"""Calls of the service that wait for the result."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from flask import Flask, Response, g
from flask import request as http_request

from gateway.contract.base import SCHEMA, Document
from gateway.contract.coded_warnings import merge_warnings
from gateway.contract.replies import write_reply
from gateway.errors import Timeout, shutting_down_error
from gateway.model import AdministrationRequest, Operation, Reply, Request
from gateway.rest.idempotency import read_effect
from gateway.rest.request_id import current_origin
from gateway.service.service import Submit

T = TypeVar("T")

REPLY_MARGIN_S = 30
"""The longest time between the expiry of a request and its reply: by then its worker is finished or was killed."""


class Calls:
    """The operations of the service, for the thread of one HTTP request.

    ``request_s``: seconds after which a request expires in the queue.
    """

    def __init__(self, submit: Submit, request_s: float) -> None:
        self._submit = submit
        self._request_s = request_s

    def recognise(self, operation: Operation, pictures: tuple[bytes, ...], **options: Any) -> Reply:
        """Return the reply to a request about pictures. Raise GatewayError. ``options``: other parts of the Request."""
        return self._ask(self._request(operation, pictures, **options))

    def recognise_document(self, operation: Operation, pictures: tuple[bytes, ...], **options: Any) -> Document:
        """Return the document of a request about pictures, as over MQTT but for the warnings. Raise GatewayError.

        ``options``: the other parts of the Request.
        """
        request = self._request(operation, pictures, **options)
        return merge_warnings(write_reply(request.origin, operation.value, self._ask(request)).document())

    def _request(self, operation: Operation, pictures: tuple[bytes, ...], **options: Any) -> Request:
        origin = current_origin()
        return Request(operation=operation, pictures=pictures, valid_for_s=self._request_s, origin=origin, **options)

    def _ask(self, request: Request) -> Reply:
        # The service counts the outcome of this request, so that add_error_handlers must not count it again.
        g.submitted = True
        reply = self._wait(self._submit(request))
        g.timing = reply.timing
        return reply

    def administer(self, operation: str, fields: Mapping[str, Any], file_names: tuple[str, ...] = ()) -> Document:
        """Return the document of an operation of administrators. Raise GatewayError.

        ``file_names``: of the ``images`` of the fields. If the client has the result already, the document says only
        that (UnchangedDocument).
        """
        origin = current_origin()
        deadline = origin.received + self._request_s + REPLY_MARGIN_S
        request = AdministrationRequest(
            operation=operation,
            fields=fields,
            origin=origin,
            valid_for_s=self._request_s,
            effect=read_effect(http_request, origin.caller, operation, fields, deadline),
            file_names=file_names,
            held_versions=frozenset(http_request.if_none_match.as_set(include_weak=True)),
        )
        return {"schema": SCHEMA, **merge_warnings(self._wait(self._submit(request)).document())}

    def _wait(self, future: Future[T]) -> T:
        seconds = self._request_s + REPLY_MARGIN_S
        try:
            return future.result(seconds)
        except FutureTimeout:
            raise Timeout(f"no result within {seconds:g} s") from None
        except CancelledError:
            raise shutting_down_error() from None


def add_timing(app: Flask) -> None:
    """Add the milliseconds of each step to replies as Server-Timing, which browsers show in their developer tools."""

    @app.after_request
    def add_header(response: Response) -> Response:
        if "timing" in g:
            response.headers["Server-Timing"] = ", ".join(f"{step};dur={ms:.1f}" for step, ms in g.timing.items())
        return response
