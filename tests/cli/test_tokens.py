"""The commands ``facegate tokens``, and a gateway's view of what they make."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import main
from gateway.files.ownership import user_name
from gateway.store.audit_records import AuditLine
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.sqlite import open_store
from gateway.store.sqlite.token_file import ACCESS_FILE
from gateway.store.tokens import Token, digest_of

Facegate = Callable[..., Result]
DAY_S = 86_400


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    with closing(open_store(folder, Cipher(None), PeopleLimits())):
        return folder


@pytest.fixture
def facegate(data: Path) -> Facegate:
    def run(*words: str, code: int = 0) -> Result:
        done = CliRunner().invoke(main, ("tokens", *words), env={"FACEGATE_DATA": str(data)})
        assert done.exit_code == code, done.output
        return done

    return run


def find(data: Path, secret: str) -> Token | None:
    with closing(open_store(data, Cipher(None), PeopleLimits())) as store:
        return store.tokens.find(digest_of(secret))


def audit(data: Path) -> list[AuditLine]:
    with closing(open_store(data, Cipher(None), PeopleLimits())) as store:
        return store.audit.read_lines(10)


def test_token_is_printed_alone_and_once(facegate: Facegate, data: Path) -> None:
    done = facegate("add", "--name", "phone", "--role", "viewer")
    secret = done.stdout.strip()
    assert "this is the token phone with the role viewer. It is not shown again." in done.stderr
    token = find(data, secret)
    assert token is not None
    assert (token.name, token.role, token.expires) == ("phone", "viewer", None)
    assert secret not in facegate("list").output + facegate("list", "--json").output
    assert not [path for path in data.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_token_with_days_expires(facegate: Facegate) -> None:
    added = json.loads(facegate("add", "--name", "phone", "--role", "client", "--days", "30", "--json").stdout)
    assert added.keys() == {"name", "role", "created", "last_used", "expires", "token"}
    assert added["expires"] == pytest.approx(time.time() + 30 * DAY_S, abs=60)


def test_tokens_are_listed(facegate: Facegate) -> None:
    facegate("add", "--name", "phone", "--role", "viewer", "--days", "30")
    facegate("add", "--name", "backup", "--role", "admin")
    head, first, second = facegate("list").stdout.splitlines()
    assert head.split("\t") == ["name", "role", "created", "last used", "expires"]
    assert [line.split("\t")[:2] for line in (first, second)] == [["backup", "admin"], ["phone", "viewer"]]
    assert first.split("\t")[3:] == ["never", "never"]
    listed = json.loads(facegate("list", "--json").stdout)["tokens"]
    assert [each["name"] for each in listed] == ["backup", "phone"]


def test_revoked_token_is_worth_nothing(facegate: Facegate, data: Path) -> None:
    secret = facegate("add", "--name", "phone", "--role", "viewer").stdout.strip()
    assert facegate("revoke", "phone").stdout == "the token phone is revoked\n"
    assert find(data, secret) is None
    assert "there is no token 'phone'" in facegate("revoke", "phone", code=1).stderr


def test_rotated_token_keeps_name_role_and_life(facegate: Facegate, data: Path) -> None:
    old = facegate("add", "--name", "phone", "--role", "keeper", "--days", "30").stdout.strip()
    new = json.loads(facegate("rotate", "phone", "--json").stdout)
    assert find(data, old) is None
    token = find(data, new["token"])
    assert token is not None
    assert (token.name, token.role) == ("phone", "keeper")
    assert token.expires == pytest.approx(time.time() + 30 * DAY_S, abs=60)
    longer = json.loads(facegate("rotate", "phone", "--days", "60", "--json").stdout)
    assert longer["expires"] == pytest.approx(time.time() + 60 * DAY_S, abs=60)
    assert "there is no token 'other'" in facegate("rotate", "other", code=1).stderr


def test_rotated_token_without_expiry_has_none(facegate: Facegate) -> None:
    facegate("add", "--name", "phone", "--role", "keeper")
    assert json.loads(facegate("rotate", "phone", "--json").stdout)["expires"] is None


def test_name_that_is_taken_or_wrong_is_refused(facegate: Facegate, data: Path) -> None:
    facegate("add", "--name", "phone", "--role", "viewer")
    assert "there is a token phone already" in facegate("add", "--name", "phone", "--role", "admin", code=1).stderr
    assert "is not the name of a token" in facegate("add", "--name", "a b", "--role", "admin", code=1).stderr
    for wrong in (("--role", "camera"), ("--role", "viewer", "--days", "0"), ("--role", "viewer", "--days", "1e9")):
        facegate("add", "--name", "other", *wrong, code=2)
    assert len(json.loads(facegate("list", "--json").stdout)["tokens"]) == 1
    # A line would say that the second token was made.
    assert [line.detail.split(",")[:2] for line in audit(data)] == [["phone", " viewer"]]


def test_audit_names_token_role_and_user(facegate: Facegate, data: Path) -> None:
    facegate("add", "--name", "phone", "--role", "viewer")
    facegate("rotate", "phone")
    facegate("revoke", "phone")
    user = user_name(0) if data.stat().st_uid == 0 else user_name(data.stat().st_uid)
    found = [(line.action, line.actor, line.detail) for line in reversed(audit(data))]
    assert found == [(f"{verb}_token", user, "phone, viewer") for verb in ("add", "rotate", "revoke")]


def test_revocation_after_which_the_gateway_cannot_start_is_a_warning(
    facegate: Facegate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGATE_REST__HOST", "0.0.0.0")  # noqa: S104 (nothing listens)
    facegate("add", "--name", "phone", "--role", "viewer")
    facegate("add", "--name", "boss", "--role", "admin")
    assert "refuse its next start" not in facegate("revoke", "boss").stderr
    warning = facegate("revoke", "phone").stderr
    assert "the gateway will refuse its next start: REST would listen on 0.0.0.0" in warning


def test_token_that_cannot_be_written_leaves_no_line_in_the_audit(facegate: Facegate, data: Path) -> None:
    """Regression: the line said that it was made."""
    facegate("add", "--name", "phone", "--role", "viewer")
    with closing(sqlite3.connect(data / ACCESS_FILE)) as db:
        db.executescript(
            "CREATE TRIGGER full BEFORE INSERT ON tokens BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
        )
    assert "disk is full" in facegate("add", "--name", "tablet", "--role", "viewer", code=1).stderr
    assert [line.detail for line in audit(data)] == ["phone, viewer"]


def test_data_folder_of_another_place_gets_no_token(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    words = ("tokens", "add", "--name", "phone", "--role", "viewer")
    done = CliRunner().invoke(main, words, env={"FACEGATE_DATA": str(missing)})
    assert (done.exit_code, missing.exists()) == (1, False)
    assert "There is no people store" in done.stderr or "there is no people store" in done.stderr
    assert CliRunner().invoke(main, (*words, "--new"), env={"FACEGATE_DATA": str(missing)}).exit_code == 0
    assert (missing / "access.sqlite").exists()
