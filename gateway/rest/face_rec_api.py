"""``/face_rec`` and ``/face_match``: the routes of the original project, with the same answers."""

from __future__ import annotations

import base64
from typing import Any

from flask import Flask, redirect, request, url_for
from werkzeug.wrappers import Response

from gateway.contract.faces import write_candidates
from gateway.contract.reading import read_landmarks
from gateway.model import Comparison, LandmarkCount, Operation, Recognition
from gateway.rest.access.current import current_csrf
from gateway.rest.calls import Calls
from gateway.rest.pages import html_response, upload_form
from gateway.rest.pictures import read_pictures


def add_face_rec_api(app: Flask, calls: Calls) -> None:
    """Add the routes, and the redirection of ``/`` to the first of them."""

    @app.get("/")
    def index() -> Response:
        return redirect(url_for("face_rec_form"))

    @app.get("/face_rec")
    def face_rec_form() -> Response:
        text = "Send a picture; the answer is the name of the person."
        return html_response(upload_form("Who is it?", text, {"file": "Picture"}, current_csrf()))

    @app.post("/face_rec")
    def face_rec() -> dict[str, Any]:
        count, locations = _landmark_count(), _flag("face_locations")
        pictures = read_pictures(request, ("file",))
        reply = calls.recognise(Operation.FACE_REC, pictures, count, _flag("annotate"))
        assert isinstance(reply, Recognition)
        return _write_recognition(reply, count > 0, locations)

    @app.get("/face_match")
    def face_match_form() -> Response:
        files = {"file1": "First picture", "file2": "Second picture"}
        text = "Send two pictures with one face each."
        return html_response(upload_form("The same person?", text, files, current_csrf()))

    @app.post("/face_match")
    def face_match() -> dict[str, Any]:
        reply = calls.recognise(Operation.FACE_MATCH, read_pictures(request, ("file1", "file2")))
        assert isinstance(reply, Comparison)
        return {"match": reply.match}


def _flag(name: str) -> bool:
    """Return whether a query parameter is ``true``, in any case of its letters."""
    return request.args.get(name, "").lower() == "true"


def _landmark_count() -> LandmarkCount:
    """Return the number of points that ``landmarks`` asks for, else 68 with ``facial_features``. Raise BadRequest."""
    return read_landmarks(request.args.get("landmarks", _flag("facial_features")))


def _write_recognition(reply: Recognition, features: bool, locations: bool) -> dict[str, Any]:
    """Return the answer to ``/face_rec``. Landmarks and location are empty unless there is exactly one face."""
    answer: dict[str, Any] = {"name": reply.person.name if reply.person else "Unknown"}
    # The original project had none of the fields candidates, left_out and annotated.
    judgement = reply.best.judgement if reply.best else None
    if judgement is not None and judgement.candidates:
        answer["candidates"] = write_candidates(judgement)
    only = reply.faces[0] if len(reply.faces) == 1 else None
    if features:
        answer["facial_features"] = only.landmarks if only else {}
    if locations:
        answer["face_locations"] = [only.box.top, only.box.right, only.box.bottom, only.box.left] if only else []
    if reply.left_out:
        answer["left_out"] = reply.left_out
    if reply.annotated is not None:
        answer["annotated"] = base64.b64encode(reply.annotated).decode()
    return answer
