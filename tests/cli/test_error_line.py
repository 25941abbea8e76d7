"""The line in which a command prints an error."""

from __future__ import annotations

import pytest

from gateway.cli.error_line import print_error
from gateway.errors import GatewayError


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("There is no people store at /A.", "there is no people store at /A."),
        ("no person with the id 'x' is enrolled", "no person with the id 'x' is enrolled"),
        ("Ada Lovelace is enrolled already", "Ada Lovelace is enrolled already"),
        ("REST cannot listen", "REST cannot listen"),
        ("Thereby/a.yaml is not YAML.", "Thereby/a.yaml is not YAML."),
    ],
)
def test_error_line_begins_small_and_leaves_names_alone(
    capsys: pytest.CaptureFixture[str], message: str, line: str
) -> None:
    print_error(GatewayError(message))
    assert capsys.readouterr().err == f"facegate: {line}\n"
