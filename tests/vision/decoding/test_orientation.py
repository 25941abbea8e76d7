from __future__ import annotations

import struct

import pytest

from gateway.vision.decoding.orientation import ORIENTATION_AS_STORED, ORIENTATION_TAG, read_orientation


def tiff(order: str, *entries: tuple[int, int, int], start: int = 8, claimed: int | None = None) -> bytes:
    """Return TIFF data with these entries (tag, type, value). ``claimed``: the number of entries in its header."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(order + "I", start) + bytes(start - 8)
    count = struct.pack(order + "H", len(entries) if claimed is None else claimed)
    sizes = {1: "Bxxx", 3: "Hxx", 4: "I"}
    body = [struct.pack(order + "HHI" + sizes.get(kind, "I"), tag, kind, 1, value) for tag, kind, value in entries]
    return head + count + b"".join(body)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [1, 3, 4])
def test_orientation_tag_is_found_among_others(order: str, kind: int) -> None:
    exif = tiff(order, (0x010F, 3, 9), (ORIENTATION_TAG, kind, 6), (0x0131, 3, 7))
    assert read_orientation(exif, b"") == 6
    assert read_orientation(b"Exif\0\0" + exif, b"") == 6


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"garbage garbage",
        tiff(">"),
        tiff(">", (0x010F, 3, 9)),
        tiff(">", (ORIENTATION_TAG, 2, 6)),
        tiff(">", (0x010F, 3, 9), claimed=65_535),
        tiff(">", (ORIENTATION_TAG, 3, 6))[:-4],
        b"MM\0*\xff\xff\xff\xff",
    ],
)
def test_orientation_without_a_readable_tag_is_as_stored(exif: bytes) -> None:
    assert read_orientation(exif, b"") == ORIENTATION_AS_STORED


@pytest.mark.parametrize("xmp", [b'<a tiff:Orientation="8"/>', b"<tiff:Orientation>8</tiff:Orientation>"])
def test_orientation_is_read_from_xmp_without_exif(xmp: bytes) -> None:
    assert read_orientation(b"", xmp) == 8
    assert read_orientation(tiff("<", (ORIENTATION_TAG, 3, 6)), xmp) == 6
