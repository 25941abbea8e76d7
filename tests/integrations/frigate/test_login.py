"""The token of Frigate's port 8971, over time."""

from __future__ import annotations

import pytest

from gateway.integrations.frigate.login import Credentials, Login
from gateway.integrations.frigate.refusals import Refusal
from gateway.integrations.http_client import HttpAnswer

HOUR_S = 3600.0
CREDENTIALS = Credentials("ada", "geheim")


class TokenSource:
    """A login that gives tokens, one after the other, or refuses."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.logins = 0
        self.refusal: Refusal | None = None
        self.login = Login(CREDENTIALS, self.ask, clock=lambda: self.now)

    def ask(self, credentials: Credentials) -> HttpAnswer:
        assert credentials == CREDENTIALS
        self.logins += 1
        if self.refusal:
            raise self.refusal
        return HttpAnswer(200, b"", {"set-cookie": f"frigate_token=t{self.logins}; HttpOnly; Path=/"})


@pytest.fixture
def source() -> TokenSource:
    return TokenSource()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_token_is_used_for_23_hours_and_then_renewed(source: TokenSource) -> None:
    assert source.login.headers() == bearer("t1")
    source.now += 22.9 * HOUR_S
    assert source.login.headers() == bearer("t1")
    source.now += 0.2 * HOUR_S
    assert source.login.headers() == bearer("t2")


def test_refused_token_is_replaced_once(source: TokenSource) -> None:
    """Two requests at once may report the same refused token."""
    old = source.login.headers()
    assert source.login.headers(refused=old) == bearer("t2")
    assert source.login.headers(refused=old) == bearer("t2")
    assert source.logins == 2


def test_refused_login_is_repeated_after_a_minute(source: TokenSource) -> None:
    source.refusal = Refusal("log in", "login", "no")
    for _ in range(2):
        with pytest.raises(Refusal, match="no"):
            source.login.headers()
    assert source.logins == 1
    source.now += 61
    source.refusal = None
    assert source.login.headers() == bearer("t2")


@pytest.mark.parametrize("cookie", ["", "frigate_token=; Path=/", "frigate_token=a b\x00; Path=/"])
def test_answer_without_a_token_is_a_refusal(cookie: str) -> None:
    login = Login(CREDENTIALS, lambda _: HttpAnswer(200, b"", {"set-cookie": cookie}))
    with pytest.raises(Refusal, match="sent no token"):
        login.headers()


def test_cookie_may_have_another_name() -> None:
    login = Login(CREDENTIALS, lambda _: HttpAnswer(200, b"", {"set-cookie": "my_cookie=eyJ.x-y_z; Path=/"}))
    assert login.headers() == bearer("eyJ.x-y_z")
