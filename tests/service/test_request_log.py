"""The line of the log for each request."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import Any

import pytest

from gateway.errors import NoFace, Unsupported
from gateway.model import AdministrationRequest, Operation, Origin, Request
from gateway.model.caller import camera_caller
from gateway.service.request_log import log_outcome


def done(error: Exception | None = None) -> Future[Any]:
    reply: Future[Any] = Future()
    reply.set_exception(error) if error else reply.set_result(None)
    return reply


def picture_request(*, live: bool) -> Request:
    origin = Origin(caller=camera_caller("porch"), request_id="r1")
    return Request(operation=Operation.FACE_REC, pictures=(b"x",), valid_for_s=1, origin=origin, live=live)


def test_each_request_has_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.service.request_log")
    log_outcome(picture_request(live=False), done(NoFace("none")))
    log_outcome(AdministrationRequest(operation="people/list", fields={}), done())
    log_outcome(AdministrationRequest(operation="people/list", fields={}), done(ValueError("a bug")))
    texts = [record.getMessage().partition(" after ")[0] for record in caplog.records]
    assert texts == [
        "face_rec from mqtt:porch: no_face",
        "people/list from rest: ok",
        "people/list from rest: internal",
    ]


def test_live_frame_has_a_line_only_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    for level, lines in ((logging.INFO, 0), (logging.DEBUG, 1)):
        caplog.set_level(level, "gateway.service.request_log")
        log_outcome(picture_request(live=True), done())
        assert len(caplog.records) == lines


def test_frame_that_a_newer_one_replaced_has_no_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "gateway.service.request_log")
    reply: Future[Any] = Future()
    reply.cancel()
    log_outcome(picture_request(live=True), reply)
    assert not caplog.records


def test_unknown_operations_share_one_limit_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Regression: each made-up operation had a limit of its own, which the log remembered for ever."""
    caplog.set_level(logging.INFO, "gateway.service.request_log")
    for word in ("made_up", "people/made_up", "people/list"):
        log_outcome(AdministrationRequest(operation=word, fields={}), done(Unsupported("unknown operation")))
    kinds = [vars(record)["kind"] for record in caplog.records]
    assert kinds == ["(unknown) unsupported", "(unknown) unsupported", "people/list unsupported"]
