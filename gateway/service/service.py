"""The one entrance of the gateway: every interface submits its requests here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol, overload

from gateway.contract.base import WireModel
from gateway.logs import logged_request
from gateway.model import AdministrationRequest, Reply, Request
from gateway.model.audit import RecordEvent, ignore_event
from gateway.service.administration import Administration
from gateway.service.futures import then
from gateway.service.named_answers import (
    BeforeReading,
    ExpectedAnswer,
    NamedAnswers,
    check_nothing,
    hand_over,
    may_name_people,
)
from gateway.service.recognition import RecognitionService
from gateway.service.refusals import find_event
from gateway.service.request_log import log_outcome

Observe = Callable[[Request, "Future[Reply]"], None]


class Submit(Protocol):
    """Service.submit, as the interfaces use it. ``request.origin.caller`` is the party that asks."""

    @overload
    def __call__(self, request: Request, /) -> Future[Reply]: ...

    @overload
    def __call__(self, request: AdministrationRequest, /) -> Future[WireModel]: ...


class Service:
    """The operations on pictures and on people.

    ``follow``: takes live frames, or is None if they are answered one by one. ``record``: gets the refusals and the
    failures that the audit must have. ``observers``: get each request about pictures with its reply, which is done.
    ``answers``: the answers of a replica; None for a single gateway.
    """

    def __init__(
        self,
        recognition: RecognitionService,
        administration: Administration,
        follow: Callable[[Request], Future[Reply]] | None = None,
        record: RecordEvent = ignore_event,
        observers: Sequence[Observe] = (),
        answers: NamedAnswers | None = None,
    ) -> None:
        self._recognition = recognition
        self._administration = administration
        self._follow = follow
        self._record = record
        self._observers = tuple(observers)
        self._answers = answers

    @overload
    def submit(self, request: Request, /) -> Future[Reply]: ...

    @overload
    def submit(self, request: AdministrationRequest, /) -> Future[WireModel]: ...

    def submit(self, request: Request | AdministrationRequest, /) -> Future[Reply] | Future[WireModel]:
        """Return the future of the reply. The future's exception is a GatewayError, or a bug in the gateway."""
        return self._submit(request, None)

    def submit_expected(self, request: Request | AdministrationRequest, expected: ExpectedAnswer) -> Future[Any]:
        """Return what ``submit`` returns. ``expected``: the record of the answer. The caller releases it."""
        return self._submit(request, expected)

    def _submit(self, request: Request | AdministrationRequest, expected: ExpectedAnswer | None) -> Future[Any]:
        with logged_request(request.origin.log_id):
            reply: Future[Any] = self._answer(request, expected)
        reply.add_done_callback(partial(self._note_refusal, request))
        reply.add_done_callback(partial(log_outcome, request))
        if isinstance(request, Request):
            for observe in self._observers:
                reply.add_done_callback(partial(observe, request))
        return reply

    def _answer(self, request: Request | AdministrationRequest, expected: ExpectedAnswer | None) -> Future[Any]:
        if self._answers is None or not may_name_people(request):
            return self._start(request, check_nothing)
        if expected is not None:
            return then(self._start(request, expected.restart_removal_check), expected.take)
        own = self._answers.expect()
        return hand_over(own, self._start(request, own.restart_removal_check))

    def _start(self, request: Request | AdministrationRequest, before_reading: BeforeReading) -> Future[Any]:
        if isinstance(request, AdministrationRequest):
            return self._administration.submit(request, before_reading)
        if request.live and self._follow is not None:
            return self._follow(request)
        return self._recognition.submit(request, before_reading)

    def _note_refusal(self, request: Request | AdministrationRequest, reply: Future[Any]) -> None:
        error = None if reply.cancelled() else reply.exception()
        if error is not None and (event := find_event(request, error)) is not None:
            self._record(event)
