"""Commands of root on the data folder of another user; the tests that need root are skipped without it."""

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
from gateway.files.ownership import become_owner, open_lock, reading_hint
from gateway.model.caller import CLI_CALLER
from gateway.store.cipher import Cipher, make_key
from gateway.store.records import Picture, StoredFace
from gateway.store.sqlite.audit_file import AUDIT_FILE, AuditFile
from gateway.store.sqlite.backup_folder import BackupFolder
from gateway.store.sqlite.key_file import KEY_FILE
from gateway.store.sqlite.store import SqliteStore
from gateway.vision.engines.registry import ENGINES
from tests.examples import descriptor
from tests.support import ROOT

NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change owners")


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder of the user `nobody`, with Ada and Grace. pytest's own folders are closed to that user."""
    with tempfile.TemporaryDirectory(prefix="facegate-owner-") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        with closing(SqliteStore(data / "people.sqlite", audit=AuditFile(data / AUDIT_FILE))) as store:
            for number, name in enumerate(("Ada", "Grace")):
                face = StoredFace(descriptor(number), b"chips")
                store.people.enrol(
                    name, [Picture(f"{number:064x}", "test", ENGINES["facegate"].recipe, face)], CLI_CALLER
                )
        if os.geteuid() == 0:
            os.chown(data, NOBODY, NOBODY)
            for path in data.iterdir():
                os.chown(path, NOBODY, NOBODY)
        yield data


AS_USER = """
import os, sys
import gateway.cli.main, gateway.cli.backups, gateway.cli.people, gateway.store.sqlite.backup_folder
user = int(sys.argv.pop(1))
os.setgroups([])
os.setgid(user)
os.setuid(user)
"""
"""The code that becomes the user. It loads all modules before: only root may read the folder of this Python."""


def run_as(user: int, code: str, data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "FACEGATE_DATA": str(data)}
    command = [sys.executable, "-c", AS_USER + code, str(user), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, cwd=data.parent, timeout=60)


def facegate(data: Path, *words: str, user: int) -> subprocess.CompletedProcess[str]:
    return run_as(user, "gateway.cli.main.main(sys.argv[1:])", data, *words)


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
def test_command_of_root_leaves_no_file_of_root(data: Path) -> None:
    assert not (data / AUDIT_FILE).exists()
    assert facegate(data, "people", "remove", "ada", user=0).returncode == 0
    assert (data / AUDIT_FILE).exists()
    assert owners(data) == {NOBODY}


@as_root
def test_restore_by_root_leaves_no_file_of_root(data: Path) -> None:
    assert facegate(data, "backup", user=NOBODY).returncode == 0
    (backup,) = (data / "backups").glob("*.sqlite")
    restored = facegate(data, "restore", str(backup), user=0)
    assert (restored.returncode, owners(data)) == (0, {NOBODY}), restored.stderr


@as_root
@pytest.mark.parametrize(
    ("owner", "mode", "command"), [(0, 0o600, "sudo chown -R nobody:"), (NOBODY, 0o400, "chmod -R u+rwX")]
)
def test_unwritable_backup_is_a_warning_and_makes_an_erasure_fail(
    data: Path, owner: int, mode: int, command: str
) -> None:
    assert facegate(data, "backup", user=NOBODY).returncode == 0
    (backup,) = (data / "backups").glob("*.sqlite")
    os.chown(backup, owner, owner)
    backup.chmod(mode)
    code = """
from pathlib import Path
backups = gateway.store.sqlite.backup_folder.BackupFolder(Path(sys.argv[1]))
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
        assert [entry.person.slug for entry in store.people.list_entries()] == ["ada", "grace"]


@as_root
@pytest.mark.parametrize("place", ["backups", "backups/lock"])
def test_erasure_that_cannot_lock_the_backups_says_what_to_do(data: Path, place: str) -> None:
    assert facegate(data, "backup", user=NOBODY).returncode == 0
    os.chown(data / place, 0, 0)
    erased = facegate(data, "people", "erase", "--yes", "ada", user=NOBODY)
    assert erased.returncode == 1
    assert "Traceback" not in erased.stderr
    assert f"sudo chown -R nobody: {data / 'backups'}" in erased.stderr


ERASE_ADA = """
from contextlib import closing
from pathlib import Path
from gateway.store.cipher import Cipher
from gateway.store.sqlite.store import SqliteStore
with closing(SqliteStore(Path(sys.argv[1]) / "people.sqlite", Cipher(bytes(range(32))))) as store:
    print(*store.backups.warnings, sep="\\n")
    store.backups.erase("ada", ())
