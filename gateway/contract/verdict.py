"""The verdict: one line of text for devices that cannot read JSON."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field, RootModel

from gateway.errors import Busy, GatewayError, NoFace
from gateway.model import Comparison, Detection, Enrolment, QualityProblem, Recognition, Reply

MAX_VERDICT_BYTES = 64
_PROBLEMS = "|".join(get_args(QualityProblem))
VERDICT_PATTERN = (
    rf"^(match \d\.\d\d [a-z0-9_]+|(unknown|ambiguous|no_face)( (undecided|{_PROBLEMS}))?|{_PROBLEMS}"
    r"|(same|different) \d\.\d\d|enrolled [a-z0-9_]+|faces \d+|busy \d+|error [a-z_]+)$"
)
"""``unknown``, ``ambiguous`` and ``no_face`` may have a hint, the reason why one more picture may be worth it."""


class VerdictLine(RootModel[Annotated[str, Field(pattern=VERDICT_PATTERN, max_length=MAX_VERDICT_BYTES)]]):
    """The text on the verdict topic of a camera, in ASCII."""


def write_verdict(reply: Reply) -> str:
    match reply:
        case Recognition():
            return _recognition(reply)
        case Comparison():
            return f"{'same' if reply.match else 'different'} {reply.score:.2f}"
        case Enrolment():
            return f"enrolled {reply.person.slug}"
        case Detection():
            return f"faces {len(reply.faces) + reply.left_out}" if reply.faces else "no_face"


def write_error_verdict(error: GatewayError) -> str:
    if isinstance(error, Busy):
        return f"busy {error.retry_after}"
    return error.code if isinstance(error, NoFace) else f"error {error.code}"


def _recognition(reply: Recognition) -> str:
    best = reply.best
    if best is not None and best.person is not None:
        return f"match {best.score:.2f} {best.person.slug}"
    word = (best.verdict if best else None) or "no_face"
    # A quality problem says by itself why another picture may be better.
    return f"{word} {reply.hint}" if reply.hint and word not in get_args(QualityProblem) else word
