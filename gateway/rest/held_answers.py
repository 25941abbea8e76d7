"""Answers over REST that name people: they count as handed over when the response was sent."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Protocol

from flask import request as http_request

from gateway.rest.transport.environ import SENT_SLOT, SentSlot
from gateway.service.named_answers import ExpectedAnswer, NamedAnswers, may_name_people
from gateway.service.service import Submit


class SubmitsExpected(Protocol):
    """The service, as REST uses it (service/service.py)."""

    @property
    def submit(self) -> Submit: ...

    def submit_expected(self, request: Any, expected: ExpectedAnswer) -> Future[Any]: ...


def hold_until_sent(service: SubmitsExpected, answers: NamedAnswers) -> Submit:
    """Return ``submit`` for the threads of REST. The event loop sends an answer some time after it was made."""

    def submit_and_hold(request: Any) -> Future[Any]:
        if not may_name_people(request):
            return service.submit(request)
        sent: SentSlot = http_request.environ[SENT_SLOT]
        expected = answers.expect(sent.cut)
        # Also after an error, or if the client leaves: nobody waits for the answer then.
        sent.call_at_end(expected.release)
        return service.submit_expected(request, expected)

    return submit_and_hold
