"""Pictures out of HTTP requests: form files, or base64 in JSON."""

from __future__ import annotations

from flask import Request

from gateway.documents import read_base64, read_json
from gateway.errors import BadRequest


def form_file(request: Request, name: str) -> bytes:
    """Raises BadRequest if no file was sent under that name."""
    if request.mimetype != "multipart/form-data":  # werkzeug bounds no other kind of form
        raise BadRequest("a picture is sent as a form (multipart/form-data) or as JSON")
    file = request.files.get(name)
    if file is None:
        raise BadRequest(f"the form has no file {name!r}")
    data: bytes = file.read()
    return data


def json_picture(request: Request) -> bytes:
    """``{"file_format": "jpg", "image_data": "<base64>"}``; the format is told by the bytes themselves."""
    document = read_json(request.get_data())
    text = document.get("image_data")
    if not isinstance(text, str):
        raise BadRequest("image_data must be a picture in base64")
    return read_base64(text)


def flag(request: Request, name: str) -> bool:
    """A query parameter that is on for ``true`` in any case."""
    return request.args.get(name, "").lower() == "true"
