"""An event of Frigate, from the message on the broker to the name at Frigate and the events of this gateway."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.frigate_stand_in import Event, FrigateStandIn
from gateway.app import running
from tests.conftest import settings
from tests.support import Broker, Client, frame, wait_for


def test_event_of_frigate_becomes_a_sighting_with_its_name(broker: Broker, tmp_path: Path) -> None:
    frigate, now = FrigateStandIn("0.18"), time.time()
    event = Event(
        id=f"{now:.6f}-mxklsc",
        camera="porch",
        start=now,
        frame=frame("obama_1"),
        frame_time=now,
        box=(300, 60, 640, 480),
        zones=("drive",),
    )
    frigate.add(event)
    changed = settings(
        tmp_path / "data",
        broker,
        mqtt={"base": "withfrigate"},
        frigate={"home": {"url": frigate.url, "topic_prefix": "nvr"}},
    )
    client = Client(broker.port).subscribe("withfrigate/porch/event", "withfrigate/porch/present")
    with frigate.running(), running(changed) as gateway:
        wait_for(lambda: gateway.health().ready)
        client.publish("nvr/events", event.message("new"))
        recognised = client.get().json
        while recognised.get("event_type") != "recognised":
            recognised = client.get().json
        assert (recognised["camera"], recognised["name"]) == ("porch", "Barack Obama")
        assert (recognised["frigate_event"], recognised["zones"]) == (event.id, ["drive"])
        wait_for(lambda: event.sub_label == "Barack Obama")
        # the camera sends frames of its own from now on: Frigate's pictures are not used any more
        client.publish("withfrigate/porch/frame", frame("empty_1"), qos=0)
        wait_for(lambda: gateway.metrics.snapshot()["requests"] >= 2)
        client.publish("nvr/events", Event(id="1-b", camera="porch", start=now).message("new"))
        wait_for(lambda: any("its own frames and from Frigate" in each for each in gateway.health().warnings))
    client.close()
