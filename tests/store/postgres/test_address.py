"""The address of a database: others in the network must neither read the password nor get it."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.cli.checkup.people_store import check_store
from gateway.people.vision import NoVision
from gateway.people.wiring import open_people
from gateway.store.postgres.address import find_exposure
from tests.people.test_store_choice import settings
from tests.support import free_port


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSSLMODE", "PGSSLROOTCERT", "PGCHANNELBINDING", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


def of(place: str) -> str:
    return f"postgresql://facegate:S3cret@{place}"


@pytest.mark.parametrize(
    "place",
    [
        "/facegate",
        "localhost/facegate",
        "127.0.0.1:5433/facegate",
        "[::1]/facegate",
        "%2Fvar%2Frun%2Fpostgresql/facegate",
        "db.lan/facegate?sslmode=verify-full&sslrootcert=/etc/facegate/ca.pem",
        "db.lan/facegate?sslmode=verify-ca&sslrootcert=/etc/facegate/ca.pem",
        "db.lan/facegate?sslmode=require&sslrootcert=/etc/facegate/ca.pem",
        "db.lan/facegate?sslrootcert=system",
        "db.lan/facegate?channel_binding=require",
        "/facegate?service=prod&hostaddr=127.0.0.1",
        "/facegate?service=prod&sslmode=verify-full",
    ],
)
def test_address_that_gives_the_password_to_the_own_server_only(place: str) -> None:
    assert find_exposure(of(place)) is None


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("db.lan/facegate", "cross the network unencrypted, since sslmode is prefer"),
        ("192.0.2.7/facegate?sslmode=allow", "cross the network unencrypted, since sslmode is allow"),
        ("localhost,db.lan/facegate", "cross the network unencrypted, since sslmode is prefer"),
        ("localhost/facegate?hostaddr=192.0.2.7", "cross the network unencrypted, since sslmode is prefer"),
        ("db.lan/facegate?sslrootcert=/etc/facegate/ca.pem", "since sslmode is prefer"),
        ("db.lan/facegate?sslmode=require", "may go to another server, since sslmode is require"),
        ("/facegate?service=prod", "cross the network unencrypted, since a service is used"),
        ("localhost/facegate?service=prod", "cross the network unencrypted, since a service is used"),
        ("/facegate?service=prod&sslmode=require", "may go to another server, since sslmode is require"),
        ("db.lan/facegate?sslmode=disable", "cross the network unencrypted, since sslmode is disable"),
    ],
)
def test_address_that_exposes_the_password_is_found(place: str, expected: str) -> None:
    found = find_exposure(of(place))
    assert found is not None
    text, is_chosen = found
    assert expected in text
    assert "S3cret" not in text
    assert is_chosen == ("disable" in place)


def test_options_of_the_environment_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.lan")
    assert find_exposure(of("/facegate")) is not None
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert find_exposure(of("/facegate")) is None
    # The service may have another mode.
    monkeypatch.setenv("PGSERVICE", "prod")
    assert find_exposure(of("/facegate")) is not None
    assert find_exposure(of("/facegate?sslmode=verify-full")) is None


@pytest.mark.extra
def test_gateway_warns_about_the_host_of_a_service(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: the address of a service was taken for the local socket, and nothing warned."""
    parts = urlsplit(postgres_url)
    options = f"host=db.lan\nhostaddr={parts.hostname}\nport={parts.port}\nuser={parts.username}\n"
    (tmp_path / "services").write_text(f"[prod]\n{options}password={parts.password or ''}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    wanted = settings(tmp_path, f"postgresql://{parts.path}?service=prod")
    wanted.data.mkdir(exist_ok=True)
    with caplog.at_level(logging.WARNING):
        open_people(wanted, NoVision()).store.close()
    assert caplog.text.count("may cross the network unencrypted, since a service is used") == 1


@pytest.mark.extra
def test_gateway_warns_at_its_start(tmp_path: Path, postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Regression: a password crossed the network unencrypted, and nothing said so."""
    for place, count in ((postgres_url.replace("127.0.0.1", "db.lan") + "?hostaddr=127.0.0.1", 1), (postgres_url, 0)):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            wanted = settings(tmp_path, place)
            wanted.data.mkdir(exist_ok=True)
            open_people(wanted, NoVision()).store.close()
        assert caplog.text.count("may cross the network unencrypted") == count
        assert "facegate:" not in caplog.text


@pytest.mark.parametrize(("mode", "state"), [("prefer", "to_do"), ("disable", "advice")])
def test_doctor_says_what_to_do(tmp_path: Path, mode: str, state: str) -> None:
    place = of(f"db.lan:{free_port()}/facegate?hostaddr=127.0.0.1&sslmode={mode}")
    first, *_ = check_store(settings(tmp_path, place))
    assert (first.about, first.state) == ("people store", state)
    assert "append ?sslmode=verify-full&sslrootcert=FILE" in first.text
