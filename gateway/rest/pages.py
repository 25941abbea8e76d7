"""The pages for browsers, each with a form to upload pictures."""

from __future__ import annotations

from collections.abc import Mapping

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
<p>{question}</p>
<form method="post" enctype="multipart/form-data">
{inputs}
  <button>Ask</button>
</form>
<p><a href="/face_rec">Who is it?</a> · <a href="/face_match">The same person?</a></p>
</html>
"""


def upload_form(title: str, question: str, fields: Mapping[str, str]) -> str:
    """Return a page that posts files to its own address. ``fields``: the label of each file, by its field name."""
    inputs = "\n".join(
        f'  <label>{label} <input type="file" name="{name}" accept="image/jpeg,image/png,image/webp" required></label>'
        for name, label in fields.items()
    )
    return _PAGE.format(title=title, question=question, inputs=inputs)
