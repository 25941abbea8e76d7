"""The verdict: one line of text for devices that cannot read JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, RootModel

from gateway.errors import Busy, GatewayError, NoFace
from gateway.model import Comparison, Detection, Enrolment, Recognition, Reply

MAX_VERDICT_BYTES = 64
VERDICT_PATTERN = (
    r"^(match \d\.\d\d [a-z0-9_]+|unknown|ambiguous|too_small|too_dark|blurred|turned|cut_off|compressed|no_face"
    r"|(same|different) \d\.\d\d|enrolled [a-z0-9_]+|faces \d+|busy \d+|error [a-z_]+)$"
)


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
    best = reply.best.judgement if reply.best else None
    if best is None:
        return "no_face"
    return f"match {best.score:.2f} {best.person.slug}" if best.person else best.verdict
