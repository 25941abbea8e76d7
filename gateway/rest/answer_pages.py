"""The answers of ``/face_rec`` and ``/face_match`` as pages, for browsers that posted a form."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping

from gateway.contract.faces import round_score
from gateway.model import Comparison, Face, Image, Judgement, Recognition
from gateway.rest.pages import answer_page

SHOWN_KINDS: Mapping[bytes, str] = {b"\xff\xd8\xff": "jpeg", b"\x89PNG": "png", b"RIFF": "webp"}
"""The kinds of pictures that every browser shows, by the first bytes of a file."""

_PICTURE = """<div class="face-picture">
<img src="data:image/{kind};base64,{picture}" alt="Your picture with the faces that were found">
{drawing}
</div>
"""

# Without a viewBox the places are shares of the picture, and letters have the same size however small it is shown.
_DRAWING = '<svg class="faces" aria-hidden="true">{faces}</svg>'

_FACE = """<g class="face {verdict}">
<rect class="box" x="{left:.2f}%" y="{top:.2f}%" width="{width:.2f}%" height="{height:.2f}%"></rect>
<text class="name" x="{x:.2f}%" y="{y:.2f}%" dy="{shift}em" text-anchor="{anchor}">{name}</text>
</g>"""

NAME_HEIGHT = 10.0
"""The share of a picture, in percent, that a name takes on a phone."""

_FACES = """<table><thead><tr><th>Face</th><th>Score</th><th>Threshold</th></tr></thead><tbody>
{rows}
</tbody></table>
"""

_ENROL = """<form method="post" action="api/v1/people{query}" enctype="multipart/form-data" data-enrol>
  <h2>Enrol this face</h2>
  <input type="hidden" name="image" value="{picture}">
  <label class="field"><span>Name</span> <input name="name" value="{name}" required maxlength="100"></label>
  <button>Enrol</button>
  <p role="status"></p>
</form>
<script type="module" src="console/enrol_form.js"></script>
"""


def recognition_page(reply: Recognition, picture: bytes, csrf: str, *, may_enrol: bool) -> str:
    """Return the page with the faces of a picture. ``may_enrol``: also offer to enrol the only face.

    A picture that not every browser shows must be annotated.
    """
    title = reply.person.name if reply.person else "Nobody who is enrolled" if reply.faces else "No face is found"
    content = "".join(
        (
            _picture(reply, picture),
            _face_table(reply) if reply.faces else "",
            _enrol_form(reply, picture, csrf) if may_enrol and len(reply.faces) == 1 else "",
        )
    )
    return answer_page("/face_rec", title, _sentence(len(reply.faces)), content, csrf)


def comparison_page(reply: Comparison, csrf: str) -> str:
    """Return the page with the result of a comparison."""
    title = "The same person" if reply.match else "Different people"
    text = f"The score is {round_score(reply.score)}. From {round_score(reply.threshold)} on, it is the same person."
    return answer_page("/face_match", title, text, "", csrf)


def _sentence(faces: int) -> str:
    return "The picture shows one face." if faces == 1 else f"The picture shows {faces or 'no'} faces."


def kind_in_browsers(picture: bytes) -> str | None:
    """Return the kind of a picture that every browser shows, and None for other pictures, such as HEIC."""
    return next((kind for beginning, kind in SHOWN_KINDS.items() if picture.startswith(beginning)), None)


def _picture(reply: Recognition, picture: bytes) -> str:
    if (kind := kind_in_browsers(picture)) is None:
        return _PICTURE.format(kind="jpeg", picture=_base64(reply.annotated), drawing="") if reply.annotated else ""
    faces = "\n".join(_draw_face(face, reply.image) for face in reply.faces)
    return _PICTURE.format(kind=kind, picture=_base64(picture), drawing=_DRAWING.format(faces=faces))


def _draw_face(face: Face, image: Image) -> str:
    left, right = (100 * each / image.width for each in (face.box.left, face.box.right))
    top, bottom = (100 * each / image.height for each in (face.box.top, face.box.bottom))
    # A name begins at the left edge of its box, or ends at the right edge: so most of it is within the picture.
    x, anchor = (left, "start") if left + right < 100 else (right, "end")
    if top > NAME_HEIGHT:
        y, shift = top, -0.4
    else:
        y, shift = (bottom, 1.1) if bottom < 100 - NAME_HEIGHT else (100.0, -0.4)
    return _FACE.format(
        verdict=face.judgement.verdict if face.judgement else "found",
        left=left,
        top=top,
        width=right - left,
        height=bottom - top,
        x=min(max(x, 1), 99),
        y=y,
        shift=shift,
        anchor=anchor,
        name=_name(face.judgement),
    )


def _face_table(reply: Recognition) -> str:
    rows = (_face_row(each.judgement, reply.threshold) for each in reply.faces)
    return _FACES.format(rows="\n".join(rows))


def _face_row(judgement: Judgement | None, threshold: float) -> str:
    name = _name(judgement)
    if judgement is None:
        return f"<tr><td>{name}</td><td></td><td></td></tr>"
    return f"<tr><td>{name}</td><td>{round_score(judgement.score)}</td><td>{round_score(threshold)}</td></tr>"


def _name(judgement: Judgement | None) -> str:
    """Return the name of a face, or why it has none, as HTML."""
    if judgement is None:
        return "a face"
    names = (
        judgement.person.name if judgement.person else " or ".join(each.person.name for each in judgement.candidates)
    )
    return html.escape(names or judgement.verdict.replace("_", " "))


def _enrol_form(reply: Recognition, picture: bytes, csrf: str) -> str:
    name = html.escape(reply.person.name) if reply.person else ""
    return _ENROL.format(query=f"?csrf={csrf}" if csrf else "", picture=_base64(picture), name=name)


def _base64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()
