"""``/openapi.json``, ``/asyncapi.json`` and ``/docs``: the descriptions of the interfaces, which contain no data."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response, request

from gateway.contract.base import Document, dump
from gateway.contract.operations import least_role
from gateway.rest.access.current import caller_may
from gateway.rest.description.docs_page import docs_page
from gateway.rest.description.openapi import describe_rest
from gateway.rest.pages import html_response

EXAMPLE_BROKER = "localhost:1883"


def add_description_api(app: Flask, describe_mqtt: Callable[[], Document]) -> None:
    """Add the routes. ``describe_mqtt``: returns the AsyncAPI document."""

    @app.get("/openapi.json")
    def openapi() -> Response:
        # A proxy may offer the gateway below a path of its own.
        server = request.script_root or "/"
        return _json({**describe_rest(), "servers": [{"url": server}]})

    @app.get("/docs")
    def docs() -> Response:
        return html_response(docs_page())

    @app.get("/asyncapi.json")
    def asyncapi() -> Response:
        document = describe_mqtt()
        return _json(document if caller_may(least_role("health")) else _without_address(document))


def _without_address(document: Document) -> Document:
    """Return the AsyncAPI document with an example in place of the broker's address, which strangers need not know."""
    servers = document.get("servers", {})
    return {**document, "servers": {name: {**each, "host": EXAMPLE_BROKER} for name, each in servers.items()}}


def _json(document: Document) -> Response:
    return Response(dump(document), mimetype="application/json", headers={"Cache-Control": "no-cache"})
