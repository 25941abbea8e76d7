"""The jobs of requests: whose share of the worker processes they use."""

from __future__ import annotations

import pytest

from gateway.model import Analysis, Image, Operation, Origin, PictureLimits, Request, Search
from gateway.model.caller import REST_CALLER, camera_caller
from gateway.model.coded_warnings import CodedWarning
from gateway.service.jobs import analysis_job, reduction_warnings
from gateway.workers.job import Report


def lane(origin: Origin) -> tuple[str, bool]:
    request = Request(operation=Operation.FACE_REC, pictures=(b"x",), valid_for_s=1, origin=origin)
    job = analysis_job(request, Search(20, None, (), ()))
    return job.lane, job.shared


@pytest.mark.parametrize("sender", ["phone@192.168.1.7", "192.168.1.7"])
def test_each_program_over_rest_has_its_own_share(sender: str) -> None:
    assert lane(Origin(caller=REST_CALLER, sender=sender)) == (f"the REST client {sender}", False)


def test_camera_has_its_own_share() -> None:
    assert lane(Origin(caller=camera_caller("porch"))) == ("porch", True)


def report(*sizes: tuple[int, int]) -> Report:
    return Report(tuple(Analysis(Image(*size, 5_000), (), {}) for size in sizes), queue_ms=0.0, dropped=0)


def test_picture_that_was_reduced_has_a_warning_with_its_number() -> None:
    limits = PictureLimits(pixels=25_000_000, jpeg_pixels=65_000_000)
    (warning,) = reduction_warnings(report((9248, 6936)), limits)
    assert isinstance(warning, CodedWarning)
    assert (warning.code, warning.picture) == ("reduced_picture", None)
    assert "9248 x 6936 pixels, more than 25000000 (limits.pixels): it was reduced to 4/8 of its sides" in warning
    (second,) = reduction_warnings(report((5000, 5000), (5001, 5000)), limits)
    assert isinstance(second, CodedWarning)
    assert second.picture == 2
