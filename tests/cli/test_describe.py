"""The commands that print the descriptions of the interfaces."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from gateway.cli.main import main
from gateway.rest.description.openapi import describe_rest


def test_openapi_is_printed_without_settings() -> None:
    result = CliRunner().invoke(main, ["openapi"])
    assert result.exit_code == 0
    assert json.loads(result.output) == describe_rest()


def test_asyncapi_has_the_base_topic_and_the_broker_of_the_settings(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text("mqtt: {base: home/faces, host: broker.lan, port: 1884}\n")
    result = CliRunner().invoke(main, ["asyncapi", "--config", str(config)])
    assert result.exit_code == 0
    document = json.loads(result.output)
    assert document["channels"]["event"]["address"] == "home/faces/{camera}/event"
    assert document["servers"]["broker"]["host"] == "broker.lan:1884"
