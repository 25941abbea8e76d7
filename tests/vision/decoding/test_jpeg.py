from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import simplejpeg

from gateway.errors import BadImage, TooLarge, Unsupported
from gateway.model import PictureLimits
from gateway.vision.decoding import jpeg
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.decoding.jpeg import MAX_FULL_PASSES, MAX_SCANS, MAX_SEGMENTS, read_jpeg
from tests.examples import Scans, encoded, grey_jpeg, jpeg_segment
from tests.support import FRAMES, KNOWN_FACES, frame

LIMITS = PictureLimits()
EOI = b"\xff\xd9"
NAMES = sorted(path.stem for path in FRAMES.glob("*.jpg"))
PROGRESSIVE: Scans = [((0, 1, 2), 0, 0, 0, 1), *(((each,), 1, 63, 0, 0) for each in range(3)), ((0, 1, 2), 0, 0, 1, 0)]
"""Five scans: the means of the blocks without their last bit, then everything else, then this bit."""


def read(data: bytes) -> Picture:
    return decode(data, LIMITS)


def start_of_data(data: bytes) -> int:
    at = data.index(b"\xff\xda") + 2
    return at + int.from_bytes(data[at : at + 2], "big")


def encode_again(data: bytes, **options: object) -> bytes:
    with PIL.Image.open(io.BytesIO(data)) as image:
        return encoded(image.convert("RGB"), "JPEG", quality=85, **options)


KINDS = {
    "baseline": frame("obama_1"),
    "grey": encoded(PIL.Image.open(io.BytesIO(frame("biden_1"))).convert("L"), "JPEG"),
    "CMYK": encoded(PIL.Image.open(io.BytesIO(frame("biden_1"))).convert("CMYK"), "JPEG"),
    "restarts": encode_again(frame("obama_2"), restart_marker_rows=1),
    "progressive": encode_again(frame("hopper_1"), progressive=True),
}


