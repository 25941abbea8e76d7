"""The answers of ``/face_rec`` and ``/face_match`` as pages, for browsers that posted a form."""

from __future__ import annotations

import base64
import html

from gateway.contract.faces import round_score
from gateway.model import Comparison, Face, Judgement, Recognition
from gateway.rest.pages import answer_page

_PICTURE = '<img src="data:image/jpeg;base64,{picture}" alt="Your picture with the faces that were found">'

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
    """Return the page with the faces of a picture. ``may_enrol``: also offer to enrol the only face."""
    title = reply.person.name if reply.person else "Nobody who is enrolled" if reply.faces else "No face is found"
    content = "".join(
        (
            _PICTURE.format(picture=_base64(reply.annotated)) if reply.annotated else "",
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


def _face_table(reply: Recognition) -> str:
    rows = (_face_row(each, each.judgement, reply.threshold) for each in reply.faces)
    return _FACES.format(rows="\n".join(rows))


def _face_row(face: Face, judgement: Judgement | None, threshold: float) -> str:
    if judgement is None:
        return "<tr><td>a face</td><td></td><td></td></tr>"
    names = (
        judgement.person.name if judgement.person else " or ".join(each.person.name for each in judgement.candidates)
    )
    name = html.escape(names or judgement.verdict.replace("_", " "))
    return f"<tr><td>{name}</td><td>{round_score(judgement.score)}</td><td>{round_score(threshold)}</td></tr>"


def _enrol_form(reply: Recognition, picture: bytes, csrf: str) -> str:
    name = html.escape(reply.person.name) if reply.person else ""
    return _ENROL.format(query=f"?csrf={csrf}" if csrf else "", picture=_base64(picture), name=name)


def _base64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()