"""
"""The code that prints the warnings of an encrypted store, then erases Ada from its backups."""


@as_root
def test_data_keys_of_root_are_a_warning_and_make_an_erasure_fail(data: Path) -> None:
    with closing(SqliteStore(data / "people.sqlite", Cipher(bytes(range(32))))):
        pass
    (data / KEY_FILE).chmod(0o644)
    done = run_as(NOBODY, ERASE_ADA, data, str(data))
    problem = f"{data / KEY_FILE} cannot be rewritten by this process, which runs as the user nobody"
    assert f"nobody can be erased: {problem}: run `sudo chown -R nobody: {data / KEY_FILE}`" in done.stdout
    assert f"nothing was erased: {problem}" in done.stderr


@as_root
def test_file_of_root_in_the_data_folder_is_a_warning_before_an_erasure(data: Path) -> None:
    """The folder could not be deleted by an erasure."""
    folder = data / "uploads.damaged-20261128-120000"
    (folder / "door").mkdir(parents=True)
    done = run_as(NOBODY, ERASE_ADA.replace("Cipher(bytes(range(32)))", "None"), data, str(data))
    assert f"an erasure may fail: another user owns {folder}, {folder / 'door'}: run" in done.stdout
    assert f"`sudo chown -R nobody: {data}`" in done.stdout


@as_root
def test_message_for_another_user_names_the_owner(data: Path) -> None:
    other = facegate(data, "people", "list", user=NOBODY - 1)
    assert other.returncode == 1
    assert f"the data folder {data} belongs to the user nobody" in other.stderr
    assert "sudo -u 'nobody' facegate" in other.stderr


@as_root
def test_root_becomes_the_owner_permanently(data: Path) -> None:
    code = """
from pathlib import Path
import pwd
from gateway.files.ownership import become_owner, invoking_user
become_owner(Path(sys.argv[1]))
groups = os.getgrouplist('nobody', pwd.getpwnam('nobody').pw_gid)
assert os.getresuid() == (65534,) * 3, os.getresuid()
assert os.getresgid() == (pwd.getpwnam('nobody').pw_gid,) * 3, os.getresgid()
assert set(os.getgroups()) == set(groups), os.getgroups()
assert invoking_user() == 'root'
become_owner(Path(sys.argv[1]))
try:
    os.setuid(0)
except PermissionError:
    print('permanent')
"""
    done = run_as(0, code, data, str(data))
    assert done.stdout == "permanent\n", done.stderr


@as_root
def test_owner_without_an_account_has_the_group_of_the_folder(data: Path) -> None:
    os.chown(data, 54321, 54322)
    code = """
from pathlib import Path
from gateway.files.ownership import become_owner
become_owner(Path(sys.argv[1]))
print(os.getresuid(), os.getresgid(), os.getgroups())
"""
    done = run_as(0, code, data, str(data))
    assert done.stdout == f"{(54321,) * 3} {(54322,) * 3} []\n", done.stderr


@as_root
@pytest.mark.parametrize("call", ["setgroups", "setuid"])
def test_root_that_may_not_become_the_owner_is_refused(data: Path, call: str) -> None:
    """Root may not change its user in a container without the capability SETUID."""
    code = f"""
from pathlib import Path
from gateway.errors import StartError
from gateway.files.ownership import become_owner
def refuse(*_):
    raise PermissionError(1, 'Operation not permitted')
os.{call} = refuse
try:
    become_owner(Path(sys.argv[1]))
except StartError as error:
    print(error)
