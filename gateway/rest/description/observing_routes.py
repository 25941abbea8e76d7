"""The descriptions of the routes for programs that observe the gateway: the event stream and the metrics."""

from __future__ import annotations

from gateway.contract.components import Components, Schema
from gateway.contract.events import EVENT_DOCUMENTS
from gateway.rest.description.problem_answers import EVERY_PROBLEM, LOGIN_PROBLEMS
from gateway.rest.description.route_description import RouteDescription
from gateway.rest.events.api import EVENTS_PATH, KINDS, STREAM_TYPE

_STRING: Schema = {"type": "string"}

_PROBLEMS = (*EVERY_PROBLEM, *LOGIN_PROBLEMS)


def observing_routes(components: Components) -> dict[str, RouteDescription]:
    """Return the descriptions of the routes, by method and path."""
    metrics = {"description": "The metrics.", "content": {"text/plain": {"schema": _STRING}}}
    return {
        f"GET {EVENTS_PATH}": RouteDescription(
            name="listen_to_events",
            tag="sightings",
            summary="Follow what happens, as server-sent events",
            description=(
                "The response lasts until either side ends it. Each event has a kind and a JSON document. `x-events`"
                " lists the documents of each kind. A client that gives the last id that it got continues from there."
            ),
            answers={"200": _stream(components)},
            problems=_PROBLEMS,
            parameters=_parameters(),
        ),
        "GET /metrics": RouteDescription(
            "metrics", "gateway", "The metrics for Prometheus", {"200": metrics}, problems=_PROBLEMS
        ),
    }


def _stream(components: Components) -> Schema:
    documents = {
        kind: {"anyOf": [components.ref(model) for model in models]} for kind, models in EVENT_DOCUMENTS.items()
    }
    # OpenAPI 3.1 has no schema for the events of a stream.
    return {"description": "The stream.", "content": {STREAM_TYPE: {"schema": {}, "x-events": documents}}}


def _parameters() -> list[Schema]:
    """Return the filters, each a list with commas, and the id."""
    kinds = {"type": "array", "items": {"type": "string", "enum": list(KINDS)}}
    cameras = {"type": "array", "items": _STRING}
    return [
        _query("kind", "Only events of these kinds.", kinds),
        _query("camera", "Only events about these cameras, and those about no camera.", cameras),
        _query("last_event_id", "The last id that the client got.", _STRING),
        {"name": "Last-Event-ID", "in": "header", "description": "The same, as browsers send it.", "schema": _STRING},
    ]


def _query(name: str, description: str, schema: Schema) -> Schema:
    lists = {"explode": False} if schema["type"] == "array" else {}
    return {"name": name, "in": "query", "description": description, "schema": schema, **lists}
