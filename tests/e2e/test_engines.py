"""People are recognised with each engine, and after a change of the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app import Gateway, running
from gateway.model import EngineName
from tests.conftest import settings
from tests.support import Broker, Client, frame, wait_for


def recognised_name(broker: Broker, base: str, picture: str) -> str | None:
    client = Client(broker.port).subscribe(f"{base}/porch/response/#")
    client.publish(f"{base}/porch/request/face_rec/{picture}", frame(picture))
    result = client.get(60).json
    client.close()
    assert result["status"] == "ok"
    name: str | None = result["name"]
    return name


def skipped_pictures(gateway: Gateway) -> tuple[str, ...]:
    """Return the skipped pictures when the gateway is ready."""
    wait_for(lambda: gateway.health().ready, 60)
    return gateway.people.folder.progress.skipped


def test_stock_dlib_recognises_people(tmp_path: Path, broker: Broker) -> None:
    changes = {"engine": "dlib-hog", "mqtt": {"base": "stock"}, "workers": {"processes": 1}}
    with running(settings(tmp_path / "data", broker, **changes)) as gateway:
        assert skipped_pictures(gateway) == ()
        assert recognised_name(broker, "stock", "obama_1") == "Barack Obama"
        assert recognised_name(broker, "stock", "stranger_1") is None


def test_people_are_recognised_after_a_change_of_the_engine(tmp_path: Path, broker: Broker) -> None:
    """The descriptors are computed again from the stored chips, for another engine and for the first one again."""

    def start(engine: EngineName, **changes: object) -> None:
        one = {"engine": engine, "mqtt": {"base": "change"}, "workers": {"processes": 1}}
        with running(settings(tmp_path / "data", broker, **one, **changes)) as gateway:
            assert skipped_pictures(gateway) == ()
            assert len(gateway.people.gallery) == 3
            assert recognised_name(broker, "change", "obama_1") == "Barack Obama"
            assert recognised_name(broker, "change", "hopper_1") == "Grace Hopper"
            assert recognised_name(broker, "change", "stranger_2") is None

    gone = {"folder": tmp_path / "gone"}
    start("facegate")
    start("dlib-hog", people=gone)
    start("facegate", people=gone)


@pytest.mark.parametrize("precision", [{"detector": "f32", "descriptor": "f32"}, {"detector": "int8"}])
def test_people_are_recognised_in_each_precision_of_the_networks(
    tmp_path: Path, broker: Broker, precision: dict[str, str]
) -> None:
    changes = {"precision": precision, "mqtt": {"base": "numbers"}, "workers": {"processes": 1}}
    with running(settings(tmp_path / "data", broker, **changes)) as gateway:
        assert skipped_pictures(gateway) == ()
        assert recognised_name(broker, "numbers", "biden_2") == "Joe Biden"