def cut_in_the_data(data: bytes) -> Iterator[bytes]:
    start, end = start_of_data(data), len(data) - len(EOI)
    for percent in (2, 10, 25, 50, 75, 90, 99):
        yield data[: start + (end - start) * percent // 100]


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
def test_truncated_jpeg_is_damaged_with_any_last_bytes(data: bytes) -> None:
    """Regression: libjpeg fills a missing part with grey, and only files without an end marker were refused."""
    for part in cut_in_the_data(data):
        for tail in (b"", EOI, bytes(len(data) - len(part)) + EOI, b"\r\n--frame\r\n"):
            with pytest.raises(BadImage, match=r"the JPEG is damaged: .*; send the picture again, whole"):
                read(part + tail)


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("percent", [10, 50, 80])
def test_jpeg_without_one_packet_is_damaged(data: bytes, percent: int) -> None:
    """A TCP segment carries 1460 bytes."""
    at = len(data) * percent // 100
    with pytest.raises(BadImage, match="the JPEG is damaged"):
        read(data[:at] + data[at + 1460 :])


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
def test_jpeg_of_parts_of_two_frames_is_damaged(data: bytes) -> None:
    other = frame("stranger_1")
    for part in cut_in_the_data(data):
        for tail in (other[len(part) :] or other[-5000:], other):
            with pytest.raises(BadImage, match="the JPEG is damaged"):
                read(part + tail)


def test_jpeg_without_one_restart_interval_is_damaged() -> None:
    data = KINDS["restarts"]
    third, fourth = data.index(b"\xff\xd2"), data.index(b"\xff\xd3")
    with pytest.raises(BadImage, match="the JPEG is damaged"):
        read(data[:third] + data[fourth:])


@pytest.mark.parametrize("name", ["first_2_percent_and_eoi", "lost_1460_bytes_at_20000", "torn_two_frames"])
def test_damaged_cases_are_refused(name: str, shared: Path) -> None:
    with pytest.raises(BadImage, match="the JPEG is damaged"):
        read((shared / "cases" / f"{name}.jpg").read_bytes())


@pytest.mark.parametrize("name", ["no_eoi", "crlf_before", "lying_obama", "lying_biden"])
def test_intact_cases_are_read(name: str, shared: Path) -> None:
    assert read((shared / "cases" / f"{name}.jpg").read_bytes()).shape[2] == 3


@pytest.mark.parametrize(
    "path", sorted(FRAMES.glob("*.jpg")) + sorted(KNOWN_FACES.glob("*/*.jpg")), ids=lambda p: p.stem
)
def test_pictures_of_the_project_are_intact(path: Path) -> None:
    assert read(path.read_bytes()).shape[2] == 3


def test_pictures_of_every_source_are_intact(shared: Path) -> None:
    paths = [path for path in shared.rglob("*.jp*g") if path.parent.name not in ("cases", "press")]
    for path in paths[::10]:
        assert read(path.read_bytes()).shape[2] == 3, path


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(
    ("cut", "tail"),
    [
        pytest.param(2, b"", id="without its end marker"),
        pytest.param(1, b"", id="with half of its end marker"),
        pytest.param(2, b"\r\n--frame\r\n", id="the next part of a stream in place of its end marker"),
        pytest.param(2, bytes(300), id="zeros in place of its end marker"),
        pytest.param(2, frame("biden_2"), id="the next frame in place of its end marker"),
        pytest.param(2, bytes(20) + EOI, id="padding before its end marker"),
        pytest.param(2, b"\xa5\x5a\x01" + EOI, id="stray bytes before its end marker"),
        pytest.param(0, bytes(600), id="zeros behind it"),
        pytest.param(0, b"\xff\xda\x12\x34" * 100, id="a film behind it"),
        pytest.param(0, frame("biden_2")[:9000], id="half of the next frame behind it"),
    ],
)
def test_jpeg_without_its_end_marker_is_read(data: bytes, cut: int, tail: bytes) -> None:
    assert (read(data[: len(data) - cut] + tail) == read(data)).all()


@pytest.mark.parametrize("length", [*range(1, 10)])
def test_few_superfluous_bytes_before_a_restart_marker_are_no_damage(length: int) -> None:
    """MJPEG webcams write such files."""
    data = KINDS["restarts"]
    at = data.index(b"\xff\xd3")
    stray = bytes(range(1, length + 1))
    assert (read(data[:at] + stray + data[at:]) == read(data)).all()


def test_many_superfluous_bytes_before_a_restart_marker_are_damage() -> None:
    data = KINDS["restarts"]
    at = data.index(b"\xff\xd3")
    with pytest.raises(BadImage, match=r"200 extraneous|19\d extraneous"):
        read(data[:at] + bytes(range(1, 201)) + data[at:])


def test_jpeg_without_huffman_tables_is_read() -> None:
    """MJPEG cameras omit these tables. The decoder then uses those of the standard."""
    data = encoded(PIL.Image.open(io.BytesIO(frame("obama_1"))), "JPEG")
    segments = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xc4"]
    bare = data[: segments[0]] + data[data.index(b"\xff\xda") :]
    assert (read(bare) == read(data)).all()


@pytest.mark.parametrize(
    ("at", "old", "new"),
    [
        pytest.param(11, b"\x01\x01", b"\x07\x01", id="JFIF of an unknown version"),
        pytest.param(-3, b"\0\x3f\0", b"\0\0\0", id="a scan that does not say what it has"),
    ],
)
def test_unusual_header_does_not_hide_damage(at: int, old: bytes, new: bytes) -> None:
    """simplejpeg reports only the first warning, which would be about the header."""
    data = frame("obama_1")
    place = at if at > 0 else start_of_data(data) + at
    assert data[place : place + len(old)] == old
    odd = data[:place] + new + data[place + len(new) :]
    assert (read(odd) == read(data)).all()
    with pytest.raises(BadImage, match="the JPEG is damaged"):
        read(odd[:40_000] + EOI)


@pytest.mark.parametrize("code", [0, 1, 2, 7])
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_unknown_colour_code_is_no_damage(mode: str, code: int) -> None:
    """libjpeg warns about the code, and decodes the picture like Pillow."""
    with PIL.Image.open(io.BytesIO(frame("biden_1"))) as image:
        data = encoded(image.convert(mode), "JPEG")
    adobe = jpeg_segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([code]))
    odd = data[:2] + adobe + data[data.index(b"\xff\xdb") :]
    with PIL.Image.open(io.BytesIO(odd)) as image:
        assert (read(odd) == np.asarray(image.convert("RGB"))).all()


