"""Record answers of a real gateway as the examples of the OpenAPI document: ``python -m tests.record_examples``."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import requests

from gateway.app import running
from gateway.rest.description.answer_examples import EXAMPLES_FILE
from tests.conftest import settings
from tests.support import WAIT_S, Client, broker_running, frame, wait_for

MAX_TEXT = 60
"""Characters of a text in an example: pictures in base64 are longer."""


def shortened(value: Any) -> Any:
    """Return an example with short texts, and with the first entries of each list."""
    if isinstance(value, dict):
        return {name: shortened(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shortened(each) for each in value[:4]]
    return f"{value[:MAX_TEXT]}…" if isinstance(value, str) and len(value) > 2 * MAX_TEXT else value


def record(url: str, client: Client) -> dict[str, Any]:
    """Return the examples by the names of the routes."""
    found: dict[str, Any] = {}

    def ask(name: str, method: str, path: str, **request: Any) -> Any:
        answer = requests.request(method, url + path, timeout=WAIT_S, **request)
        answer.raise_for_status()
        found[name] = shortened(answer.json())
        return answer.json()

    one, other = frame("obama_1"), frame("biden_1")
    ask("face_rec", "POST", "/face_rec?face_locations=true", data=one)
    ask("face_match", "POST", "/face_match", files={"file1": one, "file2": other})
    ask("recognise", "POST", "/api/v1/recognise", data=one)
    ask("match", "POST", "/api/v1/match", files={"image1": one, "image2": other})
    ask("verify", "POST", "/api/v1/verify/barack_obama", data=one)
    ask("detect", "POST", "/api/v1/detect", data=other)
    for _ in range(6):
        client.publish("facegate/porch/frame", one)
    ask("people_list", "GET", "/api/v1/people")
    ask("people_show", "GET", "/api/v1/people/barack_obama")
    ask("people_add_pictures", "POST", "/api/v1/people/joe_biden/pictures", data=frame("biden_2"))
    wait_for(lambda: requests.get(f"{url}/api/v1/sightings", timeout=WAIT_S).json()["sightings"])
    sighting = ask("sightings_list", "GET", "/api/v1/sightings")["sightings"][0]["sighting"]
    ask("sightings_show", "GET", f"/api/v1/sightings/{sighting}")
    ask("unknowns_list", "GET", "/api/v1/unknowns")
    ask("cameras_list", "GET", "/api/v1/cameras")
    ask("cameras_disable", "POST", "/api/v1/cameras/porch/disable")
    ask("people_audit", "GET", "/api/v1/audit?limit=2")
    for name, path in (("healthz", "/healthz"), ("readyz", "/readyz"), ("session", "/session")):
        ask(name, "GET", path)
    ask("health", "GET", "/api/v1/health")
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, broker_running(Path(folder)) as broker:
        own = settings(Path(folder) / "data", broker)
        with running(own) as gateway:
            wait_for(lambda: gateway.health().ready)
            client = Client(broker.port)
            examples = record(f"http://127.0.0.1:{own.rest.port}", client)
            client.close()
    EXAMPLES_FILE.write_text(json.dumps(examples, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
