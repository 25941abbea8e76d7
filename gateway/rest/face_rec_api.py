"""``/face_rec`` and ``/face_match``: the routes of the original project, with the same fields and some more."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request

from gateway.contract.face_rec import FaceMatchDocument, write_face_rec
from gateway.contract.operations import least_role
from gateway.contract.reading import read_landmarks
from gateway.model import Comparison, LandmarkCount, Operation, Recognition
from gateway.rest.access.current import caller_may, current_csrf
from gateway.rest.answer_pages import comparison_page, kind_in_browsers, recognition_page
from gateway.rest.calls import Calls
from gateway.rest.pages import html_response, upload_page, wants_page
from gateway.rest.pictures import take_pictures


def add_face_rec_api(app: Flask, calls: Calls) -> None:
    """Add the routes. A browser that posts a form gets a page, and every other client gets JSON."""

    @app.get("/face_rec")
    def face_rec_form() -> Response:
        return html_response(upload_page("/face_rec", current_csrf()))

    @app.post("/face_rec")
    def face_rec() -> dict[str, Any] | Response:
        is_page = wants_page(request)
        count, locations = _landmark_count(), _flag("face_locations")
        (picture,) = take_pictures(request, ("file",), ignore_others=True).pictures
        # A page draws the faces itself, in letters that stay large on a phone, if the browser shows the picture.
        annotate = kind_in_browsers(picture) is None if is_page else _flag("annotate")
        reply = calls.recognise(Operation.FACE_REC, (picture,), landmarks=count, annotate=annotate)
        assert isinstance(reply, Recognition)
        if is_page:
            may_enrol = caller_may(least_role("people/add"))
            return html_response(recognition_page(reply, picture, current_csrf(), may_enrol=may_enrol))
        return write_face_rec(reply, features=count > 0, locations=locations).document()

    @app.get("/face_match")
    def face_match_form() -> Response:
        return html_response(upload_page("/face_match", current_csrf()))

    @app.post("/face_match")
    def face_match() -> dict[str, Any] | Response:
        taken = take_pictures(request, ("file1", "file2"), ignore_others=True)
        reply = calls.recognise(Operation.FACE_MATCH, taken.pictures, file_names=taken.file_names)
        assert isinstance(reply, Comparison)
        if wants_page(request):
            return html_response(comparison_page(reply, current_csrf()))
        return FaceMatchDocument(match=reply.match).document()


def _flag(name: str) -> bool:
    """Return whether a query parameter is ``true``, in any case of its letters."""
    return request.args.get(name, "").lower() == "true"


def _landmark_count() -> LandmarkCount:
    """Return the number of points that ``landmarks`` asks for, else 68 with ``facial_features``. Raise BadRequest."""
    return read_landmarks(request.args.get("landmarks", _flag("facial_features")))
