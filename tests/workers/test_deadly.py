from __future__ import annotations

import pytest

from gateway.errors import BadImage
from gateway.workers import deadly
from gateway.workers.deadly import DeadlyPictures


def test_one_death_refuses_nothing() -> None:
    pictures = DeadlyPictures()
    pictures.died([b"one"])
    pictures.check([b"one"])


def test_two_deaths_refuse_that_picture_alone() -> None:
    pictures = DeadlyPictures()
    for _ in range(2):
        pictures.died([b"one"])
    with pytest.raises(BadImage, match="2 worker processes died"):
        pictures.check([b"one"])
    pictures.check([b"another"])
    with pytest.raises(BadImage):
        pictures.check([b"another", b"one"])


def test_of_two_pictures_in_one_job_each_may_have_been_it() -> None:
    pictures = DeadlyPictures()
    pictures.died([b"one", b"another"])
    pictures.died([b"one", b"a third"])
    with pytest.raises(BadImage):
        pictures.check([b"one"])
    pictures.check([b"another", b"a third"])


def test_only_so_many_are_remembered_and_the_latest_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """With memory for each, whoever sends them would fill it."""
    monkeypatch.setattr(deadly, "MOST", 3)
    pictures = DeadlyPictures()
    for _ in range(2):
        pictures.died([b"old"])
    for name in (b"1", b"2"):
        pictures.died([name])
    with pytest.raises(BadImage):
        pictures.check([b"old"])
    pictures.died([b"old"])  # the latest again
    for name in (b"3", b"4"):
        pictures.died([name])
    assert len(pictures._deaths) == 3
    with pytest.raises(BadImage):
        pictures.check([b"old"])
    pictures.died([b"5"])
    pictures.check([b"old"])


def test_the_pictures_themselves_are_not_kept() -> None:
    pictures = DeadlyPictures()
    pictures.died([bytes(10_000_000)])
    assert max(map(len, pictures._deaths)) <= 64
