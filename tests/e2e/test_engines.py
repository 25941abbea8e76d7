"""The other engine, and from one to the other: people are known whichever it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app import Gateway, running
from gateway.model import EngineName
from tests.conftest import settings
from tests.support import Broker, Client, frame, wait_for


def who(broker: Broker, base: str, picture: str) -> str | None:
    client = Client(broker.port).subscribe(f"{base}/porch/response/#")
    client.publish(f"{base}/porch/request/face_rec/{picture}", frame(picture))
    result = client.get(60).json
    client.close()
    assert result["status"] == "ok"
    name: str | None = result["name"]
    return name


def skipped(gateway: Gateway) -> tuple[str, ...]:
    """Once it is ready."""
    wait_for(lambda: gateway.health().ready, 60)
    return gateway.known_faces.progress.skipped


def test_stock_dlib_recognises_too(tmp_path: Path, broker: Broker) -> None:
    changes = {"engine": "dlib-hog", "mqtt": {"base": "stock"}, "workers": {"processes": 1}}
    with running(settings(tmp_path / "data", broker, **changes)) as gateway:
        assert skipped(gateway) == ()
        assert who(broker, "stock", "obama_1") == "Barack Obama"
        assert who(broker, "stock", "stranger_1") is None


def test_people_stay_known_when_the_engine_changes_and_their_pictures_are_gone(tmp_path: Path, broker: Broker) -> None:
    """They are described anew from the chips that were kept, there and back."""

    def start(engine: EngineName, **changes: object) -> None:
        one = {"engine": engine, "mqtt": {"base": "change"}, "workers": {"processes": 1}}
        with running(settings(tmp_path / "data", broker, **one, **changes)) as gateway:
            assert skipped(gateway) == ()
            assert len(gateway.known.gallery) == 3
            assert who(broker, "change", "obama_1") == "Barack Obama"
            assert who(broker, "change", "hopper_1") == "Grace Hopper"
            assert who(broker, "change", "stranger_2") is None

    gone = {"folder": tmp_path / "gone"}
    start("facegate")
    start("dlib-hog", people=gone)
    start("facegate", people=gone)


@pytest.mark.parametrize("precision", [{"detector": "f32", "descriptor": "f32"}, {"detector": "int8"}])
def test_people_are_known_whatever_numbers_the_networks_compute_in(
    tmp_path: Path, broker: Broker, precision: dict[str, str]
) -> None:
    changes = {"precision": precision, "mqtt": {"base": "numbers"}, "workers": {"processes": 1}}
    with running(settings(tmp_path / "data", broker, **changes)) as gateway:
        assert skipped(gateway) == ()
        assert who(broker, "numbers", "biden_2") == "Joe Biden"
