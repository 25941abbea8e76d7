"""Node.js buffers in JSON, as Node-RED writes a picture: ``{"type":"Buffer","data":[255,216,…]}``."""

from __future__ import annotations

import base64
import json
import re

from gateway.errors import BadRequest, TooLarge

MAX_NUMBERS_CHARACTERS = 8_000_000
"""Characters of all buffers of a message: 2 MB of pictures, which take an eighth of a second to read."""

_BUFFER = re.compile(rb'\{\s*"type"\s*:\s*"Buffer"\s*,\s*"data"\s*:\s*\[([0-9,\s]*)\]\s*\}')


def replace_buffers(text: bytes) -> bytes:
    """Return the JSON with base64 in place of each buffer. Raise BadRequest or TooLarge."""
    if b'"Buffer"' not in text:
        return text
    found = sum(len(each[1]) for each in _BUFFER.finditer(text))
    if found > MAX_NUMBERS_CHARACTERS:
        raise TooLarge(
            f"the buffer has {found} characters of JSON, more than {MAX_NUMBERS_CHARACTERS}: send the picture's bytes"
            " (in Node-RED without a json node)"
        )
    return _BUFFER.sub(lambda buffer: b'"' + base64.b64encode(_read_numbers(buffer[1])) + b'"', text)


def _read_numbers(text: bytes) -> bytes:
    # The text has digits, commas and white space only.
    try:
        return bytes(json.loads(b"[" + text + b"]"))
    except ValueError:
        raise BadRequest("the data of a Buffer must be numbers from 0 to 255, separated by commas") from None
