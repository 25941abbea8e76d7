"""Links in the folder of backups to the SQLite files of the running gateway."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.model import Effect
from gateway.model.caller import REST_CALLER
from gateway.store.cipher import Cipher
from gateway.store.sqlite.backup_files import contains_backup
from gateway.store.sqlite.formats import FORMATS
from gateway.store.sqlite.live_files import LIVE_FILES
from gateway.store.sqlite.store import SqliteStore
from tests.examples import descriptor
from tests.people.environment import KEY, PeopleEnvironment, open_environment, sample

Link = Callable[[Path, Path], None]

_TRY_LOCK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, int(sys.argv[3]), int(sys.argv[2]))
    except OSError:
        sys.exit("locked")
"""

SHARED_BYTES = (0x40000002, 510)
"""The bytes of a database that SQLite locks while it is open with a log: SHARED_FIRST of its ``os.h``."""

OPEN_BYTE = (128, 1)
"""The byte of the file ``-shm`` that SQLite locks while the database is open. https://sqlite.org/walformat.html"""


@pytest.fixture
def env(tmp_path: Path) -> Iterator[PeopleEnvironment]:
    """An environment with Alice and Bob, an effect of the change that enrolled Bob, and one backup."""
    data = tmp_path / "data"
    data.mkdir()
    with open_environment(data) as env:
        enrol(env, "Alice", 1)
        effect = Effect("rest/1", b"enrol Bob", time.monotonic() + 60)
        env.store.effects.apply_once(effect, lambda: enrol(env, "Bob", 2))
        env.store.backups.make()
        yield env


def enrol(env: PeopleEnvironment, name: str, seed: int) -> dict[str, object]:
    env.registry.enrol(name, [sample(name, descriptor(seed))], REST_CALLER)
    return {"person": name.lower()}


def count_effects(env: PeopleEnvironment) -> int:
    ((count,),) = env.store.database.rows("SELECT count(*) FROM effects")
    return int(count)


def is_locked(path: Path, lock: tuple[int, int]) -> bool:
    """Return whether this process keeps another one from locking these bytes of a file."""
    run = subprocess.run(
        [sys.executable, "-c", _TRY_LOCK, path, *map(str, lock)], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr.strip()) in ((0, ""), (1, "locked"))
    return run.returncode == 1


def store_is_locked(env: PeopleEnvironment) -> bool:
    path = env.store.database.path
    return is_locked(path, SHARED_BYTES) and is_locked(path.with_name(f"{path.name}-shm"), OPEN_BYTE)


def make_symbolic(path: Path, to: Path) -> None:
    path.symlink_to(to)


def make_hard(path: Path, to: Path) -> None:
    path.hardlink_to(to)


links = pytest.mark.parametrize("link", [make_symbolic, make_hard])


def test_live_files_are_all_databases_of_the_data_folder() -> None:
    assert set(LIVE_FILES) == set(FORMATS)


@links
@pytest.mark.parametrize("name", ["automatic-20261128-120000.sqlite", "mine"])
@pytest.mark.parametrize("suffix", ["", "-shm"])
def test_link_to_the_store_keeps_its_locks_and_its_tables(
    env: PeopleEnvironment, link: Link, name: str, suffix: str
) -> None:
    """Regression: the check and the erasure dropped the locks, and the erasure deleted tables of the live store."""
    path, live = env.data / "backups" / name, env.data / f"people.sqlite{suffix}"
    link(path, live)
    assert store_is_locked(env)
    env.store.backups.check()
    warning = f"{path} is a link to {live} itself, not a backup: delete the link, and run `facegate backup`"
    assert env.store.backups.warnings == (warning,)
    assert env.store.backups.skipped_warnings() == (warning,)
    assert store_is_locked(env)
    env.registry.erase("alice", REST_CALLER)
    assert store_is_locked(env)
    assert count_effects(env) == 1
    assert list(env.store.people.list_unchanged_since(float("inf"))) == ["bob"]


@links
@pytest.mark.parametrize("live", LIVE_FILES[1:])
def test_link_to_another_live_file_is_reported(env: PeopleEnvironment, link: Link, live: str) -> None:
    target, path = env.data / live, env.data / "backups" / "mine.sqlite"
    target.touch()
    link(path, target)
    (warning,) = env.store.backups.warnings
    assert warning.startswith(f"{path} is a link to {target} itself, not a backup")


@links
def test_copy_beside_which_a_live_file_lies_is_not_opened(env: PeopleEnvironment, link: Link) -> None:
    (backup,) = (env.data / "backups").glob("*.sqlite")
    link(backup.with_name(f"{backup.name}-shm"), env.data / "people.sqlite-shm")
    (warning,) = env.store.backups.warnings
    assert warning.startswith(f"{backup}-shm is a link to {env.data / 'people.sqlite-shm'} itself")
    env.registry.erase("alice", REST_CALLER)
    assert store_is_locked(env)


def test_lock_of_the_folder_that_is_a_link_to_the_store_is_refused(env: PeopleEnvironment) -> None:
    lock = env.data / "backups" / "lock"
    lock.unlink()
    lock.hardlink_to(env.data / "people.sqlite")
    with pytest.raises(GatewayError, match=r"lock is a link to .*people.sqlite itself.*delete the link"):
        env.store.backups.make()
    assert store_is_locked(env)


@links
def test_first_key_opens_no_link_to_the_store(tmp_path: Path, link: Link, caplog: pytest.LogCaptureFixture) -> None:
    path, backups = tmp_path / "people.sqlite", tmp_path / "backups"
    with closing(SqliteStore(path, Cipher(None))):
        pass
    backups.mkdir(exist_ok=True)
    link(backups / "mine.sqlite", path)
    assert not contains_backup(backups)
    with closing(SqliteStore(path, Cipher(KEY))) as store:
        assert is_locked(store.database.path, SHARED_BYTES)
    assert "delete them" not in caplog.text
