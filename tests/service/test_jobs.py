"""The jobs of requests: whose share of the worker processes they use."""

from __future__ import annotations

import pytest

from gateway.model import Operation, Origin, Request, Search
from gateway.model.caller import REST_CALLER, camera_caller
from gateway.service.jobs import analysis_job


def lane(origin: Origin) -> tuple[str, bool]:
    request = Request(operation=Operation.FACE_REC, pictures=(b"x",), valid_for_s=1, origin=origin)
    job = analysis_job(request, Search(20, None, (), ()))
    return job.lane, job.shared


@pytest.mark.parametrize("sender", ["phone@192.168.1.7", "192.168.1.7"])
def test_each_program_over_rest_has_its_own_share(sender: str) -> None:
    assert lane(Origin(caller=REST_CALLER, sender=sender)) == (f"the REST client {sender}", False)


def test_camera_has_its_own_share() -> None:
    assert lane(Origin(caller=camera_caller("porch"))) == ("porch", True)
