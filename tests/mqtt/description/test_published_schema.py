"""The AsyncAPI document is valid by the JSON Schema that the AsyncAPI project publishes, in a package of npm."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from gateway.mqtt.description.asyncapi import ASYNCAPI_VERSION, describe_mqtt

PACKAGE = "@asyncapi/specs@6.11.1"


@pytest.mark.extra
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed: it has the schema of AsyncAPI")
def test_document_is_valid_asyncapi(tmp_path: Path) -> None:
    subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    (archive,) = tmp_path.glob("*.tgz")
    with tarfile.open(archive) as package:
        member = package.extractfile(f"package/schemas/{ASYNCAPI_VERSION}.json")
        assert member is not None
        schema = json.load(member)
    Draft7Validator(schema).validate(json.loads(json.dumps(describe_mqtt())))
