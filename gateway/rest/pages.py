"""Pages that need no script: the log-in, the forms to upload pictures, and their answers."""

from __future__ import annotations

import html
from collections.abc import Mapping

from flask import Request, Response

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} - Facegate</title>
<link rel="icon" href="console/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="console/console.css">
</head>
<body>
<main class="form-page">
<h1>{title}</h1>
<p>{text}</p>
{content}
</main>
</body>
</html>
"""

_UPLOAD = """<form method="post" enctype="multipart/form-data"{action}>
{inputs}
  <button class="primary">Ask</button>
</form>
"""

_LINKS = """<p><a href="./">Console</a> · <a href="face_rec">Who is it?</a> ·
<a href="face_match">The same person?</a></p>
{log_out}"""

_LOG_IN = """<form method="post" action="login?next={next_path}">
  <label class="field"><span>Token</span>
  <input type="password" name="token" autocomplete="current-password" required autofocus></label>
  <button class="primary">Log in</button>
</form>"""

_LOG_IN_ADVICE = (
    "Log in with a token. An administrator makes one in the view Tokens of the console."
    " <small>Command: <code>facegate tokens add --name phone --role viewer</code></small>"
)

_LOG_OUT = '<form method="post" action="logout?csrf={csrf}"><button>Log out</button></form>'

PAGE_HEADERS: Mapping[str, str] = {
    # Only files of this gateway, and pictures that the page itself holds. Other pages of the same host may show a page
    # in a frame, as Home Assistant does.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""The headers of each page."""

UPLOADS: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "/face_rec": ("Who is it?", "Send a picture; the answer is the name of the person.", {"file": "Picture"}),
    "/face_match": (
        "The same person?",
        "Send two pictures with one face each.",
        {"file1": "First picture", "file2": "Second picture"},
    ),
}
"""The forms by their paths: title, text, and the label of each file by its field name."""


def html_response(page: str, status: int = 200) -> Response:
    """Return the response with a page."""
    return Response(page, status, mimetype="text/html", headers=PAGE_HEADERS)


def wants_page(request: Request) -> bool:
    """Return whether a browser posted one of the forms and shows the answer as a page."""
    # Browsers name text/html. Programs name nothing, */* or application/json.
    return request.method == "POST" and request.path in UPLOADS and "text/html" in request.headers.get("Accept", "")


def upload_page(path: str, csrf: str) -> str:
    """Return the page with the form of a path. ``csrf``: the CSRF token of the session, or "" without one."""
    title, text, _ = UPLOADS[path]
    return page(title, text, upload_form(path, csrf) + _links(csrf))


def answer_page(path: str, title: str, text: str, content: str, csrf: str) -> str:
    """Return the page with an answer. ``title`` and ``text``: plain texts. ``content``: HTML. The form follows."""
    return page(html.escape(title), html.escape(text), content + upload_form(path, csrf) + _links(csrf))


def upload_form(path: str, csrf: str) -> str:
    """Return the form that posts files to a path, which is also the path of the page."""
    inputs = "\n".join(
        f'  <label class="field"><span>{label}</span>'
        f' <input type="file" name="{name}" accept="image/jpeg,image/png,image/webp" required></label>'
        for name, label in UPLOADS[path][2].items()
    )
    # The token stands in the address, since the body of a request is read after the check of its caller.
    return _UPLOAD.format(inputs=inputs, action=f' action="?csrf={csrf}"' if csrf else "")


def login_page(next_path: str, problem: str = "") -> str:
    """Return the page of the log-in. ``next_path``: the page to open after it. ``problem``: why the last one failed."""
    text = html.escape(problem) or _LOG_IN_ADVICE
    return page("Log in", text, _LOG_IN.format(next_path=html.escape(next_path)))


def page(title: str, text: str, content: str) -> str:
    """Return a page. All three are HTML."""
    return _PAGE.format(title=title, text=text, content=content)


def _links(csrf: str) -> str:
    return _LINKS.format(log_out=_LOG_OUT.format(csrf=csrf) if csrf else "")
