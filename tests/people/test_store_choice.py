"""The store that the setting people.store chooses, and the commands on it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from device_sim.postgres_server import PostgresServer
from gateway.cli.main import main
from gateway.config import Settings
from gateway.errors import StartError
from gateway.model.caller import CLI_CALLER
from gateway.people.vision import NoVision
from gateway.people.wiring import describe_store, has_store, open_people, open_store_for_command, restore_store
from tests.store.examples import picture
from tests.support import free_port, wait_for

Facegate = Callable[..., Result]


def password_of(url: str) -> str:
    return url.partition("//")[2].partition("@")[0].partition(":")[2]


def settings(folder: Path, url: str) -> Settings:
    content = {"data": folder / "data", "people": {"store": url, "folder": folder / "known_faces"}}
    return Settings.model_validate({**content, "mqtt": {"port": free_port()}, "rest": {"port": free_port()}})


@pytest.fixture
def facegate(tmp_path: Path, postgres_url: str) -> Facegate:
    """Run a command on the store in PostgreSQL."""
    config = tmp_path / "gateway.yaml"
    config.write_text(
        f"data: {tmp_path / 'data'}\nmqtt: {{host: 127.0.0.1, port: {free_port()}}}\nrest: {{port: {free_port()}}}\n"
    )

    def run(*words: str, code: int = 0) -> Result:
        environment = {"FACEGATE_CONFIG": str(config), "FACEGATE_PEOPLE__STORE": postgres_url}
        done = CliRunner().invoke(main, words, env=environment)
        assert done.exit_code == code, done.output
        assert password_of(postgres_url) not in done.output
        return done

    return run


def test_change_at_one_gateway_is_followed_at_another(tmp_path: Path, postgres_url: str) -> None:
    wanted = [settings(tmp_path / name, postgres_url) for name in ("one", "two")]
    assert not has_store(wanted[0])
    for each in wanted:
        each.data.mkdir(parents=True)
    one, two = (open_people(each, NoVision()) for each in wanted)
    assert has_store(wanted[0])
    with closing(one.store), closing(two.store):
        two.watcher.start()
        try:
            recipe = one.rules.pictures.recipe
            one.store.people.enrol("Ada", [picture(recipe=recipe)], CLI_CALLER)
            wait_for(lambda: len(two.gallery) == 1)
            assert two.watcher.writable
            one.registry.erase("ada", CLI_CALLER)
            wait_for(lambda: len(two.gallery) == 0)
        finally:
            two.watcher.stop()


def test_watcher_tells_once_that_the_database_is_away(
    tmp_path: Path, postgres_server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    wanted = settings(tmp_path, postgres_server.create_database())
    wanted.data.mkdir()
    people = open_people(wanted, NoVision())
    with closing(people.store):
        postgres_server.stop()
        try:
            people.watcher.start()
            wait_for(lambda: not people.watcher.writable)
        finally:
            postgres_server.start()
        wait_for(lambda: people.watcher.writable)
        people.watcher.stop()
    messages = [each.getMessage() for each in caplog.records if "followed" in each.getMessage()]
    assert [each.partition(":")[0] for each in messages] == [
        "the people store cannot be followed",
        "the people store can be followed again",
    ]


def test_commands_use_the_database(facegate: Facegate, tmp_path: Path, postgres_url: str) -> None:
    done = facegate("people", "list", code=1)
    assert "there is no people store at 127.0.0.1:" in done.stderr
    facegate("tokens", "add", "--name", "phone", "--role", "viewer", "--new")
    with open_store_for_command(settings(tmp_path, postgres_url)) as store:
        assert [token.name for token in store.tokens.list_tokens()] == ["phone"]
        store.people.enrol("Ada", [picture()], CLI_CALLER)
    listed = facegate("people", "list", "--json")
    assert [each["person"] for each in json.loads(listed.stdout)["people"]] == ["ada"]
    assert f"people store: {describe_store(settings(tmp_path, postgres_url))}" in listed.stderr
    facegate("people", "erase", "ada", "--yes")
    assert not (tmp_path / "data" / "people.sqlite").exists()


def test_doctor_checks_the_database(facegate: Facegate, postgres_server: PostgresServer) -> None:
    facegate("tokens", "add", "--name", "phone", "--role", "viewer", "--new")

    def findings() -> list[str]:
        document = json.loads(facegate("doctor", "--json", code=1).stdout)
        return [each["text"] for each in document["findings"] if each["about"] == "people store"]

    assert any("(PostgreSQL) can be read and changed" in each for each in findings())
    postgres_server.stop()
    try:
        assert any("Connection refused" in each and "check that PostgreSQL runs" in each for each in findings())
    finally:
        postgres_server.start()


def test_backups_are_left_to_pg_dump(facegate: Facegate, tmp_path: Path, postgres_url: str) -> None:
    facegate("tokens", "add", "--name", "phone", "--role", "viewer", "--new")
    for words in (("backup",), ("backup", str(tmp_path / "copy.sqlite"))):
        assert "pg_dump makes their backups" in facegate(*words, code=1).stderr
    found = json.loads(facegate("doctor", "--json", code=1).stdout)["findings"]
    assert [each["state"] for each in found if each["about"] == "backups"] == ["ok"]
    with open_store_for_command(settings(tmp_path, postgres_url)) as store:
        assert [line.action for line in store.audit.read_lines(10)] == ["add_token"]


def test_backup_of_sqlite_is_not_restored_into_postgresql(tmp_path: Path, postgres_url: str) -> None:
    with pytest.raises(StartError, match=r"The people are in .* \(PostgreSQL\), .*: restore a dump .* with pg_restore"):
        restore_store(settings(tmp_path, postgres_url), tmp_path / "people.sqlite")


@pytest.mark.parametrize("use", [describe_store, has_store, lambda each: open_people(each, NoVision())])
def test_missing_library_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[Settings], object]
) -> None:
    for name in [each for each in sys.modules if each.startswith(("gateway.store.postgres", "psycopg"))]:
        monkeypatch.delitem(sys.modules, name)
    # The entry None makes each import of the module fail, as if it were not installed.
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StartError, match=r"people\.store names PostgreSQL.*pip install 'facegate\[postgres\]'"):
        use(settings(tmp_path, "postgresql://user:S3cret@127.0.0.1/facegate"))
