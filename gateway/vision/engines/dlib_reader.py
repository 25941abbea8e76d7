"""A reader of the values in dlib's serialised files.

The format (dlib 19.3 and later, ``dlib/serialize.h`` and ``dlib/dnn``) consists of these values:

- An integer is a control byte, then its bytes, little-endian. The low four bits of the control byte are the number of
  bytes; 0x80 marks a negative number.
- A float is an integer mantissa and an integer exponent of two.
- A tensor is a version, four dimensions and raw float32.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


class DlibReader:
    """The values of a file, read in order. The methods raise ValueError if the file is damaged."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        if count < 0 or self._at + count > len(self._data):
            raise ValueError("the file ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def integer(self) -> int:
        control = self.take(1)[0]
        value = int.from_bytes(self.take(control & 0x0F), "little")
        return -value if control & 0x80 else value

    def integers(self, count: int) -> tuple[int, ...]:
        return tuple(self.integer() for _ in range(count))

    def real(self) -> float:
        mantissa, exponent = self.integers(2)
        # Such exponents are infinity and NaN, which these networks do not have.
        if exponent >= 32000:
            raise ValueError("the file has a number that is not finite")
        return math.ldexp(mantissa, exponent)

    def reals(self, count: int) -> tuple[float, ...]:
        return tuple(self.real() for _ in range(count))

    def text(self) -> str:
        return self.take(self.integer()).decode("latin-1")

    def version(self, *known: str) -> str:
        """Read the name of a layer with its version, and return it. Raises ValueError unless it is in ``known``."""
        found = self.text()
        if found not in known:
            raise ValueError(f"the file has {found!r} instead of {' or '.join(known)}")
        return found

    def tensor(self) -> Array:
        """Return all numbers of a tensor, shape (n,)."""
        if self.integer() != 2:
            raise ValueError("a tensor has an unknown version")
        count = math.prod(self.integers(4))
        return np.frombuffer(self.take(4 * count), "<f4").astype(np.float32)

    def shape(self) -> tuple[int, ...]:
        """Return the four dimensions of a part of a tensor, which dlib calls an alias."""
        if self.integer() != 1:
            raise ValueError("an alias has an unknown version")
        return self.integers(4)

    def check_end(self) -> None:
        if self._at != len(self._data):
            raise ValueError("the file is too long")
