"""Tokens that are made, listed, rotated and revoked by the operations of administrators."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import BadRequest, Conflict, Forbidden, GatewayError, TooLarge, UnknownPerson
from gateway.model.caller import REST_CALLER, Caller
from gateway.service.token_changes import DAY_S, TokenChanges
from gateway.store.sqlite import token_file
from gateway.store.sqlite.token_file import ACCESS_FILE
from gateway.store.tokens import MAX_TOKENS, Token, digest_of
from tests.people.environment import files_with, open_environment
from tests.service.test_administration import AdministrationHarness
from tests.support import WAIT_S

BOSS = Caller("rest", "boss", "admin")


class TokensHarness(AdministrationHarness):
    def lines(self) -> list[tuple[str, str, str, str]]:
        """Return actor, action, outcome and detail of each line of the audit, the oldest first."""
        found = reversed(self.env.store.audit.read_lines(100))
        return [(line.actor, line.action, line.outcome, line.detail) for line in found]

    def names(self) -> list[str]:
        return [each["name"] for each in self.do("tokens/list")["tokens"]]


@contextmanager
def tokens_harness(folder: Path, *, keep_admin: bool = False) -> Iterator[TokensHarness]:
    """``keep_admin``: as in a gateway where every request needs a token."""
    with ExitStack() as stack:
        harness = TokensHarness(stack.enter_context(open_environment(folder)), keep_admin=keep_admin)
        stack.callback(harness.changes.shutdown)
        stack.callback(harness.reads.shutdown)
        yield harness


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[TokensHarness]:
    with tokens_harness(tmp_path) as harness:
        yield harness


def test_token_is_shown_to_its_maker_and_stored_nowhere(harness: TokensHarness) -> None:
    made = harness.do("tokens/add", name="phone", role="viewer", days="30")
    assert made.keys() == {"name", "role", "created", "last_used", "expires", "token"}
    assert made["expires"] == pytest.approx(time.time() + 30 * DAY_S, abs=600)
    stored = harness.env.store.tokens.find(digest_of(made["token"]))
    assert stored is not None
    assert (stored.name, stored.role) == ("phone", "viewer")
    (listed,) = harness.do("tokens/list")["tokens"]
    assert listed == {key: value for key, value in made.items() if key != "token"}
    assert files_with(harness.env.data, made["token"].encode()) == set()


def test_changes_of_tokens_are_in_the_audit_with_their_caller(harness: TokensHarness) -> None:
    for operation, fields in (
        ("tokens/add", {"name": "phone", "role": "keeper"}),
        ("tokens/rotate", {"name": "phone"}),
        ("tokens/revoke", {"name": "phone"}),
    ):
        harness.submit(operation, fields, caller=BOSS).result(WAIT_S)
    assert harness.lines() == [
        ("boss", f"{verb}_token", "done", "phone, keeper") for verb in ("add", "rotate", "revoke")
    ]


def test_rotated_token_replaces_the_old_one(harness: TokensHarness) -> None:
    old = harness.do("tokens/add", name="phone", role="keeper", days=30)
    new = harness.do("tokens/rotate", name="phone")
    tokens = harness.env.store.tokens
    assert (tokens.find(digest_of(old["token"])), new["role"]) == (None, "keeper")
    assert new["expires"] - new["created"] == pytest.approx(30 * DAY_S)
    assert harness.do("tokens/rotate", name="phone", days=2)["expires"] == pytest.approx(
        time.time() + 2 * DAY_S, abs=600
    )


@pytest.mark.parametrize(
    ("operation", "fields", "error"),
    [
        ("tokens/add", {"name": "phone", "role": "viewer"}, Conflict),
        ("tokens/add", {"name": "anonymous", "role": "viewer"}, BadRequest),
        ("tokens/add", {"name": "a b", "role": "viewer"}, BadRequest),
        ("tokens/add", {"name": "tablet", "role": "camera"}, BadRequest),
        ("tokens/add", {"name": "tablet", "role": ["admin"]}, BadRequest),
        ("tokens/add", {"name": "tablet", "role": "viewer", "days": 0}, BadRequest),
        ("tokens/add", {"name": "tablet", "role": "viewer", "days": True}, BadRequest),
        ("tokens/add", {"name": "tablet", "role": "viewer", "days": "1e4"}, BadRequest),
        ("tokens/add", {"name": "tablet", "role": "viewer", "days": 36_501}, BadRequest),
        ("tokens/add", {"name": "tablet"}, BadRequest),
        ("tokens/rotate", {"name": "tablet"}, UnknownPerson),
        ("tokens/revoke", {"name": "tablet"}, UnknownPerson),
    ],
)
def test_wrong_request_changes_nothing(
    harness: TokensHarness, operation: str, fields: dict[str, Any], error: type[GatewayError]
) -> None:
    harness.do("tokens/add", name="phone", role="viewer")
    with pytest.raises(error):
        harness.do(operation, **fields)
    assert harness.names() == ["phone"]
    assert [action for _, action, _, _ in harness.lines()] == ["add_token"]


def test_number_of_tokens_is_bounded_for_every_interface(harness: TokensHarness) -> None:
    for n in range(MAX_TOKENS):
        harness.env.store.tokens.add(Token(f"t{n}", "client", 0.0), digest_of(str(n)))
    with pytest.raises(TooLarge, match="revoke one first"):
        harness.do("tokens/add", name="phone", role="viewer")
    assert harness.lines() == []


@pytest.mark.parametrize("role", ["client", "viewer", "keeper", "privacy"])
def test_only_an_admin_has_the_operations_of_tokens(harness: TokensHarness, role: Any) -> None:
    for operation in ("tokens/list", "tokens/add", "tokens/rotate", "tokens/revoke"):
        with pytest.raises(Forbidden, match=f"{operation} needs the role admin"):
            harness.submit(operation, {}, caller=Caller("rest", "phone", role)).result(WAIT_S)


def test_nobody_makes_a_token_with_more_rights_than_their_own(harness: TokensHarness) -> None:
    changes = TokenChanges(harness.env.store.tokens, harness.env.store.audit)
    keeper = Caller("rest", "phone", "keeper")
    changes.add("boss", "admin", None, REST_CALLER)
    with pytest.raises(Forbidden, match="role keeper cannot make a token with the role admin"):
        changes.add("mine", "admin", None, keeper)
    with pytest.raises(Forbidden):
        changes.rotate("boss", None, keeper)
    assert harness.names() == ["boss"]


def test_repeated_request_makes_no_second_token_and_repeats_no_secret(harness: TokensHarness) -> None:
    made = harness.do_once("tokens/add", name="phone", role="viewer")
    with pytest.raises(Conflict, match=r"was used before, and the reply had a token, which is shown once"):
        harness.do_once("tokens/add", name="phone", role="viewer")
    rotated = harness.do_once("tokens/rotate", name="phone")
    with pytest.raises(Conflict, match="which is shown once"):
        harness.do_once("tokens/rotate", name="phone")
    assert harness.env.store.tokens.find(digest_of(rotated["token"])) is not None
    assert files_with(harness.env.data, made["token"].encode(), rotated["token"].encode()) == set()


def test_refused_request_may_be_repeated_with_its_id(harness: TokensHarness) -> None:
    harness.do("tokens/add", name="phone", role="viewer")
    with pytest.raises(Conflict, match="there is a token phone already"):
        harness.do_once("tokens/add", name="phone", role="viewer")
    harness.do("tokens/revoke", name="phone")
    assert harness.do_once("tokens/add", name="phone", role="viewer")["name"] == "phone"


def test_repeated_revocation_has_the_same_reply(harness: TokensHarness) -> None:
    harness.do("tokens/add", name="phone", role="viewer")
    assert [harness.do_once("tokens/revoke", name="phone") for _ in range(2)] == [{"name": "phone"}] * 2
    harness.do("tokens/add", name="phone", role="viewer")
    with pytest.raises(Conflict, match="was used before to revoke phone, and there is such a token again"):
        harness.do_once("tokens/revoke", name="phone")
    assert harness.names() == ["phone"]


def test_last_admin_is_not_revoked_where_every_request_needs_a_token(tmp_path: Path) -> None:
    with tokens_harness(tmp_path, keep_admin=True) as harness:
        harness.do("tokens/add", name="boss", role="admin")
        harness.do("tokens/add", name="phone", role="viewer")
        harness.env.store.tokens.add(Token("old", "admin", 0.0, expires=1.0), b"1" * 32)
        harness.do("tokens/revoke", name="phone")
        with pytest.raises(Conflict, match="boss is the last valid token with the role admin"):
            harness.do("tokens/revoke", name="boss")
        harness.do("tokens/add", name="deputy", role="admin")
        harness.do("tokens/revoke", name="boss")
        assert harness.names() == ["deputy", "old"]


def test_last_admin_is_revoked_where_this_machine_needs_no_token(harness: TokensHarness) -> None:
    harness.do("tokens/add", name="boss", role="admin")
    harness.do("tokens/revoke", name="boss")
    assert harness.names() == []


def test_change_that_fails_leaves_no_line_that_says_done(harness: TokensHarness) -> None:
    """Regression: the line came first, and stayed if the disk was full."""
    harness.do("tokens/add", name="phone", role="viewer")
    with closing(sqlite3.connect(harness.env.data / ACCESS_FILE)) as db:
        db.executescript(
            "CREATE TRIGGER full BEFORE INSERT ON tokens BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
        )
    with pytest.raises(GatewayError, match="database or disk is full"):
        harness.do("tokens/add", name="tablet", role="viewer")
    assert [(action, outcome) for _, action, outcome, _ in harness.lines()] == [("add_token", "done")]


def test_change_that_cannot_be_committed_is_in_the_audit_as_failed(
    harness: TokensHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.do("tokens/add", name="phone", role="viewer")
    monkeypatch.setattr(token_file, "LOCK_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(harness.env.data / ACCESS_FILE, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM tokens").fetchall()
        with pytest.raises(GatewayError, match="locked"):
            harness.do("tokens/revoke", name="phone")
    assert harness.names() == ["phone"]
    assert [(action, outcome) for _, action, outcome, _ in harness.lines()][1:] == [
        ("revoke_token", "done"),
        ("revoke_token", "failed"),
    ]


def test_change_without_a_line_of_the_audit_is_undone(harness: TokensHarness) -> None:
    harness.do("tokens/add", name="phone", role="viewer")

    def fail() -> None:
        raise GatewayError("the audit is full")

    tokens = harness.env.store.tokens
    with pytest.raises(GatewayError, match="the audit is full"):
        tokens.add(Token("tablet", "viewer", 0.0), b"1" * 32, fail)
    with pytest.raises(GatewayError, match="the audit is full"):
        tokens.replace(Token("phone", "admin", 0.0), b"2" * 32, fail)
    with pytest.raises(GatewayError, match="the audit is full"):
        tokens.remove("phone", fail)
    assert [(each.name, each.role) for each in tokens.list_tokens()] == [("phone", "viewer")]
