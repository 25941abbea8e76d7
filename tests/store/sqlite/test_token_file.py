"""The file of the tokens: beside the people store, and untouched by its restores."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.sqlite import open_store, restore_backup
from gateway.store.sqlite.token_file import ACCESS_FILE, SqliteTokens
from gateway.store.tokens import Token, digest_of

PHONE = Token("phone", "admin", 1.0)


def test_reading_makes_no_file(tmp_path: Path) -> None:
    tokens = SqliteTokens(tmp_path / ACCESS_FILE)
    assert (tokens.list_tokens(), tokens.find(b"1")) == ([], None)
    assert list(tmp_path.iterdir()) == []


def test_file_is_for_its_owner_and_has_no_token(tmp_path: Path) -> None:
    SqliteTokens(tmp_path / ACCESS_FILE).add(PHONE, digest_of("facegate_secret"))
    assert (tmp_path / ACCESS_FILE).stat().st_mode & 0o777 == 0o600
    assert b"facegate_secret" not in (tmp_path / ACCESS_FILE).read_bytes()


def test_change_of_another_process_counts_immediately(tmp_path: Path) -> None:
    gateway, command = (SqliteTokens(tmp_path / ACCESS_FILE) for _ in range(2))
    assert gateway.find(b"1") is None
    command.add(PHONE, b"1")
    assert gateway.find(b"1") == PHONE
    command.remove("phone")
    assert gateway.find(b"1") is None
    command.add(PHONE, b"1")
    (tmp_path / ACCESS_FILE).unlink()
    assert gateway.find(b"1") is None


def test_restored_backup_revives_no_token(tmp_path: Path) -> None:
    with closing(open_store(tmp_path, Cipher(None), PeopleLimits())) as store:
        store.tokens.add(PHONE, b"1")
        backup = store.backups.make()
        store.tokens.remove("phone")
        store.tokens.add(Token("tablet", "viewer", 2.0), b"2")
    restore_backup(backup, tmp_path, Cipher(None))
    with closing(open_store(tmp_path, Cipher(None), PeopleLimits())) as store:
        assert [each.name for each in store.tokens.list_tokens()] == ["tablet"]


@pytest.mark.parametrize("content", [b"no database" * 100, b"SQLite format 3\0" + bytes(2000)])
def test_damaged_file_lets_nobody_in_and_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / ACCESS_FILE
    path.write_bytes(content)
    with pytest.raises(GatewayError, match="cannot be used"):
        SqliteTokens(path).find(b"1")
    assert path.read_bytes() == content


def test_role_and_version_of_a_newer_gateway_let_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / ACCESS_FILE
    tokens = SqliteTokens(path)
    tokens.add(PHONE, b"1")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE tokens SET role = 'owner'")
    with pytest.raises(GatewayError, match="'owner' is not the role of a token"):
        tokens.find(b"1")
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(GatewayError, match="newer Facegate"):
        tokens.list_tokens()