def test_clean_jpeg_contains_only_data_of_the_pixels() -> None:
    picture = PIL.Image.new("RGB", (32, 16), (200, 100, 50))
    data = encoded(picture, "JPEG", comment=b"a comment", icc_profile=bytes(1000), exif=b"Exif\0\0MM\0*")
    clean = read_jpeg(data + b"a film", LIMITS).clean
    assert clean == encoded(picture, "JPEG")


@pytest.mark.parametrize(
    ("marker", "what"),
    [(0xC3, "lossless"), (0xC5, "hierarchical"), (0xC9, "arithmetic"), (0xCA, "arithmetic"), (0xF7, "lossless")],
)
def test_other_codings_are_unsupported(marker: int, what: str) -> None:
    data = bytearray(frame("obama_1"))
    data[data.index(b"\xff\xc0") + 1] = marker
    with pytest.raises(Unsupported, match=f"{what} coding: save it with 8 bits a channel, as a baseline or progr"):
        read(bytes(data))


def test_12_bits_are_unsupported(shared: Path) -> None:
    with pytest.raises(Unsupported, match="12 bits a channel"):
        read((shared / "cases" / "claims_12_bits.jpg").read_bytes())
    data = bytearray(frame("obama_1"))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(Unsupported, match="12 bits a channel"):
        read(bytes(data))


def test_two_colours_are_unsupported() -> None:
    with pytest.raises(Unsupported, match="2 colour channels"):
        read(grey_jpeg(32, 16, (0x11, 0x11)))


@pytest.mark.parametrize(
    "scans",
    [
        pytest.param(PROGRESSIVE[:-1], id="the last is missing"),
        pytest.param([*PROGRESSIVE[:3], *PROGRESSIVE[4:]], id="one is missing"),
        pytest.param(PROGRESSIVE[1:], id="the first is missing"),
        pytest.param([*PROGRESSIVE, PROGRESSIVE[-1]], id="the last comes twice"),
        pytest.param([*PROGRESSIVE[:2], *PROGRESSIVE[1:]], id="one comes twice"),
    ],
)
def test_incomplete_or_repeated_scans_are_damage(scans: Scans) -> None:
    with pytest.raises(
        BadImage, match=r"damaged: its scans are in the wrong order|damaged: it ends before its last scan"
    ):
        read(grey_jpeg(64, 48, scans=scans))
    assert (read(grey_jpeg(64, 48, scans=PROGRESSIVE)) == 128).all()


def test_sequential_jpeg_with_a_scan_per_colour_is_read() -> None:
    data = grey_jpeg(64, 48, scans=[((each,), 0, 63, 0, 0) for each in range(3)])
    assert (read(data) == 128).all()
    with pytest.raises(BadImage, match="damaged: it ends before its last scan"):
        read(data[: data.rindex(b"\xff\xda")] + EOI)


