"""The route ``/api/v1/events``. Flask checks the request, and the event loop then sends the stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from flask import Flask, Request, Response, request

from gateway.contract.events import EventKind
from gateway.contract.operations import check_field_names
from gateway.errors import BadRequest
from gateway.model import CAMERA_NAME
from gateway.rest.access.access import Access
from gateway.rest.access.current import current_identity, current_sender
from gateway.rest.events.hub import Choice
from gateway.rest.events.streams import EventStreams
from gateway.rest.fields import read_query
from gateway.rest.transport.environ import STREAM_SLOT, StreamSlot

EVENTS_PATH = "/api/v1/events"
STREAM_TYPE = "text/event-stream"
KINDS: tuple[EventKind, ...] = get_args(EventKind)

LIST_FIELDS = ("kind", "camera")
"""The fields of the query that may be repeated."""
ID_FIELD = "last_event_id"
QUERY_FIELDS = (*LIST_FIELDS, ID_FIELD)

MAX_CAMERAS = 100
"""The most cameras that a client may name in its query."""

_HEADERS = {
    "Cache-Control": "no-store",
    # nginx would wait for more of the stream before it passes anything on.
    "X-Accel-Buffering": "no",
}


def add_events_api(app: Flask, access: Access, streams: EventStreams) -> None:
    """Add the route."""

    @app.get(EVENTS_PATH)
    def events() -> Response:
        choice = read_choice(request)
        response = Response(mimetype=STREAM_TYPE, headers=_HEADERS)
        slot: StreamSlot | None = request.environ.get(STREAM_SLOT)
        if request.method == "GET" and slot is not None:
            last_id = request.headers.get("Last-Event-ID") or request.args.get(ID_FIELD, "")
            is_allowed = access.keep_checking(request, current_identity(), "viewer")
            slot.put(streams.open(choice, current_sender(), last_id, is_allowed))
        return response


def read_choice(request: Request) -> Choice:
    """Return the events that a request asks for. Raise BadRequest."""
    query = read_query(request, lists=LIST_FIELDS)
    check_field_names("the event stream", query, QUERY_FIELDS)
    kinds, cameras = _words(query, "kind"), _words(query, "camera")
    if unknown := sorted(kinds - {*KINDS}):
        raise BadRequest(f"unknown kind {unknown[0][:40]!a}: the kinds of events are {', '.join(KINDS)}")
    if wrong := sorted(each for each in cameras if not CAMERA_NAME.fullmatch(each)):
        raise BadRequest(f"{wrong[0][:80]!a} is not the name of a camera")
    if len(cameras) > MAX_CAMERAS:
        raise BadRequest(f"{len(cameras)} cameras are named: name {MAX_CAMERAS} at most, or none for all of them")
    return Choice(frozenset(each for each in KINDS if each in kinds), cameras)


def _words(query: Mapping[str, str], name: str) -> frozenset[str]:
    """Return the words of a list with commas."""
    return frozenset(word for word in query.get(name, "").split(",") if word)
