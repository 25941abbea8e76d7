"""An older Facegate on the data folder of a newer one: refused in one sentence, and the way back."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gateway import __version__
from gateway.errors import MAX_MESSAGE_LENGTH
from gateway.model.caller import REST_CALLER
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.protocols import Store
from gateway.store.sqlite import audit_schema, formats, newer_files, schema
from gateway.store.sqlite.audit_file import AUDIT_FILE, AuditFile
from gateway.store.sqlite.audit_key import KEY_FILE
from gateway.store.sqlite.formats import FORMATS, check_formats
from gateway.store.sqlite.newer_files import VERSION_FILE, NewerFileError, read_format
from gateway.store.sqlite.opening import open_store, restore_backup
from gateway.store.tokens import Token
from tests.examples import descriptor
from tests.programs import write_program
from tests.store.examples import enrol, people, picture
from tests.support import ROOT

MASTER = Cipher(bytes(range(32)))


def opened(data: Path) -> Store:
    return open_store(data, MASTER, PeopleLimits())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with every SQLite file."""
    with closing(opened(tmp_path)) as store:
        enrol(store, "Alice")
        enrol(store, "Bob", picture("d2", descriptor(2)))
        store.tokens.add(Token("phone", "client", 1.0), b"1")
        store.audit.flush()
    assert {path.name for path in tmp_path.glob("*.sqlite")} == set(FORMATS)
    return tmp_path


def contents(data: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data.iterdir() if path.is_file()}


def set_format(path: Path, number: int) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {number}")


@pytest.mark.parametrize("name", FORMATS)
def test_newer_file_of_any_kind_is_refused_and_nothing_is_changed(data: Path, name: str) -> None:
    (data / VERSION_FILE).write_text("99.1.0\n")
    set_format(data / name, FORMATS[name] + 1)
    before = contents(data)
    with pytest.raises(NewerFileError) as refused:
        opened(data)
    assert str(refused.value) == (
        f"{data / name} was written by a newer Facegate: its format is {FORMATS[name] + 1}, and Facegate {__version__}"
        f" reads formats up to {FORMATS[name]}. Nothing was changed. Install Facegate 99.1.0 again."
    )
    assert refused.value.exit_code == os.EX_CONFIG
    assert {name: each for name, each in contents(data).items() if name in before} == before


def test_every_sqlite_file_of_the_data_folder_has_a_known_format(data: Path) -> None:
    assert {path.name: read_format(path) for path in data.glob("*.sqlite")} == FORMATS


def test_page_on_compatibility_has_the_formats() -> None:
    page = (ROOT / "docs" / "reference" / "compatibility.md").read_text()
    assert {name: int(number) for name, number in re.findall(r"^\| `(\w+\.sqlite)` \| (\d+) \|", page, re.M)} == FORMATS


def test_older_file_is_not_upgraded_if_another_one_is_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_format(data / AUDIT_FILE, audit_schema.VERSION + 1)
    become_newer(monkeypatch)
    with pytest.raises(NewerFileError):
        opened(data)
    assert not list((data / "backups").glob("before-version-*"))


@pytest.mark.parametrize("text", [None, b"", b"\xff\xfe", b"no version", b"1.0.0 `rm -r /`", b"1" * 1_000])
def test_missing_or_damaged_record_of_the_version_leaves_the_message_without_it(data: Path, text: bytes | None) -> None:
    (data / VERSION_FILE).unlink()
    if text is not None:
        (data / VERSION_FILE).write_bytes(text)
    set_format(data / AUDIT_FILE, audit_schema.VERSION + 1)
    with pytest.raises(NewerFileError, match=r"Install that version again\.$"):
        check_formats(data)


def test_version_is_recorded_once_it_has_opened_all_files(data: Path) -> None:
    assert (data / VERSION_FILE).read_text() == f"{__version__}\n"
    (data / VERSION_FILE).write_text("0.0.1\n")
    opened(data).close()
    assert (data / VERSION_FILE).read_text() == f"{__version__}\n"


