"""The token in the ``Authorization`` header of a request."""

from __future__ import annotations

import base64
import binascii

from gateway.errors import Unauthorized


def read_token(authorization: str) -> str:
    """Return the token of ``Bearer``, or the password of ``Basic``, whose user does not matter. Raise Unauthorized."""
    scheme, _, value = authorization.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            return _read_password(value.strip())
        case _:
            # The text is not quoted: without a scheme, the first word is the token itself.
            raise Unauthorized(
                "the header Authorization must be 'Bearer' and a token, or 'Basic' with the token as the password"
            )


def _read_password(value: str) -> str:
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        raise Unauthorized("the header Authorization is not valid: Basic needs user:token in base64") from None
    return text.partition(":")[2]