"""
    os.chown(data, 54321 if call == "setgroups" else NOBODY, NOBODY)
    done = run_as(0, code, data, str(data))
    assert "cannot become that user (Operation not permitted): run it as `sudo -u '" in done.stdout, done.stderr


@as_root
def test_audit_names_root_as_the_maker_of_a_backup(data: Path) -> None:
    assert facegate(data, "backup", user=0).returncode == 0
    line = AuditFile(data / AUDIT_FILE).read_lines(1)[0]
    assert (line.action, line.actor, line.detail.endswith(".sqlite")) == ("backup", "root", True)


@as_root
@pytest.mark.parametrize("setting", ["people: {key_file: FILE}", "rest: {tls: {cert: FILE, key: FILE}}"])
def test_check_config_of_root_refuses_a_file_that_the_owner_may_not_read(data: Path, setting: str) -> None:
    """Regression: check-config accepted it, and run refused it."""
    secret, config = data.parent / "secret", data.parent / "gateway.yaml"
    secret.write_text(f"{make_key()}\n")
    secret.chmod(0o600)
    config.write_text(f"data: {data}\n{setting.replace('FILE', str(secret))}\n")
    # Only root may read the folder of this Python.
    code = "import gateway.app, gateway.cli.checks; gateway.cli.main.main(sys.argv[1:])"
    done = run_as(0, code, data, "check-config", "--config", str(config))
    assert (done.returncode, done.stdout) == (os.EX_CONFIG, "")
    assert "as the user nobody (root became this user, the owner of the data folder)" in done.stderr


@pytest.fixture
def outside(data: Path) -> dict[Path, tuple[int, int, bytes]]:
    """Files and a folder of root beside the data folder, with their state, which must not change."""
    folder = data.parent / "outside"
    folder.mkdir(mode=0o700)
    paths = [folder, folder / "passwd", folder / "lock", folder / "README.txt"]
    for path in paths[1:]:
        path.write_bytes(b"important")
        path.chmod(0o644)
    return {path: state(path) for path in paths}


def state(path: Path) -> tuple[int, int, bytes]:
    found = path.stat()
    return found.st_uid, found.st_mode, path.read_bytes() if path.is_file() else b""


BACKUP = ("backup",)
ERASE = ("people", "erase", "--yes", "ada")
RESTORE = ("restore", "/etc/hostname")


@as_root
@pytest.mark.parametrize(
    ("link", "target", "words"),
    [
        ("backups", "", ERASE),
        ("backups", "absent", ERASE),
        ("backups/lock", "passwd", BACKUP),
        ("lock", "passwd", RESTORE),
        ("people.sqlite", "passwd", BACKUP),
        ("audit.sqlite", "passwd", BACKUP),
        ("audit.sqlite", "absent", BACKUP),
        ("backups/people-20260101-000000.sqlite", "passwd", ERASE),
    ],
)
def test_link_in_the_data_folder_does_not_lead_root_elsewhere(
    data: Path, outside: dict[Path, tuple[int, int, bytes]], link: str, target: str, words: tuple[str, ...]
) -> None:
    """Regression: the link's target was emptied, deleted, made or given another mode by root."""
    (folder, *_) = outside
    path = data / link
    path.parent.mkdir(exist_ok=True)
    os.chown(path.parent, NOBODY, NOBODY)
    path.unlink(missing_ok=True)
    path.symlink_to(folder / target)
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    done = facegate(data, *words, user=0)
    assert "Traceback" not in done.stderr
    assert {path: state(path) for path in outside} == outside
    assert set(folder.iterdir()) == set(outside) - {folder}


@as_root
def test_hard_link_to_a_file_of_root_stays_unchanged(data: Path, outside: dict[Path, tuple[int, int, bytes]]) -> None:
    (_, passwd, *_) = outside
    os.link(passwd, data / "second name")
    assert facegate(data, "backup", user=0).returncode == 0
    assert {path: state(path) for path in outside} == outside


@as_root
def test_file_of_root_in_the_folder_keeps_its_owner(data: Path) -> None:
    """Regression: the owner could move a file of root into the folder, and root gave it to the owner."""
    (data / "of root").touch(mode=0o600)
    assert facegate(data, "backup", user=0).returncode == 0
    assert (data / "of root").stat().st_uid == 0


@as_root
@pytest.mark.parametrize("link", [False, True])
def test_data_folder_may_be_a_link_of_root_or_of_its_owner(data: Path, link: bool) -> None:
    path = data.parent / "link"
    path.symlink_to(data)
    os.chown(path, NOBODY if link else 0, 0, follow_symlinks=False)
    assert facegate(path, "backup", user=0).returncode == 0
    assert owners(data) == {NOBODY}


@as_root
def test_data_folder_that_is_a_link_of_a_third_user_is_refused(data: Path) -> None:
    path = data.parent / "link"
    path.symlink_to(data)
    os.chown(path, NOBODY - 1, 0, follow_symlinks=False)
    refused = facegate(path, "backup", user=0)
    assert refused.returncode == 1
    assert "is a link of the user" in refused.stderr
    assert not (data / "backups").exists()


