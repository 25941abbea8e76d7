"""Answers over REST that name people: they count as handed over when the response was sent."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from flask import request as http_request

from gateway.rest.transport.environ import SENT_SLOT, SentSlot
from gateway.service.futures import then
from gateway.service.named_answers import NamedAnswers, may_name_people
from gateway.service.service import Submit


def hold_until_sent(submit: Submit, answers: NamedAnswers) -> Submit:
    """Return ``submit`` for the threads of REST. The event loop sends an answer some time after it was made."""

    def submit_and_hold(request: Any) -> Future[Any]:
        if not may_name_people(request):
            return submit(request)
        sent: SentSlot = http_request.environ[SENT_SLOT]
        expected = answers.expect(sent.cut)
        # Also after an error, or if the client leaves: nobody waits for the answer then.
        sent.call_at_end(expected.release)
        return then(submit(request), expected.take)

    return submit_and_hold
