"""Inputs for hypothesis: known inputs with changes."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

MAX_CHANGES = 6


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Return one of the seeds, in which some ranges are replaced."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, MAX_CHANGES))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 16)))
        data = data[:start] + draw(st.one_of(PIECES, st.binary(max_size=8))) + data[end:]
    return data


PIECES = st.sampled_from(
    (
        *(b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\n", b"\r\n\r\n", b"--edge"),
        *(b"{", b"[[[[[[", b"}", b'"', b"\\u0000", b"\\ud800", b"1e999", b"NaN", b"-", b"9" * 5_000, b"/", b"/" * 40),
        *(b"\xd9\xd9\xf7", b"\xbf", b"\x9f", b"\xfb", b"\xc2", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\xff\xda", b"&a *a"),
    )
)
"""Bytes that mean something to one of the parsers."""
