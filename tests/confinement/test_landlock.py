from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.confinement import landlock
from gateway.confinement.landlock import landlock_version
from tests.support import ROOT

TRY_FILES = """
import json, sys
from pathlib import Path
from gateway.confinement.landlock import restrict_files
from gateway.confinement.limits import give_up_privileges

def outcome(attempt):
    try:
        attempt()
    except PermissionError:
        return "refused"
    return "done"

readable, other = map(Path, sys.argv[1:])
give_up_privileges()
restrict_files([readable, Path("/no/such/place")])
print(json.dumps({
    "read": outcome((readable / "a").read_bytes),
    "list": outcome(lambda: list(readable.iterdir())),
    "read elsewhere": outcome((other / "a").read_bytes),
    "list elsewhere": outcome(lambda: list(other.iterdir())),
    "write": outcome(lambda: (readable / "a").write_bytes(b"")),
    "create": outcome((readable / "new").touch),
    "remove": outcome((readable / "a").unlink),
    "rename": outcome(lambda: (readable / "a").rename(readable / "b")),
}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or landlock_version() < 1, reason="the kernel has no Landlock")
def test_restricted_process_reads_the_given_places_only(tmp_path: Path) -> None:
    for name in ("readable", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(b"a")
    command = [sys.executable, "-c", TRY_FILES, str(tmp_path / "readable"), str(tmp_path / "other")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    assert [name for name, outcome in found.items() if outcome == "done"] == ["read", "list"]
    assert (tmp_path / "readable" / "a").read_bytes() == b"a"


def test_other_system_has_no_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS the number of the system call belongs to another call."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(landlock, "_call", lambda *_: pytest.fail("a system call was made"))
    assert landlock_version() == 0


@pytest.mark.parametrize(
    ("version", "files", "tcp", "scopes"),
    [(1, 13, 0, 0), (2, 14, 0, 0), (3, 15, 0, 0), (4, 15, 2, 0), (5, 16, 2, 0), (6, 16, 2, 2), (9, 16, 2, 2)],
)
def test_rights_are_those_that_the_version_knows(version: int, files: int, tcp: int, scopes: int) -> None:
    """A kernel refuses a right that it does not know."""
    packed, size = landlock._handled_rights(version)
    rights = [int.from_bytes(packed.raw[n : n + 8], sys.byteorder) for n in range(0, size, 8)]
    assert rights == [2**files - 1, 2**tcp - 1, 2**scopes - 1]
