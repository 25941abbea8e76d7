"""The errors of a page: messages in the browser's console, and requests to other machines."""

from __future__ import annotations

import re

from playwright.sync_api import ConsoleMessage, Page, Request


class Faults:
    """The errors of a page. ``allowed``: the statuses of refusals that the test expects."""

    def __init__(self, page: Page, url: str) -> None:
        self.allowed: set[int] = set()
        self._found: list[str] = []
        self._url = url
        page.on("console", self._add_message)
        page.on("pageerror", lambda error: self._found.append(str(error)))
        page.on("request", self._add_request)

    def unexpected(self) -> list[str]:
        allowed = [f"a status of {status} " for status in self.allowed]
        return [each for each in self._found if not any(text in each for text in allowed)]

    def _add_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._found.append(f"{message.text} ({message.location.get('url')})")

    def _add_request(self, request: Request) -> None:
        if not re.match(rf"{re.escape(self._url)}/|blob:|data:", request.url):
            self._found.append(f"a request to {request.url}")
