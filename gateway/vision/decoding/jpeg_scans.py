"""Frame and scans of a JPEG: its size, its colours, and the order of their coefficients."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import BadImage, Unsupported

_UNSENT = -1


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan: the ids of its components, its coefficients ``first`` to ``last``, and their bits ``high`` to ``low``."""

    components: tuple[int, ...]
    first: int
    last: int
    high: int
    low: int


@dataclass(frozen=True, slots=True)
class Frame:
    """The header of a picture. ``colours``: its number of components. ``shares``: samples per pixel by component id."""

    width: int
    height: int
    colours: int
    progressive: bool
    shares: dict[int, float]


def damaged_jpeg_error(reason: str) -> BadImage:
    """Return the error for a damaged JPEG."""
    return BadImage(f"the JPEG is damaged: {reason}; send the picture again, whole")


def unsupported_jpeg_error(feature: str) -> Unsupported:
    """Return the error for a JPEG that the decoder does not support."""
    return Unsupported(f"the JPEG has {feature}: save it with 8 bits a channel, as a baseline or progressive JPEG")


def read_frame(body: bytes, *, progressive: bool) -> Frame:
    """Read the frame from the body of its segment. Raises BadImage and Unsupported."""
    if len(body) < 6 or len(body) != 6 + 3 * body[5]:
        raise damaged_jpeg_error("its size cannot be read")
    if body[0] < 8:
        raise damaged_jpeg_error("its colours cannot be read")
    if body[0] > 8:
        raise unsupported_jpeg_error(f"{body[0]} bits a channel")
    if body[5] not in (1, 3, 4):
        raise unsupported_jpeg_error(f"{body[5]} colour channels")
    across, down = [each >> 4 for each in body[7::3]], [each & 15 for each in body[7::3]]
    most = max(across) * max(down)
    if not min(across) or not min(down):
        raise damaged_jpeg_error("its colours cannot be read")
    return Frame(
        width=int.from_bytes(body[3:5], "big"),
        height=int.from_bytes(body[1:3], "big"),
        colours=body[5],
        progressive=progressive,
        shares={each: h * v / most for each, h, v in zip(body[6::3], across, down, strict=True)},
    )


def read_scan(body: bytes, frame: Frame) -> Scan:
    """Read a scan from the body of its segment. Raises BadImage."""
    if not body or not 1 <= body[0] <= 4 or len(body) != 4 + 2 * body[0]:
        raise damaged_jpeg_error("the header of a scan cannot be read")
    components = tuple(body[1 : 1 + 2 * body[0] : 2])
    if not frame.shares.keys() >= set(components):
        raise damaged_jpeg_error("a scan has unknown colour components")
    if not frame.progressive:
        return Scan(components, 0, 63, 0, 0)
    first, last, bits = body[-3:]
    if not first <= last <= 63:
        raise damaged_jpeg_error("the header of a scan cannot be read")
    return Scan(components, first, last, bits >> 4, bits & 15)


def check_progression(scans: list[Scan], frame: Frame) -> None:
    """Raise BadImage unless every bit of every coefficient comes exactly once and in the right order."""
    lowest = {each: [_UNSENT] * 64 for each in frame.shares}
    for scan in scans:
        before = {_UNSENT} if scan.high == 0 else {scan.high}
        for each in set(scan.components):
            if set(lowest[each][scan.first : scan.last + 1]) != before:
                raise damaged_jpeg_error("its scans are in the wrong order")
            lowest[each][scan.first : scan.last + 1] = [scan.low] * (scan.last + 1 - scan.first)
    if any(any(bits) for bits in lowest.values()):
        raise damaged_jpeg_error("it ends before its last scan")