def become_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be the next version, in which people have one more column."""
    older = schema.VERSION
    monkeypatch.setattr(newer_files, "__version__", "99.1.0")
    monkeypatch.setattr(schema, "VERSION", older + 1)
    monkeypatch.setitem(schema.STEPS, older, "ALTER TABLE people ADD COLUMN nick TEXT;")
    monkeypatch.setitem(formats.FORMATS, "people.sqlite", older + 1)


def test_way_back_from_a_newer_version(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal names the copy of before the upgrade. People who were erased since stay erased."""
    with monkeypatch.context() as newer:
        become_newer(newer)
        with closing(opened(data)) as store:
            enrol(store, "Carol", picture("d3", descriptor(3)))
            store.people.remove("bob", REST_CALLER, erase=True)
            store.audit.flush()
    with pytest.raises(NewerFileError) as refused:
        opened(data)
    (copy,) = (data / "backups").glob("before-version-*.sqlite")
    assert str(refused.value).endswith(
        f"Install Facegate 99.1.0 again, or return to the state before its upgrade: `facegate restore {copy}`."
    )
    assert len(str(refused.value)) < MAX_MESSAGE_LENGTH
    previous = restore_backup(copy, data, MASTER)
    assert previous is not None
    assert read_format(previous) == schema.VERSION + 1
    with closing(opened(data)) as store:
        assert [person.name for person in people(store)] == ["Alice"]
        assert {line.action for line in store.audit.read_lines(9)} >= {"restore", "erase"}
        assert not store.audit.check().problems
    assert (data / VERSION_FILE).read_text() == f"{__version__}\n"
    # The newer version finds all people in the copy again, without the erased one.
    with monkeypatch.context() as newer:
        become_newer(newer)
        restore_backup(previous, data, MASTER)
        with closing(opened(data)) as store:
            assert [person.name for person in people(store)] == ["Alice", "Carol"]


def test_newer_store_whose_erasures_cannot_be_read_is_not_replaced(data: Path) -> None:
    with closing(opened(data)) as store:
        backup = store.backups.make()
    with closing(sqlite3.connect(data / "people.sqlite")) as db:
        db.execute("ALTER TABLE tombstones RENAME TO marks")
    set_format(data / "people.sqlite", schema.VERSION + 1)
    with pytest.raises(Exception, match=r"was not restored: .*tombstones"):
        restore_backup(backup, data, MASTER)
    assert read_format(data / "people.sqlite") == schema.VERSION + 1


def test_backup_is_not_restored_beside_another_newer_file(data: Path) -> None:
    with closing(opened(data)) as store:
        backup = store.backups.make()
    set_format(data / AUDIT_FILE, audit_schema.VERSION + 1)
    before = contents(data)
    with pytest.raises(NewerFileError, match=r"audit\.sqlite was written by a newer Facegate"):
        restore_backup(backup, data, MASTER)
    assert {name: each for name, each in contents(data).items() if name in before} == before


