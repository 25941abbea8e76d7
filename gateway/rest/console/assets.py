"""The page at ``/`` and its files, which a browser runs as they are: there is no build step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from flask import Flask, Response, abort, request

from gateway.rest.pages import PAGE_HEADERS

FILES = Path(__file__).with_name("files")

PAGE = "index.html"

KINDS: Mapping[str, str] = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
"""The media type of a file, by the end of its name."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the console. ``etag``: changes with its content."""

    content: bytes
    kind: str
    etag: str


def add_console(app: Flask) -> None:
    """Add the routes. The page has no secrets, so anybody may load it: it asks for a token if it needs one."""
    assets = read_assets(FILES)

    @app.get("/")
    def console() -> Response:
        return _send(assets[PAGE])

    @app.get("/console/<path:file>")
    def console_file(file: str) -> Response:
        return _send(assets[file]) if file in assets else abort(404)


def read_assets(folder: Path) -> Mapping[str, Asset]:
    """Return the files of a folder by their paths below it, such as ``views/live.js``."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in KINDS)
    return {path.relative_to(folder).as_posix(): _read(path) for path in found}


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, KINDS[path.suffix], sha256(content).hexdigest()[:32])


def _send(asset: Asset) -> Response:
    response = Response(asset.content, mimetype=asset.kind, headers=PAGE_HEADERS)
    # A browser asks each time whether its copy is the newest, so that an update of the gateway shows immediately.
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(asset.etag)
    response.make_conditional(request)
    return response