@as_root
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("backup", "{}/new.sqlite"), "written: Permission denied as the user nobody"),
        (("restore", "{}/passwd"), "Permission denied: '{}/passwd' as the user nobody"),
        (("people", "export", "{}/new.zip"), "Permission denied as the user nobody"),
        (("people", "import", "{}/passwd"), "Permission denied as the user nobody"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_file_that_is_closed_to_the_owner_is_refused_with_what_to_do(
    data: Path, outside: dict[Path, tuple[int, int, bytes]], words: tuple[str, ...], says: str
) -> None:
    (folder, *_) = outside
    done = facegate(data, *(word.format(folder) for word in words), user=0)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert says.format(folder) in done.stderr
    advice = "let this user read the file" if "import" in words else "use a folder that this user may read and write"
    assert advice in done.stderr
    assert {path: state(path) for path in outside} == outside


@as_root
def test_python_that_is_closed_to_the_owner_is_named(data: Path, outside: dict[Path, tuple[int, int, bytes]]) -> None:
    """Regression: the command ended with a traceback when it started a worker process."""
    (folder, *_) = outside
    code = """
sys.executable = sys.argv[2]
gateway.cli.main.main(['people', 'add', '--name', 'Eve', sys.argv[1]])
"""
    (data / "eve.jpg").write_bytes(b"a picture")
    done = run_as(0, code, data, str(data / "eve.jpg"), str(folder / "python"))
    assert done.returncode == 1
    expected = f"owns the data folder, so this process now runs as nobody, but may not run {folder}/python"
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@as_root
@pytest.mark.parametrize("error", ["LookupError('unknown encoding: ascii')", "ImportError('no module')"])
def test_python_that_cannot_load_its_modules_any_more_is_named(
    data: Path, outside: dict[Path, tuple[int, int, bytes]], error: str
) -> None:
    """Regression: a command of root ended with a traceback if its Python is closed to the owner."""
    (folder, *_) = outside
    code = f"""
import gateway.people.wiring
def broken(settings):
    raise {error}
gateway.people.wiring.cipher = broken
sys.executable = sys.argv[1]
gateway.cli.main.main(['people', 'list'])
"""
    done = run_as(0, code, data, str(folder / "python"))
    assert f"this process now runs as nobody, but may not run {folder}/python" in done.stderr
    assert "Traceback" not in done.stderr
    # With a Python that works, such an error is a bug of the gateway.
    assert "Traceback" in run_as(0, code, data, "/bin/sh").stderr


def test_hint_about_a_file_that_is_only_read_asks_for_no_writing() -> None:
    assert reading_hint(PermissionError()).endswith(": let this user read the file")
    assert reading_hint(FileNotFoundError()) == ""


@as_root
def test_closed_folder_above_the_data_folder_is_named(data: Path) -> None:
    data.parent.chmod(0o700)
    done = facegate(data, "people", "list", user=0)
    assert done.returncode == 1
    assert f"the data folder {data} cannot be used as the user nobody" in done.stderr


@as_root
def test_gateway_that_root_starts_runs_as_the_owner(data: Path) -> None:
    code = """
from pathlib import Path
from gateway.files.data_folder import data_folder_lock
with data_folder_lock(Path(sys.argv[1])):
    print(os.getresuid())
"""
    done = run_as(0, code, data, str(data))
    assert done.stdout == f"{(NOBODY,) * 3}\n", done.stderr
    assert owners(data) == {NOBODY}


def test_lock_is_not_emptied_and_not_a_link(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("important")
    with open_lock(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == "important"
    (tmp_path / "link").symlink_to(tmp_path / "lock")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    for name in ("link", "nowhere"):
        with pytest.raises(OSError, match="symbolic links"):
            open_lock(tmp_path / name)
    assert not (tmp_path / "absent").exists()


def test_missing_data_folder_has_no_owner(tmp_path: Path) -> None:
    become_owner(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_data_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="Not a directory"):
        become_owner(tmp_path / "file" / "data")


def test_writable_backups_cause_no_warning(data: Path) -> None:
    assert BackupFolder(data / "backups").warnings == ()
    (data / "backups").mkdir()
    assert BackupFolder(data / "backups").warnings == ()


def test_file_in_place_of_the_backups_causes_one_warning(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    (data / "backups").touch()
    backups = BackupFolder(data / "backups")
    for _ in range(2):
        backups.check()
    (warning,) = backups.warnings
    assert str(data / "backups") in warning
    assert caplog.text.count(warning) == 1
