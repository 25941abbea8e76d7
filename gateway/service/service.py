"""The one entrance of the gateway: every interface submits its requests here."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, overload

from gateway.contract.base import WireModel
from gateway.model import AdministrationRequest, Reply, Request
from gateway.service.administration import Administration
from gateway.service.recognition import RecognitionService


class Submit(Protocol):
    """Service.submit, as the interfaces use it. ``request.origin.caller`` is the party that asks."""

    @overload
    def __call__(self, request: Request, /) -> Future[Reply]: ...

    @overload
    def __call__(self, request: AdministrationRequest, /) -> Future[WireModel]: ...


class Service:
    """The operations on pictures and on people.

    ``follow``: takes live frames, or is None if they are answered one by one.
    """

    def __init__(
        self,
        recognition: RecognitionService,
        administration: Administration,
        follow: Callable[[Request], Future[Reply]] | None = None,
    ) -> None:
        self._recognition = recognition
        self._administration = administration
        self._follow = follow

    @overload
    def submit(self, request: Request, /) -> Future[Reply]: ...

    @overload
    def submit(self, request: AdministrationRequest, /) -> Future[WireModel]: ...

    def submit(self, request: Request | AdministrationRequest, /) -> Future[Reply] | Future[WireModel]:
        """Return the future of the reply. The future's exception is a GatewayError, or a bug in the gateway."""
        if isinstance(request, Request):
            if request.live and self._follow is not None:
                return self._follow(request)
            return self._recognition.submit(request)
        return self._administration.submit(request)
