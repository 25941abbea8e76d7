"""What root does beside a gateway that runs as its own user; the tests that need root are skipped without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.ownership import check_owner, hand_over, keep_owner, one_owner
from gateway.people.audit import FILE, AuditLog
from gateway.people.backups import Backups
from gateway.people.sqlite import SqliteStore
from gateway.people.store import Described, Picture
from gateway.vision.options import RECIPES
from tests.examples import descriptor
from tests.support import ROOT

NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change owners")


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder of the user `nobody`, in which Ada and Grace are known. pytest's own folders are closed to them."""
    with tempfile.TemporaryDirectory(prefix="facegate-owner-") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        with closing(SqliteStore(data / "people.sqlite", audit=AuditLog(data / FILE))) as store:
            for number, name in enumerate(("Ada", "Grace")):
                face = Described(descriptor(number), b"chips")
                store.enrol(name, [Picture(f"{number:064x}", "test", RECIPES["facegate"], face)], "test")
        if os.geteuid() == 0:
            os.chown(data, NOBODY, NOBODY)
            for path in data.iterdir():
                os.chown(path, NOBODY, NOBODY)
        yield data


AS_USER = """
import os, sys
import gateway.cli, gateway.commands, gateway.people.backups
user = int(sys.argv.pop(1))
os.setgroups([])
os.setgid(user)
os.setuid(user)
"""
"""All modules are loaded before: the Python that runs the tests may lie in a folder that only root may read."""


def run_as(user: int, code: str, data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "FACEGATE_DATA": str(data)}
    command = [sys.executable, "-c", AS_USER + code, str(user), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, cwd=data.parent, timeout=60)


def facegate(data: Path, *words: str, user: int) -> subprocess.CompletedProcess[str]:
    return run_as(user, "gateway.cli.main(sys.argv[1:])", data, *words)


def owners(data: Path) -> set[int]:
    return {path.lstat().st_uid for path in (data, *data.rglob("*"))}


@as_root
def test_erasure_works_after_a_backup_that_root_made(data: Path) -> None:
    """Regression: the folder and the backup belonged to root, and every erasure failed for ever."""
    backup = facegate(data, "backup", user=0)
    assert (backup.returncode, owners(data)) == (0, {NOBODY}), backup.stderr
    erased = facegate(data, "people", "erase", "--yes", "ada", user=NOBODY)
    assert erased.returncode == 0, erased.stderr
    left = json.loads(facegate(data, "people", "list", "--json", user=NOBODY).stdout)["people"]
    assert [each["person"] for each in left] == ["grace"]


@as_root
def test_a_command_of_root_leaves_no_file_of_root(data: Path) -> None:
    assert not (data / FILE).exists()
    assert facegate(data, "people", "remove", "ada", user=0).returncode == 0
    assert (data / FILE).exists()
    assert owners(data) == {NOBODY}


@as_root
def test_a_restore_by_root_leaves_no_file_of_root(data: Path) -> None:
    assert facegate(data, "backup", user=NOBODY).returncode == 0
    (backup,) = (data / "backups").glob("*.sqlite")
    restored = facegate(data, "restore", str(backup), user=0)
    assert (restored.returncode, owners(data)) == (0, {NOBODY}), restored.stderr


@as_root
@pytest.mark.parametrize(
    ("owner", "mode", "command"), [(0, 0o600, "sudo chown -R nobody:"), (NOBODY, 0o400, "chmod -R u+rwX")]
)
def test_a_backup_that_cannot_be_rewritten_is_reported_before_and_named_at_the_erasure(
    data: Path, owner: int, mode: int, command: str
) -> None:
    assert facegate(data, "backup", user=NOBODY).returncode == 0
    (backup,) = (data / "backups").glob("*.sqlite")
    os.chown(backup, owner, owner)
    backup.chmod(mode)
    code = """
from pathlib import Path
backups = gateway.people.backups.Backups(Path(sys.argv[1]))
print(*backups.warnings)
backups.erase('ada', ())
"""
    done = run_as(NOBODY, code, data, str(data / "backups"))
    problem = (
        f"{backup} cannot be rewritten by this process, which runs as the user nobody:"
        f" run `{command} {data / 'backups'}`"
    )
    assert done.stdout == f"nobody can be erased: {problem}\n"
    assert f"nothing was erased: {problem}, and erase again" in done.stderr
    with closing(SqliteStore(data / "people.sqlite")) as store:
        assert [entry.person.slug for entry in store.entries()] == ["ada", "grace"]


@as_root
@pytest.mark.parametrize("place", ["backups", "backups/lock"])
def test_an_erasure_that_cannot_lock_the_backups_says_how_to_mend_it(data: Path, place: str) -> None:
    assert facegate(data, "backup", user=NOBODY).returncode == 0
    os.chown(data / place, 0, 0)
    erased = facegate(data, "people", "erase", "--yes", "ada", user=NOBODY)
    assert erased.returncode == 1
    assert "Traceback" not in erased.stderr
    assert f"sudo chown -R nobody: {data / 'backups'}" in erased.stderr


@as_root
def test_another_user_is_told_whose_the_data_folder_is(data: Path) -> None:
    other = facegate(data, "people", "list", user=NOBODY - 1)
    assert other.returncode == 1
    assert f"The data folder {data} belongs to the user nobody" in other.stderr
    assert "sudo -u 'nobody' facegate" in other.stderr


@as_root
def test_links_and_files_with_several_names_are_not_given_away(data: Path, tmp_path: Path) -> None:
    """The owner of the folder could otherwise make root give away any file."""
    (tmp_path / "secret").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "secret").touch()
    (data / "link").symlink_to(tmp_path / "secret")
    (data / "folder").symlink_to(tmp_path / "folder")
    outside = data.parent / "outside"
    outside.touch()
    os.link(outside, data / "second name")
    hand_over(data)
    untouched = (tmp_path / "secret", tmp_path / "folder", tmp_path / "folder" / "secret", outside)
    assert {path.stat().st_uid for path in untouched} == {0}
    assert (data / "link").lstat().st_uid == NOBODY


@as_root
def test_a_data_folder_behind_a_link_is_handed_over(data: Path) -> None:
    (data / "of root").touch()
    link = data.parent / "link"
    link.symlink_to(data)
    hand_over(link)
    assert owners(data) == {NOBODY}


@as_root
def test_a_new_file_gets_the_owner_of_its_folder(data: Path) -> None:
    path = data / "new"
    path.touch()
    keep_owner(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (NOBODY, NOBODY)


def test_everything_is_handed_over_at_the_end_too(data: Path) -> None:
    with one_owner(data):
        (data / "folder").mkdir()
        (data / "folder" / "file").touch()
    assert owners(data) == {data.stat().st_uid}


def test_a_data_folder_that_is_not_there_yet_belongs_to_nobody(tmp_path: Path) -> None:
    check_owner(tmp_path / "absent")
    hand_over(tmp_path / "absent")


def test_a_data_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="Not a directory"):
        check_owner(tmp_path / "file" / "data")


def test_backups_that_can_be_rewritten_are_no_warning(data: Path) -> None:
    assert Backups(data / "backups").warnings == ()
    (data / "backups").mkdir()
    assert Backups(data / "backups").warnings == ()


def test_a_file_in_place_of_the_backups_is_a_warning_and_logged_once(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (data / "backups").touch()
    backups = Backups(data / "backups")
    for _ in range(2):
        backups.look()
    (warning,) = backups.warnings
    assert str(data / "backups") in warning
    assert caplog.text.count(warning) == 1
