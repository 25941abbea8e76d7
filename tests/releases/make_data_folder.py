"""Makes the data folders of this version, which later versions must be able to read.

``python -m tests.releases.make_data_folder`` runs a gateway with a broker and the project's own pictures, kills it in
the middle of a sighting, and writes into the folder of the version:

- ``plain.tar.xz`` and ``sealed.tar.xz``: the data folder, without a key and with the key KEY; and ``elsewhere``, a
  backup outside of the data folder of before an erasure,
- ``plain.json`` and ``sealed.json``: what the gateway answered about its data just before it was killed, and the
  retained messages that it left at the broker.

The maintainer runs it once for each release, before the tag (docs/how-to/release.md). A folder never changes later.
"""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from gateway import __version__
from tests.e2e.gateway_processes import retained_messages, start_gateway
from tests.support import KNOWN_FACES, WAIT_S, Broker, Client, broker_running, frame, free_port, wait_for

FOLDER = Path(__file__).parent
KEY = base64.b64encode(b"the key of the tests, no secret!").decode()
KINDS = ("plain", "sealed")
BASE = "facegate"

LONG_S = 600
"""The longest wait for anything, also on a machine that is busy with other work."""

QUERIES = ("people", "people/joe_biden", "people/barack_obama", "unknowns", "sightings", "cameras", "tokens", "audit")
"""The paths of REST whose answers are recorded."""

NOT_STORED = ("models", "lock", "people.sqlite-shm")
"""Parts of a data folder that are left out: the converted networks are large, and each is made again."""

PEOPLE_IN_KNOWN_FACES = ("Grace_Hopper", "Joe_Biden")
"""The folders of the repository's ``known_faces`` that belong to the data folder."""


def main() -> None:
    """Make both folders of this version."""
    target = FOLDER / __version__
    if target.exists():
        sys.exit(f"make_data_folder: {target} exists already: the data folder of a released version never changes.")
    # Both are complete before the first file is written there.
    with TemporaryDirectory() as name:
        made = Path(name)
        for kind in KINDS:
            with TemporaryDirectory() as folder:
                expected = make(Path(folder), {"key": KEY} if kind == "sealed" else {})
                _pack(Path(folder), made / f"{kind}.tar.xz")
            (made / f"{kind}.json").write_text(f"{json.dumps(expected, indent=1, sort_keys=True)}\n")
        shutil.copytree(made, target)
    for path in sorted(target.iterdir()):
        print(f"{path}: {path.stat().st_size:,} bytes")


def make(folder: Path, people: dict[str, str]) -> dict[str, Any]:
    """Fill the folder, and return what the gateway said about it. ``people``: more settings of people."""
    known_faces = copy_known_faces(folder)
    (folder / "broker").mkdir()
    with broker_running(folder / "broker") as broker:
        with _running(folder, broker, known_faces, people) as gateway:
            gateway.fill()
            documents = {query: gateway.get(query) for query in QUERIES}
        topics = retained_messages(broker.port)
    retained = {topic: base64.b64encode(payload).decode() for topic, payload in sorted(topics.items())}
    return {"answers": documents, "retained": retained, "tokens": gateway.tokens}


def copy_known_faces(folder: Path) -> Path:
    """Copy the folder of known faces that belongs to a data folder, and return it."""
    for person in PEOPLE_IN_KNOWN_FACES:
        shutil.copytree(KNOWN_FACES / person, folder / "known_faces" / person)
    return folder / "known_faces"


@contextmanager
def _running(folder: Path, broker: Broker, known_faces: Path, people: dict[str, str]) -> Iterator[RunningGateway]:
    """Run a gateway with one worker process, and kill it at the end."""
    rest = free_port()
    settings: dict[str, Any] = {
        "rest": {"port": rest},
        "people": {"folder": str(known_faces), "rescan_s": 0.5, **people},
        # A busy machine sends its frames slowly. Each gap would end a sighting, and make the folder larger.
        "live": {"gone_s": 4},
        "sightings": {"again_s": 4},
        "cameras": {"desk": {"operations": ["enroll", "face_rec"]}},
    }
    process = start_gateway(folder, broker, **settings)
    client = Client(broker.port).subscribe(f"{BASE}/desk/response/#")
    gateway = RunningGateway(f"http://127.0.0.1:{rest}/api/v1", client, folder, {})
    try:
        wait_for(lambda: gateway.is_ready() or process.poll() is not None, LONG_S)
        assert process.poll() is None, "the gateway ended before it was ready: see its log above, and try again"
        yield gateway
    except BaseException:
        print((folder / "gateway.log").read_text(), file=sys.stderr)
        raise
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(WAIT_S)
        client.close()


