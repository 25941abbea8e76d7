"""The refusal to start if nobody could use REST safely."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config import RestSettings
from gateway.errors import StartError
from gateway.rest.access.start_check import check_tokens
from gateway.store.sqlite.token_file import SqliteTokens
from tests.rest.access.examples import add_token

ANONYMOUS = {"role": "client", "from": ["192.168.0.0/16"]}


def check(folder: Path, **rest: Any) -> None:
    check_tokens(RestSettings.model_validate(rest), SqliteTokens(folder / "access.sqlite"))


@pytest.mark.parametrize("host", ["::", "192.168.1.5", "pi.local", ""])
def test_gateway_refuses_to_listen_beyond_loopback_without_a_token(tmp_path: Path, host: str) -> None:
    with pytest.raises(StartError, match="facegate tokens add --name phone --role viewer") as error:
        check(tmp_path, host=host)
    assert f"would listen on {host}" in str(error.value)


def test_gateway_listens_beyond_loopback_with_a_token(tmp_path: Path) -> None:
    add_token(SqliteTokens(tmp_path / "access.sqlite"), "phone", "viewer")
    check(tmp_path, host="::")


def test_gateway_listens_beyond_loopback_if_the_settings_let_others_in(tmp_path: Path) -> None:
    check(tmp_path, host="::", anonymous=ANONYMOUS)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_gateway_listens_on_loopback_without_a_token(tmp_path: Path, host: str) -> None:
    check(tmp_path, host=host)
    check(tmp_path, host=host, anonymous={"from": []})


@pytest.mark.parametrize(
    "rest",
    [
        {"anonymous": {"from": []}},
        {"proxies": ["127.0.0.1"]},
        # A container: other machines can reach REST, and the owner makes a token while the gateway runs.
        {"anonymous": {"from": []}, "host": "0.0.0.0"},  # noqa: S104
    ],
)
def test_gateway_that_refuses_every_request_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, rest: dict[str, Any]
) -> None:
    check(tmp_path)
    assert caplog.messages == []
    check(tmp_path, **rest)
    assert [message for message in caplog.messages if "REST refuses every request" in message]
    caplog.clear()
    add_token(SqliteTokens(tmp_path / "access.sqlite"), "phone", "viewer")
    check(tmp_path, **rest)
    assert caplog.messages == []


def test_gateway_refuses_to_start_with_tokens_that_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "access.sqlite").write_bytes(b"damaged" * 1000)
    with pytest.raises(StartError, match="Move the file away if it is damaged"):
        check(tmp_path)
