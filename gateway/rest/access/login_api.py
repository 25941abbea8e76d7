"""``/login``, ``/logout`` and ``/session``: the log-in of browsers with a token."""

from __future__ import annotations

import re

from flask import Flask, redirect, request, url_for
from werkzeug.wrappers import Response

from gateway.contract.base import Document, dump
from gateway.contract.reading import read_json
from gateway.contract.session import write_session
from gateway.errors import BadRequest, GatewayError
from gateway.rest.access.access import Access, Identity, session_cookie
from gateway.rest.access.current import current_identity
from gateway.rest.pages import html_response, login_page
from gateway.rest.problems import status_of

_OWN_PATH = re.compile(r"/(?:[\w.-][\w./-]*)?", re.ASCII)
"""A path of this gateway. ``//host`` would be another machine."""


def add_login_api(app: Flask, access: Access) -> None:
    """Add the routes."""

    @app.get("/login")
    def login_form() -> Response:
        return html_response(login_page(_next_path()))

    @app.post("/login")
    def log_in() -> Response:
        fields, is_form = _read_fields()
        token = fields.get("token")
        if not isinstance(token, str) or not token:
            raise BadRequest("a log-in needs the field token: a text that `facegate tokens add` printed")
        try:
            session_id, identity = access.log_in(token.strip(), access.client_of(request))
        except GatewayError as error:
            if not is_form:
                raise
            return html_response(login_page(_next_path(), str(error)), status_of(error))
        response = redirect(request.script_root + _next_path(), 303) if is_form else _session_response(identity)
        return _with_cookie(response, access, session_id)

    @app.post("/logout")
    def log_out() -> Response:
        access.log_out(request)
        response = redirect(url_for("login_form"), 303)
        response.delete_cookie(session_cookie(access.client_of(request)), path="/")
        return response

    @app.get("/session")
    def session() -> Response:
        return _session_response(current_identity())


def _read_fields() -> tuple[Document, bool]:
    """Return the fields of a log-in, and whether they are those of an HTML form. Raise BadRequest."""
    if request.mimetype == "application/x-www-form-urlencoded":
        return request.form, True
    return read_json(request.get_data(cache=False)), False


def _next_path() -> str:
    """Return the path to open after the log-in."""
    path = request.args.get("next", "/")
    return path if _OWN_PATH.fullmatch(path) else "/"


def _session_response(identity: Identity) -> Response:
    csrf = identity.session.csrf if identity.session else None
    document = dump(write_session(identity.caller, csrf))
    return Response(document, mimetype="application/json", headers={"Cache-Control": "no-store"})


def _with_cookie(response: Response, access: Access, session_id: str) -> Response:
    client = access.client_of(request)
    name = session_cookie(client)
    response.set_cookie(name, session_id, secure=client.encrypted, httponly=True, samesite="Strict", path="/")
    return response
