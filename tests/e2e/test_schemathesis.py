"""Schemathesis makes requests from the OpenAPI document, and compares each answer with it: for every role."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.app import running
from gateway.model.caller import LEVELS
from gateway.store.sqlite.token_file import ACCESS_FILE, SqliteTokens
from tests.conftest import settings
from tests.e2e.deployments import wait_until_ready
from tests.rest.access.examples import add_token
from tests.support import ROOT, Broker

PROGRAM = ROOT / ".venvs" / "schemathesis" / "bin" / "schemathesis"
SECONDS_FOR_A_ROLE = 30
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
"""Its other checks forbid what is meant: further dialects of a request, and 429 after ten wrong tokens."""

pytestmark = [
    pytest.mark.extra,
    pytest.mark.skipif(not PROGRAM.exists(), reason="schemathesis is not installed: make schemathesis"),
]


@pytest.fixture(scope="module")
def url_and_tokens(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[tuple[str, dict[str, str]]]:
    data = tmp_path_factory.mktemp("schemathesis")
    own = settings(data, broker, mqtt={"base": "tried"}, rest={"anonymous": {"from": []}, "plain_admin": True})
    tokens = SqliteTokens(data / ACCESS_FILE)
    secrets: dict[str, str] = {role: add_token(tokens, role, role) for role in LEVELS}
    with running(own) as gateway:
        wait_until_ready(gateway)
        yield f"http://127.0.0.1:{own.rest.port}", secrets


@pytest.mark.parametrize("role", ["nobody", *LEVELS])
def test_every_answer_is_described(url_and_tokens: tuple[str, dict[str, str]], role: str, tmp_path: Path) -> None:
    url, tokens = url_and_tokens
    command = [
        str(PROGRAM), "run", f"{url}/openapi.json", "--phases", "examples,coverage,fuzzing,stateful",
        "--max-time", str(SECONDS_FOR_A_ROLE), "--checks", ",".join(CHECKS), "--continue-on-failure",
        "--suppress-health-check", "all", "--request-timeout", "120", "--no-color",
    ]  # fmt: skip
    if role in tokens:
        command += ["-H", f"Authorization: Bearer {tokens[role]}"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout[-20_000:]
    assert "generated" in result.stdout