def test_audit_is_copied_before_it_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy takes the place of the upgraded file if an older version must run again."""
    path = tmp_path / AUDIT_FILE
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(audit_schema._VERSION_1)
        db.execute("INSERT INTO audit VALUES (1, 'u1', 1.0, 'cli', 'add', 'p1', 1, '')")
        db.execute("PRAGMA user_version = 1")
    line = AuditFile(path).read_lines(9)[0]
    assert (line.action, line.person) == ("add", "p1")
    (copy,) = (tmp_path / "backups").iterdir()
    assert (read_format(path), read_format(copy), copy.stat().st_mode & 0o777) == (audit_schema.VERSION, 1, 0o600)
    assert (tmp_path / KEY_FILE).exists()
    # To the older version the upgraded file is a newer one.
    monkeypatch.setitem(formats.FORMATS, AUDIT_FILE, 1)
    with pytest.raises(NewerFileError) as refused:
        check_formats(tmp_path)
    subprocess.run(["sh", "-c", find_command(refused.value)], check=True)
    check_formats(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT uid FROM audit").fetchall() == [("u1",)]
    (newer,) = tmp_path.glob("audit-newer-*.sqlite")
    assert (read_format(newer), copy.exists()) == (audit_schema.VERSION, True)


def find_command(refusal: NewerFileError) -> str:
    """Return the command in the message of a refusal, which is not cut."""
    found = re.search(r"before its upgrade: `(.+)`\.$", str(refusal))
    assert found, refusal
    return found[1]


def test_newer_audit_is_moved_with_its_log_and_the_copy_keeps_owner_and_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last lines of a newer audit may be in a log of SQLite, which must not reach the copy."""
    data = tmp_path / "it's home"
    copy = data / "backups" / "audit-before-version-2-20261128-120000.sqlite"
    copy.parent.mkdir(parents=True)
    for path in (copy, data / AUDIT_FILE):
        AuditFile(path)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(audit_schema._VERSION_1)
    set_format(copy, 1)
    copy.chmod(0o600)
    # The user root may give the file to another user, as the data folder of a service has one.
    os.chown(copy, *((12_345, 12_346) if os.geteuid() == 0 else (-1, -1)))
    before = copy.stat()
    with closing(sqlite3.connect(data / AUDIT_FILE)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE newer (line TEXT)")
        db.execute(f"PRAGMA user_version = {audit_schema.VERSION + 1}")
        logged = {suffix: (data / f"{AUDIT_FILE}{suffix}").read_bytes() for suffix in ("", "-wal", "-shm")}
    # A killed newer version leaves these files.
    for suffix, content in logged.items():
        (data / f"{AUDIT_FILE}{suffix}").write_bytes(content)
    with pytest.raises(NewerFileError) as refused:
        check_formats(data)
    subprocess.run(["sh", "-c", find_command(refused.value)], check=True)
    assert {path.name for path in data.glob(f"{AUDIT_FILE}*")} == {AUDIT_FILE}
    assert (data / AUDIT_FILE).read_bytes() == copy.read_bytes()
    now = (data / AUDIT_FILE).stat()
    assert (now.st_uid, now.st_gid, now.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    check_formats(data)
    (newer,) = data.glob("audit-newer-*.sqlite")
    assert read_format(newer) == audit_schema.VERSION + 1
    with closing(sqlite3.connect(newer)) as db:
        assert db.execute("SELECT count(*) FROM newer").fetchone() == (0,)


def make_newer_audit(data: Path) -> Path:
    """Write an audit of a newer format, and return its copy of before the upgrade."""
    copy = data / "backups" / "audit-before-version-2-20261128-120000.sqlite"
    copy.parent.mkdir()
    for path, number in ((copy, 1), (data / AUDIT_FILE, audit_schema.VERSION + 1)):
        AuditFile(path)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(audit_schema._VERSION_1)
        set_format(path, number)
    return copy


def test_command_follows_no_link_that_is_put_in_the_place_of_the_audit(tmp_path: Path) -> None:
    """A hijacked service could let the user root overwrite any file with it."""
    data, victim = tmp_path / "data", tmp_path / "victim"
    data.mkdir()
    copy = make_newer_audit(data)
    victim.write_text("mine\n")
    with pytest.raises(NewerFileError) as refused:
        check_formats(data)
    # The link is there as soon as the newer file has its other name.
    write_program(tmp_path / "bin" / "mv", f'{shutil.which("mv")} "$@" && ln -s {victim} {AUDIT_FILE}')
    env = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-c", find_command(refused.value)], check=True, env=env)
    assert victim.read_text() == "mine\n"
    assert not (data / AUDIT_FILE).is_symlink()
    assert (data / AUDIT_FILE).read_bytes() == copy.read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder to another user")
@pytest.mark.parametrize(("uid", "name"), [(pwd.getpwnam("nobody").pw_uid, "nobody"), (12_345, "'#12345'")])
def test_command_for_root_runs_as_the_owner_of_the_data_folder(uid: int, name: str) -> None:
    # The owner can enter this folder, unlike those that pytest makes.
    with TemporaryDirectory() as folder:
        data = Path(folder)
        make_newer_audit(data)
        for path in (data, *data.rglob("*")):
            os.chown(path, uid, -1)
        # The process that reads the files becomes their owner, and knows that root started it. Python 3.13 imports
        # urllib late, when only root may read the folder of a Python below /root.
        code = (
            "import sys, urllib.parse; from pathlib import Path; from gateway.files.ownership import become_owner;"
            " from gateway.store.sqlite.formats import check_formats;"
            " data = Path(sys.argv[1]); become_owner(data); check_formats(data)"
        )
        done = subprocess.run([sys.executable, "-c", code, folder], cwd=ROOT, capture_output=True, text=True)
        assert f"before its upgrade: `sudo -u {name} sh -c 'cd {data} && mv -T {AUDIT_FILE} " in done.stderr
