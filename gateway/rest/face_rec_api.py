"""The seed project's routes, answered as it answered: ``/face_rec`` and ``/face_match``."""

from __future__ import annotations

import base64
from typing import Any, Protocol

from flask import Flask, request

from gateway.contract.documents import write_candidates
from gateway.model import Comparison, LandmarkCount, Operation, Recognition, Reply
from gateway.rest.pages import upload_form
from gateway.rest.uploads import flag, read_pictures


class Ask(Protocol):
    """Waits for the reply, and raises what went wrong."""

    def __call__(
        self, operation: Operation, pictures: tuple[bytes, ...], landmarks: LandmarkCount = 0, annotate: bool = False
    ) -> Reply: ...


def add_face_rec_routes(app: Flask, ask: Ask) -> None:

    @app.get("/face_rec")
    def face_rec_form() -> str:
        return upload_form("Who is it?", "Send a picture; the answer is the name of who is on it.", {"file": "Picture"})

    @app.post("/face_rec")
    def face_rec() -> dict[str, Any]:
        features, locations = flag(request, "facial_features"), flag(request, "face_locations")
        pictures = read_pictures(request, ("file",))
        reply = ask(Operation.FACE_REC, pictures, 68 if features else 0, flag(request, "annotate"))
        assert isinstance(reply, Recognition)
        return _recognition(reply, features, locations)

    @app.get("/face_match")
    def face_match_form() -> str:
        files = {"file1": "First picture", "file2": "Second picture"}
        return upload_form("The same person?", "Send two pictures with one face each.", files)

    @app.post("/face_match")
    def face_match() -> dict[str, Any]:
        reply = ask(Operation.FACE_MATCH, read_pictures(request, ("file1", "file2")))
        assert isinstance(reply, Comparison)
        return {"match": reply.match}


def _recognition(reply: Recognition, features: bool, locations: bool) -> dict[str, Any]:
    """Landmarks and location are empty unless there is exactly one face. The seed project had neither ``annotated`` nor
    ``candidates`` (the people among whom an ambiguous face cannot be told) nor ``left_out`` (the number of smaller
    faces that are not described).
    """
    answer: dict[str, Any] = {"name": reply.person.name if reply.person else "Unknown"}
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