@dataclass
class RunningGateway:
    """A gateway of which a data folder is made. ``tokens``: the secrets of its tokens, by their names."""

    url: str
    client: Client
    folder: Path
    tokens: dict[str, str]

    def is_ready(self) -> bool:
        try:
            return requests.get(self.url.replace("/api/v1", "/readyz"), timeout=LONG_S).ok
        except requests.ConnectionError:
            return False

    def fill(self) -> None:
        """Enrol, see, name, ignore, merge, correct, erase and back up."""
        self._enrol()
        self._see_strangers()
        self._erase_grace_hopper()
        self._make_tokens()
        self.post("cameras/garage/disable")
        self._command("backup")
        # The newest sighting goes on when the gateway is killed, and so does an upload of which a piece is missing.
        self.see("yard", "biden_1", "biden_2", outcome="named")
        self.client.publish(f"{BASE}/desk/part/0/2/face_rec/half", frame("obama_1")[:2_000])
        wait_for(lambda: any((self.folder / "data" / "uploads").glob("*")))

    def _enrol(self) -> None:
        """Enrol over REST and MQTT, and let somebody be merged, renamed, featured and corrected."""
        self.post("people", {"name": "Joseph Biden"}, biden_2="images")
        self.post("people/joseph_biden/merge", {"into": "joe_biden"})
        self.post("people/joe_biden/not_them", {}, stranger_2="images")
        pictures = self.get("people/joe_biden")["pictures"]
        newest = [each["id"] for each in pictures if not each["counter"]][-1]
        self.post(f"people/joe_biden/pictures/{newest}/feature")
        document = {"name": "Barack Obama", "image": base64.b64encode(frame("obama_1")).decode()}
        self.client.publish(f"{BASE}/desk/request/enroll/first", json.dumps(document).encode())
        assert self.client.get(LONG_S).json["status"] == "ok"
        self.see("porch", "biden_1", "biden_2", outcome="named")

    def _see_strangers(self) -> None:
        """Make a group that is ignored, and one that gets a name: Barack Obama is removed before."""
        self.delete("people/barack_obama")
        named = self.see("porch", "obama_1", "obama_2", outcome="stranger")
        self.post(f"unknowns/{named['unknown']}/name", {"name": "Barack Obama"})
        ignored = self.see("gate", "stranger_1", "stranger_2", outcome="stranger")
        self.post(f"unknowns/{ignored['unknown']}/ignore")

    def _erase_grace_hopper(self) -> None:
        """Erase her, whose picture stays in ``known_faces`` and in a backup elsewhere. Then she is a stranger."""
        (self.folder / "elsewhere").mkdir()
        self._command("backup", str(self.folder / "elsewhere" / "people.sqlite"))
        self._command("backup")
        self.post("people/grace_hopper/erase")
        # A picture that stays the same is looked at only once.
        self.see("porch", "hopper_1", "../../known_faces/Grace_Hopper/grace_hopper_1", outcome="stranger")

    def _make_tokens(self) -> None:
        for name, role, options in (
            ("console", "admin", ()),
            ("app", "client", ()),
            ("expired", "viewer", ("--days", "0.00001")),
            ("revoked", "keeper", ()),
        ):
            secret = self._command("tokens", "add", "--name", name, "--role", role, *options)
            self.tokens[name] = secret.strip()
        self._command("tokens", "revoke", "revoked")

    def see(self, camera: str, *pictures: str, outcome: str) -> dict[str, Any]:
        """Publish frames of a camera in turns until a new sighting with this outcome is stored. Return it."""
        before = {each["sighting"] for each in self._sightings(camera, outcome)}
        frames, found = cycle(map(frame, pictures)), list[dict[str, Any]]()

        def is_stored() -> bool:
            self.client.publish(f"{BASE}/{camera}/frame", next(frames), qos=0)
            found[:] = [each for each in self._sightings(camera, outcome) if each["sighting"] not in before]
            return bool(found)

        wait_for(is_stored, LONG_S)
        return found[0]

    def get(self, path: str) -> Any:
        return self._checked(requests.get(f"{self.url}/{path}", timeout=LONG_S))

    def post(self, path: str, fields: dict[str, str] | None = None, **pictures: str) -> Any:
        """Send a change. ``pictures``: the name of the form's field for each picture."""
        files = [(field, (f"{name}.jpg", frame(name))) for name, field in pictures.items()]
        body: dict[str, Any] = {"data": fields, "files": files} if files else {"json": fields}
        return self._checked(requests.post(f"{self.url}/{path}", timeout=LONG_S, **body))

    def delete(self, path: str) -> Any:
        return self._checked(requests.delete(f"{self.url}/{path}", timeout=LONG_S))

    def _sightings(self, camera: str, outcome: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"sightings?camera={camera}&outcome={outcome}")["sightings"]
        return found

    def _checked(self, answer: requests.Response) -> Any:
        assert answer.ok, f"{answer.request.method} {answer.url}: {answer.text}"
        return answer.json()

    def _command(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "gateway", *arguments, "--config", str(self.folder / "gateway.yaml")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _pack(folder: Path, archive: Path) -> None:
    """Write the parts of a folder that belong to the released version."""

    def described(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if entry.name in [f"data/{name}" for name in NOT_STORED]:
            return None
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    with tarfile.open(archive, "w:xz", preset=9) as made:
        for part in ("data", "elsewhere"):
            made.add(folder / part, part, filter=described)


if __name__ == "__main__":
    main()
