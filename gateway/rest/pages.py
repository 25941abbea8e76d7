"""The pages for browsers: the log-in, and forms to upload pictures."""

from __future__ import annotations

import html
from collections.abc import Mapping

from flask import Response

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Facegate</title>
<style>
  body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 3rem auto; padding: 0 1rem }}
  form {{ display: grid; gap: 1rem }}
  button {{ font: inherit; padding: .5rem 1rem; justify-self: start }}
</style>
<h1>{title}</h1>
<p>{text}</p>
{content}
</html>
"""

_UPLOAD = """<form method="post" enctype="multipart/form-data"{action}>
{inputs}
  <button>Ask</button>
</form>
<p><a href="face_rec">Who is it?</a> · <a href="face_match">The same person?</a></p>
{log_out}"""

_LOG_IN = """<form method="post" action="login?next={next_path}">
  <label>Token <input type="password" name="token" autocomplete="current-password" required autofocus></label>
  <button>Log in</button>
</form>"""

_LOG_OUT = '<form method="post" action="logout?csrf={csrf}"><button>Log out</button></form>'

HEADERS: Mapping[str, str] = {
    # No page needs a script. Other pages of the same host may show one in a frame, as Home Assistant does.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""The headers of each page."""


def html_response(page: str, status: int = 200) -> Response:
    """Return the response with a page."""
    return Response(page, status, mimetype="text/html", headers=HEADERS)


def upload_form(title: str, text: str, fields: Mapping[str, str], csrf: str) -> str:
    """Return a page that posts files to its own address.

    ``fields``: the label of each file, by its field name. ``csrf``: the CSRF token of the session, or "" without one.
    """
    inputs = "\n".join(
        f'  <label>{label} <input type="file" name="{name}" accept="image/jpeg,image/png,image/webp" required></label>'
        for name, label in fields.items()
    )
    # The token stands in the address, since the body of a request is read after the check of its caller.
    action, log_out = (f' action="?csrf={csrf}"', _LOG_OUT.format(csrf=csrf)) if csrf else ("", "")
    return _PAGE.format(title=title, text=text, content=_UPLOAD.format(inputs=inputs, action=action, log_out=log_out))


def login_page(next_path: str, problem: str = "") -> str:
    """Return the page of the log-in. ``next_path``: the page to open after it. ``problem``: why the last one failed."""
    text = html.escape(problem) or "Log in with a token (<code>facegate tokens add</code>)."
    return _PAGE.format(title="Log in", text=text, content=_LOG_IN.format(next_path=html.escape(next_path)))
