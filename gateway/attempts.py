"""Attempts of a thread that fail for a while, such as those at a database that is away."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import GatewayError


class Attempts:
    """Attempts at one thing, which a thread repeats until they succeed.

    An error of the gateway is a sentence for people, and is logged in one line, until an attempt succeeds or the error
    changes. Any other exception is a bug in the gateway, and is logged with its traceback. ``failure``: the sentence
    before the error.
    """

    def __init__(self, log: logging.Logger, failure: str) -> None:
        self._log = log
        self._failure = failure
        self._logged: str | None = None

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Log the exception that ends a block. The caller continues after the block."""
        try:
            yield
        except GatewayError as error:
            if str(error) != self._logged:
                self._log.warning("%s: %s", self._failure, error)
            self._logged = str(error)
        except Exception:
            self._log.exception("%s", self._failure)
        else:
            self._logged = None
