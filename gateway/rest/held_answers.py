"""Answers over REST that name people: they count as handed over when the response is complete."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from flask import Response, after_this_request

from gateway.service.futures import then
from gateway.service.named_answers import NamedAnswers, may_name_people
from gateway.service.service import Submit


def hold_until_written(submit: Submit, answers: NamedAnswers) -> Submit:
    """Return ``submit`` for the threads of REST, which write an answer some time after it was made."""

    def submit_and_hold(request: Any) -> Future[Any]:
        if not may_name_people(request):
            return submit(request)
        expected = answers.expect()

        # Also after an error: the response is complete then, or nobody waits for it.
        @after_this_request
        def release_later(response: Response) -> Response:
            response.call_on_close(expected.release)
            return response

        return then(submit(request), expected.take)

    return submit_and_hold