def file_of_segments(segment: bytes) -> bytes:
    data = frame("obama_1")
    return data[:2] + segment * (9_900_000 // len(segment)) + data[2:]


@pytest.mark.parametrize(
    "segment",
    [
        pytest.param(jpeg_segment(0xFE, b""), id="comments"),
        pytest.param(jpeg_segment(0xE1, b"Exif\0\0"), id="EXIF"),
        pytest.param(jpeg_segment(0xE2, b"ICC_PROFILE\0\1\1"), id="colour profiles"),
        pytest.param(jpeg_segment(0xED, b"Photoshop 3.0\0"), id="Photoshop"),
        pytest.param(jpeg_segment(0xDD, b"\0\0"), id="restart intervals"),
        pytest.param(b"\xff\xd0", id="restart markers"),
    ],
)
def test_jpeg_with_too_many_segments_is_refused(segment: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a header of 9.9 MB took up to 9.7 s."""
    monkeypatch.delattr(simplejpeg, "decode_jpeg")
    with pytest.raises(BadImage, match=f"more than {MAX_SEGMENTS} segments"):
        read(file_of_segments(segment))


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\0", b"\0", b"\n"])
def test_bytes_between_segments_take_no_time(filler: bytes) -> None:
    """Regression: each of 9.9 million fill bytes was read separately, which took 9.7 s."""
    data = frame("obama_1")
    at = data.index(b"\xff\xdb")
    found = read_jpeg(data[:at] + filler * (9_900_000 // len(filler)) + data[at:], LIMITS)
    assert found.clean == read_jpeg(data, LIMITS).clean


def test_jpeg_with_too_many_passes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a file of 101 kB with 100 scans over 25 megapixels took 5.8 s."""
    monkeypatch.delattr(simplejpeg, "decode_jpeg")
    scans = [((0,), 0, 0, 0, 0), *(((0,), each, each, 0, 0) for each in range(1, 64))]
    with pytest.raises(TooLarge, match="5000 x 5000 pixels has too many scans, more than 20 for 25000000 pixels"):
        read(grey_jpeg(5000, 5000, (0x11,), [*scans[:MAX_FULL_PASSES], ((0,), 20, 63, 0, 0)]))


@pytest.mark.parametrize(("side", "passes"), [(100, MAX_FULL_PASSES), (70, 2 * MAX_FULL_PASSES)])
def test_smaller_jpeg_may_have_more_passes(side: int, passes: int) -> None:
    limits = PictureLimits(pixels=10_000)
    single = [((0,), each, each, 0, 0) for each in range(passes - 1)]
    scans = [*single, ((0,), passes - 1, 63, 0, 0)]
    assert (decode(grey_jpeg(side, side, (0x11,), scans), limits) == 128).all()


@pytest.mark.parametrize("sampling", [0, 2])
def test_progressive_jpeg_of_the_largest_size_is_read(sampling: int) -> None:
    """Encoders make 8 or 14 passes over all blocks."""
    limits = PictureLimits(pixels=40_000)
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    data = encoded(PIL.Image.fromarray(pixels), "JPEG", progressive=True, subsampling=sampling)
    assert decode(data, limits).shape == (200, 200, 3)


def test_progressive_case_is_refused(shared: Path) -> None:
    with pytest.raises((TooLarge, BadImage)):
        read((shared / "cases" / "progressive-101kB.jpg").read_bytes())


def test_number_of_scans_is_limited_for_any_size() -> None:
    scans = [((0,), 0, 0, 0, 0), *[((0,), 1, 1, 0, 0)] * MAX_SCANS]
    with pytest.raises(BadImage, match=f"more than {MAX_SCANS} scans"):
        read(grey_jpeg(8, 8, (0x11,), scans))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(jpeg_segment(0xC0, b""), id="no size"),
        pytest.param(jpeg_segment(0xC0, struct.pack(">BHHB", 8, 8, 8, 1) + b"\1\0\0"), id="sampled by nothing"),
        pytest.param(jpeg_segment(0xC0, struct.pack(">BHHB", 8, 8, 8, 1) + b"\1\x11\0") * 2, id="two sizes"),
        pytest.param(b"\xff\xe1\0\1", id="a segment of one byte"),
        pytest.param(b"\xff\xe1\xff\xff", id="a segment that is cut off"),
    ],
)
def test_invalid_header_is_damage(header: bytes) -> None:
    scan = jpeg_segment(0xDA, b"\1\1\0\0\x3f\0") + bytes(10) + EOI
    with pytest.raises(BadImage, match="the JPEG is damaged"):
        read(b"\xff\xd8" + header + scan)


@pytest.mark.parametrize("body", [b"", b"\1\1\0\0\x3f", b"\1\7\0\0\x3f\0", b"\0\0\x3f\0", b"\5" + bytes(13)])
def test_invalid_scan_is_damage(body: bytes) -> None:
    data = grey_jpeg(64, 48)
    at = data.index(b"\xff\xda")
    with pytest.raises(BadImage, match="the JPEG is damaged"):
        read(data[:at] + jpeg_segment(0xDA, body) + bytes(100) + EOI)


def test_markers_have_the_numbers_of_the_standard() -> None:
    assert (jpeg.START_MARKER, jpeg.END_MARKER) == (b"\xff\xd8", EOI)
