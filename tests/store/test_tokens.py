"""The tokens of the REST interface."""

from __future__ import annotations

import pytest

from gateway.errors import BadRequest, Conflict, TooLarge, UnknownPerson
from gateway.model.caller import LEVELS
from gateway.store.protocols import Store
from gateway.store.tokens import MAX_TOKENS, Token, digest_of, make_secret
from tests.store.conftest import OpenStore

PHONE = Token("phone", "viewer", 1000.0, expires=5000.0)


def test_token_is_found_by_its_digest(store: Store) -> None:
    secret = make_secret()
    store.tokens.add(PHONE, digest_of(secret))
    assert store.tokens.find(digest_of(secret)) == PHONE
    assert store.tokens.find(digest_of(secret + "x")) is None
    assert store.tokens.find(digest_of("")) is None


def test_new_store_has_no_tokens(store: Store) -> None:
    assert store.tokens.list_tokens() == []
    assert store.tokens.find(digest_of(make_secret())) is None


def test_tokens_outlive_the_store_object(open_store: OpenStore) -> None:
    with open_store() as store:
        store.tokens.add(PHONE, b"1" * 32)
    with open_store() as store:
        assert store.tokens.list_tokens() == [PHONE]


def test_tokens_are_listed_by_name(store: Store) -> None:
    for role in LEVELS:
        store.tokens.add(Token(f"a-{role}", role, 0.0), digest_of(role))
    assert [(each.name, each.role) for each in store.tokens.list_tokens()] == sorted((f"a-{r}", r) for r in LEVELS)


def test_name_is_given_once(store: Store) -> None:
    store.tokens.add(PHONE, b"1" * 32)
    with pytest.raises(Conflict, match="there is a token phone already"):
        store.tokens.add(PHONE, b"2" * 32)
    assert store.tokens.find(b"2" * 32) is None


def test_removed_token_is_found_no_more(store: Store) -> None:
    store.tokens.add(PHONE, b"1" * 32)
    store.tokens.remove("phone")
    assert store.tokens.find(b"1" * 32) is None
    with pytest.raises(UnknownPerson, match="there is no token 'phone'"):
        store.tokens.remove("phone")


def test_replaced_token_is_found_by_its_new_digest_only(store: Store) -> None:
    store.tokens.add(PHONE, b"1" * 32)
    renewed = Token("phone", "keeper", 2000.0)
    store.tokens.replace(renewed, b"2" * 32)
    assert (store.tokens.find(b"1" * 32), store.tokens.find(b"2" * 32)) == (None, renewed)
    with pytest.raises(UnknownPerson):
        store.tokens.replace(Token("other", "admin", 0.0), b"3" * 32)


def test_last_use_is_written(store: Store) -> None:
    store.tokens.add(PHONE, b"1" * 32)
    store.tokens.mark_used(b"1" * 32, 3000.0)
    store.tokens.mark_used(b"9" * 32, 4000.0)
    assert store.tokens.list_tokens() == [Token("phone", "viewer", 1000.0, 3000.0, 5000.0)]


def test_number_of_tokens_is_bounded(store: Store) -> None:
    for n in range(MAX_TOKENS):
        store.tokens.add(Token(f"t{n}", "client", 0.0), digest_of(str(n)))
    with pytest.raises(TooLarge, match="revoke one first"):
        store.tokens.add(PHONE, b"1" * 32)
    assert len(store.tokens.list_tokens()) == MAX_TOKENS


@pytest.mark.parametrize("name", ["", "a b", "../x", "ä", "anonymous", "x" * 65, "a\n", "a:b"])
def test_name_that_could_be_misread_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="not the name of a token"):
        Token(name, "viewer", 0.0)


@pytest.mark.parametrize("role", ["camera", "system", "", "root"])
def test_role_that_is_no_level_is_refused(role: str) -> None:
    with pytest.raises(BadRequest, match="not the role of a token"):
        Token("phone", role, 0.0)  # type: ignore[arg-type]


def test_token_expires() -> None:
    assert PHONE.is_valid(4999.9)
    assert not PHONE.is_valid(5000.0)
    assert Token("phone", "viewer", 1000.0).is_valid(1e12)


def test_secrets_are_long_and_differ() -> None:
    found = {make_secret() for _ in range(100)}
    assert len(found) == 100
    # 43 characters of base64 hold 256 bits.
    assert {len(each) for each in found} == {len("facegate_") + 43}
