"""The numbers about requests on pictures: their outcomes, their times, and the faces in their replies."""

from __future__ import annotations

from concurrent.futures import Future

from gateway.errors import code_of
from gateway.metrics import Metrics
from gateway.model import Recognition, Reply, Request


def count_outcome(metrics: Metrics, reply: Future[Reply]) -> None:
    """Count a reply, which is done, or its error. One that was cancelled is not counted."""
    if reply.cancelled():
        return
    if (error := reply.exception()) is not None:
        metrics.count_error(code_of(error))
    else:
        metrics.count("replies")


class RequestMetrics:
    """The part that counts the times and the faces of each reply."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def observe(self, request: Request, reply: Future[Reply]) -> None:
        """Count a reply, which is done. One with an error has no times."""
        if reply.cancelled() or reply.exception() is not None:
            return
        result = reply.result()
        self._metrics.observe_stages(request.origin.camera, result.timing)
        # The faces of an unchanged scene were compared before.
        if isinstance(result, Recognition) and not result.unchanged:
            for face in result.faces:
                if face.judgement is not None:
                    self._metrics.observe_face(face.judgement.verdict, face.judgement.margin)
